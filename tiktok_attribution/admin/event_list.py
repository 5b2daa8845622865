"""The list of events in the admin: pages by key, search, and CSV export. All of them use indexes only.

`EventList` is Django's ChangeList with keyset pagination: it neither counts nor skips rows.
`parameters_of` and `matching` search for an exact event id, object key, TikTok request id or e-mail address. People
copy these from an order, a log or a mail of TikTok's support. A fuzzy search would read the whole table.
`lines` streams the events of a filter as CSV. It reads neither bodies nor hashes, so the file has no personal data.
`object` is the site's own key of the order or customer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext as _

from tiktok_attribution.admin.base import MOST, IndexedList, InvalidParameter
from tiktok_attribution.admin.formatting import csv_text, here
from tiktok_attribution.admin.list_query import AFTER, BEFORE, PERSON, TERM, ListQuery, person_text, read_query
from tiktok_attribution.delivery.event_search import EventFilter, KeysetPage, newest, oldest, sent_by
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.hashing import email_sha256, keys_of_bits, search_key
from tiktok_attribution.models import Attempt, OutboxEvent, events_of_key, moment
from tiktok_attribution.models.visitor import object_key


class EventList(IndexedList):
    """A page of the list, without bodies and attempt logs, which are most of a row.

    `older` and `newer` are query strings, "" if there is no such page. `looked_to` is the time of the oldest row that
    was scanned, if the scan stopped before the page was full.

    Decision: Django's paginator counts, and OFFSET reads the rows that it skips. The list pages by keys instead, and
    `delivery.event_search` bounds the number of scanned rows.
    """

    asked: ListQuery
    older = ""
    newer = ""
    looked_to: datetime | None = None
    is_misplaced = False

    def get_filters_params(self, params: Any = None) -> Any:
        """Remove the place in the list, because links to other filters must not keep it."""
        for name in (BEFORE, AFTER):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_filters_params(params)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[OutboxEvent]:
        try:
            self.asked = read_query(request.GET)
        except InvalidParameter as error:
            raise IncorrectLookupParameters from error
        if "@" in self.asked.term:
            self._forget_term()
        rows: QuerySet[OutboxEvent] = super().get_queryset(request, exclude_parameters)
        if self.is_misplaced:
            return rows.none()
        rows = rows.filter(self.asked.event_filter.condition(using=rows.db))
        if self.asked.person is not None:
            rows = rows.filter(email_key=self.asked.person)
        return rows.defer("payload", "attempt_log")

    def get_results(self, request: HttpRequest) -> None:
        before, after = self.asked.before, self.asked.after
        size = self.list_per_page
        rows = self.queryset.select_related(None)
        found = self._found(rows, size + 1, before, after)
        pks = found.pks[:size]
        if after is not None:
            pks.reverse()
        self._link(pks, found, more=len(found.pks) > size, before=before, after=after)
        # Decision: an event is two rows, and filters need only the narrow one. So the list finds keys first, and then
        # reads the rows of one page by their keys.
        shown = self.root_queryset.filter(pk__in=pks).order_by("-pk").defer("payload", "attempt_log")
        self.result_list = list(shown)
        self.result_count = len(self.result_list)
        self.full_result_count = self.result_count  # not a real count; a theme would show this page's size as the count
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.queryset, size)

    @property
    def newest(self) -> str:
        """The query string of the first page."""
        return self.get_query_string()

    @property
    def is_cut(self) -> bool:
        """Whether more rows match than the page shows."""
        return bool(self.older or self.newer)

    def _forget_term(self) -> None:
        """Forget an e-mail address that came in the page's address, so that no link repeats it."""
        self.is_misplaced = True
        self.query = ""
        self.params.pop(TERM, None)
        self.filter_params.pop(TERM, None)

    def _found(self, rows: QuerySet[OutboxEvent], most: int, before: int | None, after: int | None) -> KeysetPage:
        if self.is_misplaced:
            return KeysetPage(pks=[])
        if self.asked.is_search:
            if after is not None:
                return KeysetPage(pks=_pks(rows.filter(pk__gt=after).order_by("pk"), most))
            rows = rows if before is None else rows.filter(pk__lt=before)
            return KeysetPage(pks=_pks(rows.order_by("-pk"), most))
        if after is not None:
            return oldest(rows, self.asked.event_filter, most=most, after=after)
        return newest(rows, self.asked.event_filter, most=most, before=before)

    def _link(self, pks: list[int], found: KeysetPage, *, more: bool, before: int | None, after: int | None) -> None:
        """Set the links to the pages beside this one.

        What is behind the edge that the user came from is not known without another query. So the page links back
        there without one.
        """
        going_newer = after is not None
        if found.looked_to is not None and not more:
            self.looked_to = self._recorded(found.looked_to)
        edge = found.looked_to if not more else None
        if more or edge is not None or going_newer:
            oldest_pk = pks[-1] if pks else (after or 0) + 1
            self.older = self._address(BEFORE, edge if edge is not None and not going_newer else oldest_pk)
        if before is not None or (going_newer and (more or edge is not None)):
            newest_pk = pks[0] if pks else (before or 1) - 1
            self.newer = self._address(AFTER, edge if edge is not None and going_newer else newest_pk)

    def _address(self, name: str, pk: int) -> str:
        return self.get_query_string({name: str(pk)})

    def _recorded(self, pk: int) -> datetime | None:
        near = OutboxEvent.objects.using(self.queryset.db).from_key(pk)
        return near.values_list("created_at", flat=True).first()


def _pks(rows: QuerySet[OutboxEvent], most: int) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:most])


MOST_ATTEMPTS = 20
MOST_TYPED = 512
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Unsearchable(Exception):
    """The typed text can't be searched for. The message says why, and does not contain the text."""


@errors_without_values
def parameters_of(typed: str) -> dict[str, str]:
    """Return the list's parameters for a typed search. An e-mail address or its SHA-256 becomes the key of its hash.

    Raises Unsearchable for a text that looks like an e-mail address but is not valid, so that no address contains it.

    Decision: the search is a POST that leads to the key of a hash, because addresses of pages are kept in logs,
    histories and referrers. The key has 8 bytes: enough to find events by their index, and useless for matching.
    """
    term = typed.strip()[:MOST_TYPED]
    if not term:
        return {}
    if "@" not in term and not _SHA256.fullmatch(term):
        return {TERM: term}
    key = search_key(email_sha256(term) or "")
    if key is None:
        raise Unsearchable(_("That is no whole e-mail address, so nothing was looked for."))
    return {PERSON: person_text(key)}


def matching(term: str, *, using: str) -> list[int]:
    """Return the keys of the events that match a search term, at most `MOST`."""
    rows = OutboxEvent.objects.using(using)
    found: dict[int, None] = {}
    for way in (Q(event_id=term), events_of_key(object_key(term))):
        # One statement for each condition: with an OR over different indexes some databases read the whole table.
        found.update(dict.fromkeys(rows.filter(way).order_by("-pk").values_list("pk", flat=True)[:MOST]))
    for attempt in Attempt.objects.using(using).filter(request_id=term).order_by("-started_at")[:MOST_ATTEMPTS]:
        sent = newest(rows.filter(sent_by(attempt)), EventFilter(attempt=attempt.pk), most=MOST)
        found.update(dict.fromkeys(sent.pks))
    return list(found)[:MOST]


MOST_EXPORTED = 100_000
PAGE_ROWS = 1_000
MOST_LOOKS = 1_000
"""The most scans of an export; each scans at most 222,000 keys."""

_COLUMNS = (
    *("pk", "pixel_code", "name", "event_id", "event_time", "state", "note", "value", "currency"),
    *("object_label", "object_pk", "match_keys", "attempts", "created_at", "delivered_at"),
    *("browser_at", "browser_confirmed_at", "last_attempt__code", "last_attempt__message"),
)
HEAD = (
    *("recorded", "happened", "state", "event", "event_id", "pixel", "value", "currency", "object"),
    *("attempts", "delivered", "browser_shown", "browser_confirmed", "match_keys", "note"),
    *("last_code", "last_message"),
)


def lines(rows: QuerySet[OutboxEvent], asked: ListQuery) -> Iterator[str]:
    """Yield pieces of the file, newest event first, at most `MOST_EXPORTED` events. A last line says if it was cut."""
    yield csv_text([HEAD])
    left = MOST_EXPORTED
    for pks in _pages(rows, asked):
        found = rows.filter(pk__in=pks[:left]).order_by("-pk").values_list(*_COLUMNS)
        yield csv_text((_line(dict(zip(_COLUMNS, row, strict=True))) for row in found), mark=False)
        left -= len(pks)
        if left <= 0:
            text = gettext("The newest %(count)d events; choose days to export others.") % {"count": MOST_EXPORTED}
            yield csv_text([[text]], mark=False)
            return


def _pages(rows: QuerySet[OutboxEvent], asked: ListQuery) -> Iterator[list[int]]:
    before: int | None = None
    for _turn in range(MOST_LOOKS):
        found = _next(rows, asked, before)
        if found.pks:
            yield found.pks
            before = found.pks[-1]
        if len(found.pks) < PAGE_ROWS:
            if found.looked_to is None:
                return
            before = found.looked_to


def _next(rows: QuerySet[OutboxEvent], asked: ListQuery, before: int | None) -> KeysetPage:
    if not asked.is_search:
        return newest(rows, asked.event_filter, most=PAGE_ROWS, before=before)
    further = rows if before is None else rows.filter(pk__lt=before)
    return KeysetPage(pks=list(further.order_by("-pk").values_list("pk", flat=True)[:PAGE_ROWS]))


def _line(row: dict[str, Any]) -> list[object]:
    subject = f"{row['object_label']}:{row['object_pk']}" if row["object_label"] else ""
    return [
        *(_stamp(row["created_at"]), _stamp(moment(row["event_time"])), row["state"], row["name"], row["event_id"]),
        *(row["pixel_code"], row["value"], row["currency"], subject, row["attempts"]),
        *(_stamp(row["delivered_at"]), _stamp(row["browser_at"]), _stamp(row["browser_confirmed_at"])),
        *(" ".join(keys_of_bits(row["match_keys"])), row["note"]),
        *(row["last_attempt__code"], row["last_attempt__message"]),
    ]


def _stamp(when: datetime | None) -> str:
    if when is None:
        return ""
    return here(when).isoformat(timespec="seconds")
