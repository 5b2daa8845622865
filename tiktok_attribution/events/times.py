"""Convert the time of an event to whole seconds since 1970, from a datetime, a date, ISO text or a number."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from tiktok_attribution.exceptions import InvalidEvent, TooOld

MAX_AHEAD_SECONDS = 3600
"""Seconds that a time may lie ahead before it is invalid. It allows for a payment provider's clock that is wrong by
minutes, or a forgotten summer time. TikTok documents no limit. The stand-in refuses more than ten minutes. A time ahead
is never sent as such, because it becomes now."""
NOTED_AHEAD_SECONDS = 60
"""Seconds ahead from which a note is made. The clocks of two machines differ by less, and no one needs to look."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# datetime.fromisoformat() of Python 3.10 reads neither "Z" nor every number of decimals.
_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,]\d+)?\s?(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_NUMERIC = re.compile(r"-?[0-9]{1,25}(?:\.[0-9]{0,25})?")
# (from, unit): a time in seconds reaches the smallest of these in the year 5138.
_FINER_UNITS = ((10**17, "nanoseconds"), (10**14, "microseconds"), (10**11, "milliseconds"))


def epoch_seconds(
    value: datetime | date | float | str | None,
    *,
    now: float,
    default_timezone: tzinfo = timezone.utc,
    max_age_seconds: int,
    max_ahead_seconds: int = MAX_AHEAD_SECONDS,
) -> int:
    """Convert a time to seconds since 1970. None is `now`, a date is its midnight, a little ahead of `now` is `now`.

    Raises TooOld for what is older than `max_age_seconds`. Raises InvalidEvent for what can't be read, or is further
    ahead than `max_ahead_seconds`.
    """
    # Decision: times are epoch seconds. They are the same under `USE_TZ=False`, and no hour is missing or doubled in
    # spring and autumn. TikTok's rules conflict, so the safe ones are used. The maximum age is 7 days (28 at most). A
    # time up to an hour ahead becomes now, with a note.
    if value is None:
        return math.floor(now)
    seconds = _seconds(value, default_timezone)
    if seconds > now + max_ahead_seconds:
        raise InvalidEvent(f"event_time is {_span(seconds - now)} in the future; check the clock or the timezone")
    if seconds < now - max_age_seconds:
        raise TooOld(f"event_time is {_span(now - seconds)} ago; nothing older than {_span(max_age_seconds)} is sent")
    return math.floor(min(seconds, now))


def note_ahead(value: datetime | date | float | str | None, *, now: float, default_timezone: tzinfo) -> str:
    """Return the note on a time that was ahead and that `epoch_seconds` accepted, "" if there is none."""
    ahead = 0.0 if value is None else _seconds(value, default_timezone) - now
    return f"event_time was {_span(ahead)} ahead and became now" if ahead > NOTED_AHEAD_SECONDS else ""


def _seconds(value: object, default_timezone: tzinfo) -> float:
    if isinstance(value, str):
        value = _from_text(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if isinstance(value, datetime):
        return _from_datetime(value, default_timezone)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidEvent(
            f"event_time is a datetime, a date, ISO text or seconds since 1970, not {type(value).__name__}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent("event_time must be a finite number of seconds")
    for least, unit in _FINER_UNITS:
        if abs(value) >= least:
            raise InvalidEvent(f"event_time looks like {unit}: TikTok takes whole seconds since 1970 (10 digits)")
    return float(value)


def _from_datetime(value: datetime, default_timezone: tzinfo) -> float:
    if value.utcoffset() is None:
        value = value.replace(tzinfo=default_timezone)
    return (value - _EPOCH).total_seconds()


def _from_text(text: str) -> datetime | float:
    if _NUMERIC.fullmatch(text):
        return float(text)
    parts = _ISO.fullmatch(text)
    if parts is None:
        raise InvalidEvent('event_time is not ISO text: write "2026-11-24T18:30:00Z"')
    zone = (parts["zone"] or "").upper().replace(":", "")
    try:
        moment = datetime.fromisoformat(f"{parts['date']}T{parts['time'] or '00:00'}")
        if zone == "Z":
            return moment.replace(tzinfo=timezone.utc)
        if zone:
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5] or 0))
            return moment.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))
    except ValueError:
        raise InvalidEvent("event_time has a date, time or offset that does not exist") from None
    return moment


def _span(seconds: float) -> str:
    """Format a time span by its two largest units: "3 days 4 hours", "12 minutes"."""
    left = math.ceil(seconds)
    if left > 2 * 365 * 86400:
        return f"{left // (365 * 86400)} years"
    shown = []
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, left = divmod(left, size)
        if count:
            shown.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(shown[:2]) or "0 seconds"
