"""Run all checks of the doctor. If a database can't be read, that is a check result too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db import Error as AnyDatabaseError

from tiktok_attribution.delivery.figures import PixelFigures
from tiktok_attribution.doctor import environment, front_page, landings, pixels
from tiktok_attribution.doctor.result import CheckResult, Level, database_problem
from tiktok_attribution.failures import describe

Look = Callable[[], Iterator[CheckResult]]
STORED: tuple[Look, ...] = (
    *(pixels.pixel_results, environment.beats, environment.proxy_results),
    *(pixels.refused_row_results, pixels.revenue_results, front_page.untagged, landings.link_results),
)
"""Checks that read the tables. They are skipped if `migrations` has found that the tables are out of date."""
ALL: tuple[Look, ...] = (
    environment.migrations,
    environment.configuration_results,
    environment.clocks,
    *STORED,
    environment.broker,
    front_page.front_page_results,
)


def everything() -> list[CheckResult]:
    """Run all checks. Takes a few seconds at most: it waits for the broker, and the site renders its front page."""
    return _gathered(ALL)


def quick(found: Sequence[PixelFigures]) -> list[CheckResult]:
    """Run the checks that need only a few queries, for the overview. It passes the figures of the pixels as `found`."""
    stored = (
        *(partial(pixels.pixel_results, found), environment.beats, front_page.channel_results),
        *(environment.proxy_results, pixels.refused_row_results, pixels.revenue_results, landings.landing_results),
    )
    return _gathered((environment.configuration_results, environment.broker_lately, *stored, front_page.untagged))


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
