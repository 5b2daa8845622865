"""`python -m tests.faults.skewed SECONDS MODULE …`: run a module as `python -m`, by a clock so far ahead.

Only the time of day is wrong, as on a machine whose clock was never set; what measures spans (`monotonic`) is right.
"""

from __future__ import annotations

import datetime as dt
import runpy
import sys
import time

from django.utils import timezone

_time, _now, _datetime = time.time, timezone.now, dt.datetime


class _TakesAny(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _datetime)


class SkewedDatetime(dt.datetime, metaclass=_TakesAny):
    """Asks the skewed clock, and passes for the class that it stands for."""

    __slots__ = ()  # laid out as that one, or extensions in C complain

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return _datetime.fromtimestamp(time.time(), tz)


def skew(seconds: float) -> None:
    """Before the modules that take `time` by its name are imported."""
    time.time = lambda: _time() + seconds
    time.time_ns = lambda: int(time.time() * 1e9)
    timezone.now = lambda: _now() + dt.timedelta(seconds=seconds)
    dt.datetime = SkewedDatetime  # type: ignore[misc]


if __name__ == "__main__":
    seconds, module, *arguments = sys.argv[1:]
    skew(float(seconds))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
