"""A choice of events as a phrase, for the question before a job and for its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from tiktok_attribution.admin.choice.filters import HALVES
from tiktok_attribution.admin.display.moments import moment_text
from tiktok_attribution.delivery.selection import Selection
from tiktok_attribution.models import State, moment


def in_words(chosen: Selection) -> str:
    """ "state: rejected · event: Purchase"; says so where nothing is chosen."""
    return " · ".join(f"{title}: {value}" for title, value in _parts(chosen)) or _("all events")


def _parts(chosen: Selection) -> Iterator[tuple[str, Any]]:
    if chosen.state:
        yield _("state"), State(chosen.state).label
    if chosen.name:
        yield _("event"), chosen.name
    if chosen.pixel_code:
        yield _("pixel"), chosen.pixel_code
    if chosen.halves:
        yield _("both halves"), dict(HALVES)[chosen.halves]
    if chosen.attempt:
        yield _("attempt"), chosen.attempt
    if chosen.since is not None:
        yield _("recorded from"), moment_text(moment(chosen.since))
    if chosen.until is not None:
        yield _("recorded before"), moment_text(moment(chosen.until))
