"""All findings together. What can't be looked at is a finding itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db import Error as DatabaseTrouble

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
from tiktok_attribution.diagnosis.finding import Finding, Level, database_trouble
from tiktok_attribution.failures import describe

Look = Callable[[], Iterator[Finding]]
STORED: tuple[Look, ...] = (
    *(pixel_state.findings, running.beats, proxy.findings),
    *(refused_rows.findings, warned.findings, channels.untagged),
)
"""What stands in the tables: not asked for where the look at the migrations found that they don't fit."""
ALL: tuple[Look, ...] = (
    running.migrations,
    configured.findings,
    running.clocks,
    *STORED,
    running.broker,
    front_page.findings,
)


def everything() -> list[Finding]:
    """A few seconds at most: the broker is waited for, and the site renders its front page."""
    return _gathered(ALL)


def quick(found: Sequence[PixelFigures]) -> list[Finding]:
    """What costs a few look-ups, for the overview, which has the pixels' figures; the broker as it was seen lately."""
    pixels = partial(pixel_state.findings, found)
    stored = (pixels, running.beats, channels.findings, proxy.findings, refused_rows.findings, warned.findings)
    return _gathered((configured.findings, running.broker_lately, *stored, channels.untagged))


def _gathered(looks: tuple[Look, ...]) -> list[Finding]:
    found: list[Finding] = []
    for look in looks:
        if look in STORED and any(one.id in ("migrations", "database") and one.level is Level.ERROR for one in found):
            continue
        try:
            found += look()
        except DatabaseTrouble as error:
            found.append(database_trouble(describe(error)))
    return found
