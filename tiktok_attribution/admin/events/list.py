"""The list of events as Django's ChangeList, with pages by key: it neither counts nor skips rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest

from tiktok_attribution.admin.choice.list_query import AFTER, BEFORE, TERM, ListQuery, read_query
from tiktok_attribution.admin.readonly import IndexedList
from tiktok_attribution.admin.request_data import InvalidParameter
from tiktok_attribution.delivery.search import KeysetPage, newest, oldest
from tiktok_attribution.models import OutboxEvent


class EventList(IndexedList):
    """Reads neither the body nor the log of attempts: together they are most of a row.

    `older` and `newer` are query strings, "" where there is nothing; `looked_to` is when the oldest row was recorded
    that was looked at, where an end was made before the page was full.
    """

    asked: ListQuery
    older = ""
    newer = ""
    looked_to: datetime | None = None
    is_misplaced = False

    def get_filters_params(self, params: Any = None) -> Any:
        """Without the place in the list, which no link to another filter may keep."""
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
        shown = self.root_queryset.filter(pk__in=pks).order_by("-pk").defer("payload", "attempt_log")
        self.result_list = list(shown)
        self.result_count = len(self.result_list)
        self.full_result_count = self.result_count  # not counted; else a theme would call this page's number a result
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.queryset, size)

    @property
    def newest(self) -> str:
        """The first page."""
        return self.get_query_string()

    @property
    def is_cut(self) -> bool:
        """Whether more rows fit the choice than are shown."""
        return bool(self.older or self.newer)

    def _forget_term(self) -> None:
        """An e-mail address came by the address of the page: no link on it repeats that."""
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
        """Where the neighbouring pages are. What is at their edge is not known without another look, so a page that
        was reached from the other side links back without one."""
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
        near = OutboxEvent.objects.using(self.queryset.db).filter(pk__gte=pk).order_by("pk")
        return near.values_list("created_at", flat=True).first()


def _pks(rows: QuerySet[OutboxEvent], most: int) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:most])
