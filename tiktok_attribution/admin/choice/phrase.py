"""A filter of events as a phrase, for the question before a job and for its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from tiktok_attribution.admin.choice.filters import CHANNELS, STATES
from tiktok_attribution.admin.display.moments import moment_text
from tiktok_attribution.delivery.search import EventFilter
from tiktok_attribution.models import moment


def in_words(event_filter: EventFilter) -> str:
    """ "state: rejected · event: Purchase"; says so where nothing is event_filter."""
    return " · ".join(f"{title}: {value}" for title, value in _parts(event_filter)) or _("all events")


def _parts(event_filter: EventFilter) -> Iterator[tuple[str, Any]]:
    if event_filter.state:
        yield _("state"), dict(STATES)[event_filter.state]
    if event_filter.name:
        yield _("event"), event_filter.name
    if event_filter.pixel_code:
        yield _("pixel"), event_filter.pixel_code
    if event_filter.channels:
        yield _("both channels"), dict(CHANNELS)[event_filter.channels]
    if event_filter.attempt:
        yield _("attempt"), event_filter.attempt
    if event_filter.since is not None:
        yield _("recorded from"), moment_text(moment(event_filter.since))
    if event_filter.until is not None:
        yield _("recorded before"), moment_text(moment(event_filter.until))
