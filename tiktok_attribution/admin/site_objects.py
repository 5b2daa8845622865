"""What TikTok got to know of an order or a user, on the site's own admin pages: mixins for its ModelAdmin.

They need `view_outboxevent`; whoever lacks it sees the site's pages as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

from django import forms
from django.contrib import admin
from django.db import router
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tiktok_attribution.admin.absence import missing_reasons, reason_nothing_was_recorded
from tiktok_attribution.admin.display import badges
from tiktok_attribution.admin.display.moments import since
from tiktok_attribution.conversions import registry
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import FAILED_STATES, OutboxEvent, events_of
from tiktok_attribution.models.visitor import object_key

MOST_EVENTS = 20
"""Shown of one object on its page."""
MOST_IN_COLUMN = 3
FOUND = "_tiktok_events"
"""Attribute of an object of the list: its events, read together with those of its neighbours."""


def told_of(objects: Sequence[Model]) -> dict[str, list[OutboxEvent]]:
    """By `object_key`, oldest first: one query over the index of objects, without bodies.

    The objects are of one model and one database, and their events lie in that database where it holds an outbox.
    """
    if not objects:
        return {}
    found: dict[str, list[OutboxEvent]] = {}
    keys, labels = [object_key(obj.pk) for obj in objects], _labels(type(objects[0]))
    rows = OutboxEvent.objects.using(_outbox_of(objects[0])).filter(events_of(product(labels, keys)))
    rows = rows.select_related("last_attempt").defer("payload", "attempt_log").order_by("pk")
    for row in rows[: MOST_EVENTS * len(objects)]:
        found.setdefault(row.object_pk, []).append(row)
    return found


def _outbox_of(obj: Model) -> str:
    return obj._state.db if obj._state.db in outbox_databases() else router.db_for_read(OutboxEvent)


def _labels(model: type[Model]) -> set[str]:
    """Also of the proxies, parents and children that conversions are declared for."""
    declared = {conversion.model for conversion in registry.every()}
    return {one._meta.label for one in declared if issubclass(model, one) or issubclass(one, model)} | {
        model._meta.label
    }


class _TikTokMixin:
    """Both mixins' common part."""

    admin_site: admin.AdminSite

    @property
    def media(self) -> forms.Media:
        # Not an inner class Media: one of the site's own would hide it.
        own = forms.Media(css={"all": ("tiktok_attribution/admin.css",)})
        return super().media + own  # type: ignore[misc, no-any-return]

    def _told(self, rows: Iterable[OutboxEvent]) -> Iterator[tuple[SafeString, SafeString, str]]:
        """Each event's name as a link, its state, and how long after the conversion it was delivered."""
        for row in rows:
            late = since(row.happened_at, row.delivered_at) if row.delivered_at else ""
            yield self._link(row), badges.state_badge(row), late

    def _link(self, row: OutboxEvent) -> SafeString:
        # The page of an event reads the router's database, and stands only where its admin is registered.
        if row._state.db == router.db_for_read(OutboxEvent):
            route = "admin:tiktok_attribution_outboxevent_change"
            with suppress(NoReverseMatch):
                address = reverse(route, args=[row.pk], current_app=self.admin_site.name)
                return format_html('<a class="tiktok-link" href="{}">{}</a>', address, row.name)
        return format_html("{}", row.name)


class TikTokColumn(_TikTokMixin):
    """A column at the end of the list; one query a page, however many objects it shows."""

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        columns = super().get_list_display(request)  # type: ignore[misc]
        return [*columns, "tiktok"] if _may_view(request) else columns

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)  # type: ignore[misc]
        if _may_view(request):
            objects = list(page.result_list)  # a queryset keeps them: these are the ones that are shown
            found = told_of(objects)
            for obj in objects:
                setattr(obj, FOUND, found.get(object_key(obj.pk), []))
        return page

    @admin.display(description="TikTok")
    def tiktok(self, obj: Model) -> SafeString | str:
        rows = getattr(obj, FOUND, None)
        if rows is None:  # read again since
            rows = told_of([obj]).get(object_key(obj.pk), [])
        first = sorted(rows, key=lambda row: row.state not in FAILED_STATES)  # what somebody should look at
        lines = [format_html("{} {} {}", *told) for told in self._told(first[:MOST_IN_COLUMN])]
        more = len(rows) - MOST_IN_COLUMN
        if more > 0:
            lines.append(
                format_html("{}", ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more})
            )
        told = format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))
        # One block, for a theme that lays a cell's parts side by side on a telephone.
        return format_html("<div>{}</div>", told) if told else "–"


class TikTokSection(_TikTokMixin):
    """A section at the end of the object's page: each of its events, and why one has not arrived."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        fields = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        return [*fields, "tiktok_events"] if obj is not None and _may_view(request) else fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if obj is None or not _may_view(request):
            return fieldsets
        own = [
            (title, {**options, "fields": [name for name in options["fields"] if name != "tiktok_events"]})
            for title, options in fieldsets
        ]
        return [*own, ("TikTok", {"fields": ["tiktok_events"]})]

    @admin.display(description=_("events"))
    def tiktok_events(self, obj: Model) -> SafeString | str:
        rows = told_of([obj]).get(object_key(obj.pk), [])[:MOST_EVENTS]
        if not rows:
            return reason_nothing_was_recorded(obj, obj._state.db or _outbox_of(obj))
        reason = missing_reasons(rows, _outbox_of(obj))
        lines = ((*told, text) for told, text in zip(self._told(rows), reason, strict=True))
        return format_html_join(mark_safe("<br>"), "{} {} {} {}", lines)


class TikTokEvents(TikTokColumn, TikTokSection):
    """Both: `class OrderAdmin(TikTokEvents, admin.ModelAdmin)`."""


def _may_view(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("tiktok_attribution.view_outboxevent"))
