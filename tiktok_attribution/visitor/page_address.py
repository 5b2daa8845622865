"""Addresses of pages as the settings let them be kept and sent."""

from __future__ import annotations

from tiktok_attribution.conf import Settings
from tiktok_attribution.events.addresses import clean_address
from tiktok_attribution.visitor.reason import report


def page_address(url: object, settings: Settings) -> str:
    """The address without personal data, secrets and what MASKED_PATHS names; of its host alone where that fails."""
    try:
        return clean_address(url, settings.allowed_parameters, settings.masked_paths)
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "MASKED_PATHS failed, so this address is kept without its path")
        return clean_address(url, (), _no_path)


def _no_path(path: str) -> str:
    return "/"
