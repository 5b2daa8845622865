"""TikTok pixel and Events API from one declaration, for Django.

What sites import stands here; all else but the settings, signals, template tags, commands, admin mixins and the test
kit is private to this package. The names are looked up when they are asked for: an import of models before Django has
loaded its apps would break `django.setup()`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_attribution.attribution.result import attribution_of
    from tiktok_attribution.browser.page_response import pending_events
    from tiktok_attribution.conversions.conversion import Conversion
    from tiktok_attribution.conversions.receivers import recheck
    from tiktok_attribution.conversions.recorder import paused
    from tiktok_attribution.conversions.registry import register
    from tiktok_attribution.conversions.suppression import hold_back
    from tiktok_attribution.conversions.tracking import atrack, track

__all__ = [
    "Conversion",
    "atrack",
    "attribution_of",
    "hold_back",
    "paused",
    "pending_events",
    "recheck",
    "register",
    "track",
]

_HOMES = {
    "Conversion": "conversions.conversion",
    "atrack": "conversions.tracking",
    "attribution_of": "attribution.result",
    "hold_back": "conversions.suppression",
    "paused": "conversions.recorder",
    "pending_events": "browser.page_response",
    "recheck": "conversions.receivers",
    "register": "conversions.registry",
    "track": "conversions.tracking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
