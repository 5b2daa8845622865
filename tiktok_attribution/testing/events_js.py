"""The text of the stand-in's events.js, which browsers load in the place of TikTok's."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def events_js() -> bytes:
    return (files("tiktok_attribution.testing") / "static" / "events.js").read_bytes()
