"""All findings together. What can't be looked at is a finding itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db import Error as DatabaseTrouble
from django.utils.translation import gettext as _

from tiktok_attribution.delivery.figures import PixelFigures
from tiktok_attribution.diagnosis import configured, front_page, halves, pixel_state, running
from tiktok_attribution.diagnosis.finding import Finding, Level

Look = Callable[[], Iterator[Finding]]
SHORT: tuple[Look, ...] = (configured.findings, pixel_state.findings, running.beats)
ALL: tuple[Look, ...] = (*SHORT, running.broker, front_page.findings)
WITHOUT_TABLES: tuple[Look, ...] = (configured.findings, front_page.findings)


def everything() -> list[Finding]:
    """A few seconds at most: the broker is waited for, and the site renders its front page."""
    tables = _gathered((running.migrations,))
    they_fit = all(one.level == Level.OK for one in tables)
    return tables + _gathered(ALL if they_fit else WITHOUT_TABLES)


def quick(found: Sequence[PixelFigures]) -> list[Finding]:
    """What costs a few look-ups, for the overview, which has the pixels' figures; the broker as it was seen lately."""
    pixels = partial(pixel_state.findings, found)
    return _gathered((configured.findings, pixels, running.beats, running.broker_lately, halves.findings))


def _gathered(looks: tuple[Look, ...]) -> list[Finding]:
    found: list[Finding] = []
    for look in looks:
        try:
            found += look()
        except DatabaseTrouble as error:
            found.append(
                Finding(
                    id="database",
                    level=Level.ERROR,
                    what=_("The database could not be asked: %(why)s.") % {"why": type(error).__name__},
                    mend=_("See that it runs, and run: manage.py migrate"),
                )
            )
    return found
