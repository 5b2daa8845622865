"""Settings of a site with both endpoints behind a real server; what Django would mail to ADMINS goes to the log."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import TIKTOK_ATTRIBUTION

ROOT_URLCONF = "tests.browser.site"
TIKTOK_ATTRIBUTION = {**TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True, "BEACONS_PER_MINUTE": 100_000}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"told": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"told": {"class": "logging.StreamHandler", "level": "ERROR", "formatter": "told"}},
    "root": {"handlers": ["told"]},
    "loggers": {"django": {"handlers": ["told"], "propagate": False}},
}
