"""What people see: the state of every event, every attempt and every pixel, and what they can do about it."""

# Django's autodiscovery imports this package and nothing below it; these register themselves.
from tiktok_attribution.admin import attempts, bulk, diagnosis, events, overview, pixels  # noqa: F401
