"""The events of a filter as CSV, streamed: what the list shows and the moments of both channels, nothing of the person.

Neither bodies nor hashes are read. `object` is the site's own key of the order or customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext

from tiktok_attribution.admin.choice.list_query import ListQuery
from tiktok_attribution.admin.display.moments import here
from tiktok_attribution.admin.display.spreadsheet import csv_text
from tiktok_attribution.delivery.search import KeysetPage, newest
from tiktok_attribution.events.hashing import keys_of_bits
from tiktok_attribution.models import OutboxEvent, moment

MOST_EXPORTED = 100_000
PAGE_ROWS = 1_000
MOST_LOOKS = 1_000
"""Of which each goes over 222,000 keys at most."""

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
    """Pieces of the file, the newest event first, `MOST_EXPORTED` at most; the last line then says that it was cut."""
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
    for _ in range(MOST_LOOKS):
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
