"""The admin pages of this app: events, attempts, pixels, jobs, overview, diagnosis, attribution, and their actions."""

# Django's autodiscovery imports only this package. The imports below register the ModelAdmins.
from tiktok_attribution.admin.attempts import AttemptAdmin
from tiktok_attribution.admin.attribution_report import AttributionReportAdmin
from tiktok_attribution.admin.conversions import ConversionAdmin
from tiktok_attribution.admin.diagnosis import DiagnosisAdmin
from tiktok_attribution.admin.events import OutboxEventAdmin
from tiktok_attribution.admin.jobs import BulkJobAdmin
from tiktok_attribution.admin.overview import OverviewAdmin
from tiktok_attribution.admin.pixels import PixelStatusAdmin
from tiktok_attribution.admin.spend_import import SpendImportAdmin
from tiktok_attribution.admin.vouchers import VoucherCodeAdmin

__all__ = [
    "AttemptAdmin",
    "AttributionReportAdmin",
    "BulkJobAdmin",
    "ConversionAdmin",
    "DiagnosisAdmin",
    "OutboxEventAdmin",
    "OverviewAdmin",
    "PixelStatusAdmin",
    "SpendImportAdmin",
    "VoucherCodeAdmin",
]
