"""Counts: JSON integers for `quantity` and `num_items`."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from tiktok_attribution.exceptions import InvalidEvent

LARGEST = 10**9
"""Ours: more than that is a key or a timestamp in the wrong place."""

_DIGITS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,12})?")


def count(v: object, *, least: int) -> int:
    """A whole number from `least` up, also out of "2", "2.0", 2.0 or Decimal("2"). Raises InvalidEvent."""
    number = _whole(v)
    if number is None:
        raise InvalidEvent("must be a whole number")
    if number < least:
        raise InvalidEvent(f"must be at least {least}")
    if number > LARGEST:
        raise InvalidEvent("is too large to be a count")
    return number


def is_fraction(v: object) -> bool:
    """Whether it is a positive amount that is no whole number, such as 1.5 metres."""
    if isinstance(v, str):
        text = v.strip()
        v = Decimal(text) if _DIGITS.fullmatch(text) else None
    if isinstance(v, Decimal):
        return v.is_finite() and 0 < v <= LARGEST and v != int(v)
    return isinstance(v, float) and math.isfinite(v) and v > 0 and not v.is_integer()


def _whole(v: object) -> int | None:
    if isinstance(v, bool):
        return None
    if isinstance(v, int):
        return int(v)
    if isinstance(v, str):
        text = v.strip()
        digits = text.removeprefix("-")
        if _DIGITS.fullmatch(digits) is None:
            return None
        v = Decimal(digits) if digits == text else -Decimal(digits)
    if isinstance(v, Decimal):
        # Not math.isfinite(), which raises for a signalling NaN; and int() of 1E+999999 has a million digits.
        return int(v) if v.is_finite() and -10 * LARGEST <= v <= 10 * LARGEST and v == int(v) else None
    return int(v) if isinstance(v, float) and math.isfinite(v) and v.is_integer() else None
