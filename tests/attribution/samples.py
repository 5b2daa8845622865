"""Short ways to moments, touches and conversions."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def moment_of(text: str, zone: str = "UTC") -> int:
    """Epoch seconds of a local time, "2026-03-28 12:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())
