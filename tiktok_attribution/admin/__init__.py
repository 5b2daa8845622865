"""What people see: the state of every event, every attempt and every pixel, and what they can do about it."""

# Django's autodiscovery imports this package and nothing below it; these register themselves.
from tiktok_attribution.admin.attempts import AttemptAdmin
from tiktok_attribution.admin.diagnosis import DiagnosisAdmin
from tiktok_attribution.admin.events import OutboxEventAdmin
from tiktok_attribution.admin.jobs import BulkJobAdmin
from tiktok_attribution.admin.overview import OverviewAdmin
from tiktok_attribution.admin.pixels import PixelStatusAdmin

__all__ = ["AttemptAdmin", "BulkJobAdmin", "DiagnosisAdmin", "OutboxEventAdmin", "OverviewAdmin", "PixelStatusAdmin"]
