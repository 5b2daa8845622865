"""All findings together. What can't be looked at is a finding itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db import Error as AnyDatabaseError

from tiktok_attribution.delivery.figures import PixelFigures
from tiktok_attribution.diagnosis import (
    channels,
    configured,
    front_page,
    pixel_state,
    proxy,
    refused_rows,
    running,
    warned,
)
from tiktok_attribution.diagnosis.result import CheckResult, Level, database_problem
from tiktok_attribution.failures import describe

Look = Callable[[], Iterator[CheckResult]]
STORED: tuple[Look, ...] = (
    *(pixel_state.results, running.beats, proxy.results),
    *(refused_rows.results, warned.results, channels.untagged),
)
"""What stands in the tables: not asked for where the look at the migrations found that they don't fit."""
ALL: tuple[Look, ...] = (
    running.migrations,
    configured.results,
    running.clocks,
    *STORED,
    running.broker,
    front_page.results,
)


def everything() -> list[CheckResult]:
    """A few seconds at most: the broker is waited for, and the site renders its front page."""
    return _gathered(ALL)


def quick(found: Sequence[PixelFigures]) -> list[CheckResult]:
    """What costs a few look-ups, for the overview, which has the pixels' figures; the broker as it was seen lately."""
    pixels = partial(pixel_state.results, found)
    stored = (pixels, running.beats, channels.results, proxy.results, refused_rows.results, warned.results)
    return _gathered((configured.results, running.broker_lately, *stored, channels.untagged))


def _gathered(looks: tuple[Look, ...]) -> list[CheckResult]:
    found: list[CheckResult] = []
    for look in looks:
        if look in STORED and any(one.id in ("migrations", "database") and one.level is Level.ERROR for one in found):
            continue
        try:
            found += look()
        except AnyDatabaseError as error:
            found.append(database_problem(describe(error)))
    return found
