"""Mixins for the site's own ModelAdmin: show the TikTok events of an order or a user, and why one is missing.

`TikTokColumn` adds a column to the list, `TikTokSection` a section to the page of an object, and `TikTokEvents` both.
They need the permission `view_outboxevent`. With ATTRIBUTION and the permission `view_attribution` they also say which
ad's click came last. Users with neither see the site's pages unchanged.
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
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution import conf
from tiktok_attribution.admin import formatting
from tiktok_attribution.admin.formatting import before_text, since
from tiktok_attribution.attribution.credited_touches import LastClick, last_clicks_of
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import VISITOR
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import FAILED_STATES, OutboxEvent, PixelStatus, State
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.snapshot import recall


def reason_nothing_was_recorded(obj: Model, using: str) -> str:
    """Say why an object has no event, by asking its declarations. If they raise an error, only say that it has none."""
    nothing = gettext("No event was recorded for this object.")
    try:
        with protected(using):
            counts = [conversion.happened(obj) for conversion in registry.of(type(obj))]
    except Exception:
        return nothing
    if not counts:
        return nothing
    if any(counts) and _is_by_visitor(obj, using):
        reason = gettext(
            "This object qualifies. Run manage.py tiktok_backfill, which records it unless its visitor refused."
        )
    elif any(counts):
        reason = gettext("Only objects that a visitor made count (made_by), and no visitor of this object is known.")
    else:
        reason = gettext("The condition of its conversion (when) is not met.")
    return f"{nothing} {reason}"


def _is_by_visitor(obj: Model, using: str) -> bool:
    """Return whether a conversion counts the object no matter who made it, or a visitor is known to have made it."""
    conversions = registry.of(type(obj))
    if any(conversion.made_by != VISITOR for conversion in conversions):
        return True
    return any(recall(one.model._meta.label, obj.pk, using=using).by_visitor for one in conversions)


def missing_reasons(rows: Sequence[OutboxEvent], using: str) -> list[str]:
    """Return for each event why TikTok does not have it; "" for a delivered event."""
    codes = {row.pixel_code for row in rows if row.state == State.WAITING}
    stopped = PixelStatus.objects.using(using).filter(pk__in=codes, stopped_at__isnull=False) if codes else ()
    waits = {pixel.pk for pixel in stopped}
    return [_missing_reason(row, waits) for row in rows]


def _missing_reason(row: OutboxEvent, stopped: set[str]) -> str:
    if row.state == State.DELIVERED:
        return ""
    if row.state == State.WAITING and row.pixel_code in stopped:
        return gettext("Pixel %(pixel)s is stopped, so this event waits.") % {"pixel": row.pixel_code}
    return formatting.last_answer(row)


MOST_EVENTS = 20
"""The most events on the page of one object."""
MOST_IN_COLUMN = 3
FOUND = "_tiktok_events"
"""Attribute of an object in the list: its events, which are read together for the whole page."""
CLICK = "_tiktok_click"
"""Attribute of an object in the list: the last click on an ad, read in the same way."""


def told_of(objects: Sequence[Model]) -> dict[str, list[OutboxEvent]]:
    """Return the events of these objects by `object_key`, oldest first: one indexed query, without bodies.

    The objects are of one model and one database. Their events are in that database if it has an outbox.
    """
    if not objects:
        return {}
    found: dict[str, list[OutboxEvent]] = {}
    keys, labels = [object_key(obj.pk) for obj in objects], _labels(type(objects[0]))
    rows = OutboxEvent.objects.using(_outbox_of(objects[0])).of_objects(product(labels, keys))
    rows = rows.select_related("last_attempt").defer("payload", "attempt_log").order_by("pk")
    for row in rows[: MOST_EVENTS * len(objects)]:
        found.setdefault(row.object_pk, []).append(row)
    return found


def click_text(click: LastClick | None) -> str:
    """Return for example "TikTok: campaign Spring, 2 days before"; "" for an object without a conversion."""
    if click is None:
        return ""
    if click.seconds_before is None:
        return gettext("No click on a TikTok ad.")
    words = {"campaign": click.campaign, "before": before_text(click.seconds_before)}
    if not click.campaign:
        return gettext("TikTok: unknown campaign, %(before)s") % words
    return gettext("TikTok: campaign %(campaign)s, %(before)s") % words


def _outbox_of(obj: Model) -> str:
    return obj._state.db if obj._state.db in outbox_databases() else router.db_for_read(OutboxEvent)


def _labels(model: type[Model]) -> set[str]:
    """Return the labels of the model, and of its proxies, parents and children that have conversions."""
    declared = {conversion.model for conversion in registry.every()}
    return {one._meta.label for one in declared if issubclass(model, one) or issubclass(one, model)} | {
        model._meta.label
    }


class _TikTokMixin:
    """The common part of both mixins."""

    admin_site: admin.AdminSite

    @property
    def media(self) -> forms.Media:
        # Not an inner class Media: the site's own Media class would hide it.
        own = forms.Media(css={"all": ("tiktok_attribution/admin.css",)})
        return super().media + own  # type: ignore[misc, no-any-return]

    def _told(self, rows: Iterable[OutboxEvent]) -> Iterator[tuple[SafeString, SafeString, str]]:
        """Yield for each event its name as a link, its state, and how long after the conversion it was delivered."""
        for row in rows:
            late = since(row.happened_at, row.delivered_at) if row.delivered_at else ""
            yield self._link(row), formatting.state_badge(row), late

    def _link(self, row: OutboxEvent) -> SafeString:
        # The page of an event reads the router's database, and exists only if its admin is registered here.
        if row._state.db == router.db_for_read(OutboxEvent):
            route = "admin:tiktok_attribution_outboxevent_change"
            with suppress(NoReverseMatch):
                address = reverse(route, args=[row.pk], current_app=self.admin_site.name)
                return format_html('<a class="tiktok-link" href="{}">{}</a>', address, row.name)
        return format_html("{}", row.name)


class TikTokColumn(_TikTokMixin):
    """Adds a column at the end of the list. It needs one query for a page, however many objects the page has.

    With ATTRIBUTION there is a second column, for one query more.
    """

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        columns = super().get_list_display(request)  # type: ignore[misc]
        own = [name for name, may in (("tiktok", _may_view), ("tiktok_click", _may_attribute)) if may(request)]
        return [*columns, *own] if own else columns

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)  # type: ignore[misc]
        if _may_view(request):
            objects = list(page.result_list)  # the queryset caches them, so these are the objects that are shown
            found = told_of(objects)
            for obj in objects:
                setattr(obj, FOUND, found.get(object_key(obj.pk), []))
        if _may_attribute(request):
            objects = list(page.result_list)
            clicks = last_clicks_of(objects)
            for obj in objects:
                setattr(obj, CLICK, click_text(clicks.get(object_key(obj.pk))))
        return page

    @admin.display(description=_("TikTok click"))
    def tiktok_click(self, obj: Model) -> str:
        text = getattr(obj, CLICK, None)
        if text is None:  # the object was read again since
            text = click_text(last_clicks_of([obj]).get(object_key(obj.pk)))
        return text or "–"

    @admin.display(description="TikTok")
    def tiktok(self, obj: Model) -> SafeString | str:
        rows = getattr(obj, FOUND, None)
        if rows is None:  # the object was read again since
            rows = told_of([obj]).get(object_key(obj.pk), [])
        first = sorted(rows, key=lambda row: row.state not in FAILED_STATES)  # failed events first
        lines = [format_html("{} {} {}", *told) for told in self._told(first[:MOST_IN_COLUMN])]
        more = len(rows) - MOST_IN_COLUMN
        if more > 0:
            lines.append(
                format_html("{}", ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more})
            )
        told = format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))
        # One block, because some themes put the parts of a cell side by side on a phone.
        return format_html("<div>{}</div>", told) if told else "–"


class TikTokSection(_TikTokMixin):
    """Adds a section at the end of an object's page: its events, and why an event is missing."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        fields = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        own = _section(request) if obj is not None else []
        return [*fields, *own] if own else fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        own = _section(request)
        if obj is None or not own:
            return fieldsets
        others = [
            (title, {**options, "fields": [name for name in options["fields"] if name not in own]})
            for title, options in fieldsets
        ]
        return [*others, ("TikTok", {"fields": own})]

    @admin.display(description=_("last click"))
    def tiktok_click_before(self, obj: Model) -> str:
        told = click_text(last_clicks_of([obj]).get(object_key(obj.pk)))
        return told or gettext("No conversion of this object is recorded (yet).")

    @admin.display(description=_("events"))
    def tiktok_events(self, obj: Model) -> SafeString | str:
        rows = told_of([obj]).get(object_key(obj.pk), [])[:MOST_EVENTS]
        if not rows:
            return reason_nothing_was_recorded(obj, obj._state.db or _outbox_of(obj))
        reason = missing_reasons(rows, _outbox_of(obj))
        lines = ((*told, text) for told, text in zip(self._told(rows), reason, strict=True))
        return format_html_join(mark_safe("<br>"), "{} {} {} {}", lines)


class TikTokEvents(TikTokColumn, TikTokSection):
    """Adds both: `class OrderAdmin(TikTokEvents, admin.ModelAdmin)`."""


def _section(request: HttpRequest) -> list[str]:
    """Return the fields of the section that this user may see."""
    fields = (("tiktok_events", _may_view), ("tiktok_click_before", _may_attribute))
    return [name for name, may in fields if may(request)]


def _may_attribute(request: HttpRequest) -> bool:
    is_on = conf.current().attribution.enabled
    return is_on and bool(request.user.has_perm("tiktok_attribution.view_attribution"))


def _may_view(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("tiktok_attribution.view_outboxevent"))
