"""Filters of the admin's lists. None of them counts rows, and none asks a table for its distinct values.

The filters of the event list only offer choices: `list_query.read_query` reads them from the address. `pixels` and
`names` find what occurs without reading the outbox. `in_words` describes an event filter, for a job and its question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution import conf
from tiktok_attribution.admin import list_query
from tiktok_attribution.admin.formatting import moment_text
from tiktok_attribution.conversions import registry
from tiktok_attribution.delivery.event_search import WARNED, EventFilter, event_types
from tiktok_attribution.models import Lane, OutboxEvent, PixelStatus, State, moment

MOST_TYPES = 40
"""The most event types that the filter reads. Further names can be found by search."""


def pixels() -> list[str]:
    """Return the configured pixels, then those that have ever sent or been stopped."""
    using = router.db_for_read(OutboxEvent)
    sent = Lane.objects.using(using).order_by("pixel_code").values_list("pixel_code", flat=True).distinct()
    stopped = PixelStatus.objects.using(using).order_by("pk").values_list("pk", flat=True)
    return list(dict.fromkeys([*conf.current().pixel_code, *sent, *stopped]))


def names(pixel_codes: Iterable[str]) -> list[str]:
    """Return the names of events that are declared or stored for these pixels, sorted."""
    wanted = set(pixel_codes)
    seen = islice(event_types(router.db_for_read(OutboxEvent)), MOST_TYPES)
    stored = (type_key.name for type_key in seen if type_key.pixel_code in wanted)
    return sorted({conversion.event for conversion in registry.every()}.union(stored))


Choices = Iterable[tuple[str, Any]]
Rows = QuerySet[Any]

CHANNELS = (
    ("both", _("Delivered and shown")),
    ("server", _("Delivered, browser missing")),
    ("browser", _("Shown, server given up")),
    ("confirmed", _("Confirmed by the browser")),
    ("unconfirmed", _("Shown, not confirmed")),
)
"""Keys of `delivery.event_filter.CHANNELS`."""
STATES = (*State.choices, (WARNED, _("delivered, with a warning")))


class PixelFilter(admin.SimpleListFilter):
    """Filter by pixel. Shown if there is more than one pixel, or if the address names one, which is applied then."""

    title = _("pixel")
    parameter_name = list_query.PIXEL

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        codes = pixels()
        is_of_use = len(codes) > 1 or request.GET.get(self.parameter_name)
        return [(code, code) for code in codes] if is_of_use else []

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(pixel_code=self.value()) if self.value() else queryset


class _Offer(admin.SimpleListFilter):
    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset


class EventPixelFilter(_Offer, PixelFilter):
    """The filter by pixel for the list of events."""


class StateFilter(_Offer):
    """Filter by the state of the server event."""

    title = _("state")
    parameter_name = list_query.STATE

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return STATES


class NameFilter(_Offer):
    """Filter by event name: names that are declared or that occur."""

    title = _("event")
    parameter_name = list_query.NAME

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in names(pixels())]


class ChannelsFilter(_Offer):
    """Filter by what became of the server and the browser channel together."""

    title = _("both channels")
    parameter_name = list_query.CHANNELS

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return CHANNELS


class RecordedFilter(_Offer):
    """Filter by day: today, the last days, or a range. Days begin at midnight of the current time zone."""

    title = _("recorded")
    parameter_name = list_query.RECORDED
    template = "admin/tiktok_attribution/outboxevent/recorded_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in (list_query.FROM, list_query.TO):
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("today", _("Today")), ("7", _("Last 7 days")), ("30", _("Last 30 days"))]

    def expected_parameters(self) -> list[str | None]:
        return [list_query.RECORDED, list_query.FROM, list_query.TO]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the links of the filter; the last entry is for the form."""
        ours = [name for name in self.expected_parameters() if name]
        chosen = self.used_parameters.get(list_query.RECORDED)
        yield {
            "selected": not self.used_parameters,
            "query_string": changelist.get_query_string(remove=ours),
            "display": _("All"),
        }
        for key, text in self.lookup_choices:
            query = changelist.get_query_string({list_query.RECORDED: key}, remove=ours)
            yield {"selected": chosen == key, "query_string": query, "display": text}
        yield {
            "form": True,
            "from": self.used_parameters.get(list_query.FROM, ""),
            "to": self.used_parameters.get(list_query.TO, ""),
            "kept": [(name, value) for name, value in changelist.params.items() if name not in ours],
        }


class AttemptFilter(_Offer):
    """Filter by attempt. Shown only while it is used; the link from an attempt to its events sets it."""

    title = _("attempt")
    parameter_name = list_query.ATTEMPT

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        pk = request.GET.get(list_query.ATTEMPT)
        return [(pk, _("The chosen attempt"))] if pk else []


class PersonFilter(_Offer):
    """Filter by person. Shown only while it is used; the search for an e-mail address sets it."""

    title = _("person")
    parameter_name = list_query.PERSON

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        key = request.GET.get(list_query.PERSON)
        return [(key, _("Whose e-mail address was typed"))] if key else []


def in_words(event_filter: EventFilter) -> str:
    """Describe a filter, for example "state: rejected · event: Purchase"; "all events" for an empty one."""
    return " · ".join(f"{title}: {value}" for title, value in _parts(event_filter)) or gettext("all events")


def _parts(event_filter: EventFilter) -> Iterator[tuple[str, Any]]:
    if event_filter.state:
        yield gettext("state"), dict(STATES)[event_filter.state]
    if event_filter.name:
        yield gettext("event"), event_filter.name
    if event_filter.pixel_code:
        yield gettext("pixel"), event_filter.pixel_code
    if event_filter.channels:
        yield gettext("both channels"), dict(CHANNELS)[event_filter.channels]
    if event_filter.attempt:
        yield gettext("attempt"), event_filter.attempt
    if event_filter.since is not None:
        yield gettext("recorded from"), moment_text(moment(event_filter.since))
    if event_filter.until is not None:
        yield gettext("recorded before"), moment_text(moment(event_filter.until))
