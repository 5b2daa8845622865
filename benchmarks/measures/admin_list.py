"""P7: the admin's list of events, in a small table and in a large one."""

from __future__ import annotations

from functools import partial
from statistics import median

from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks.measured import Measured
from benchmarks.measures.sized import sized
from benchmarks.rounds import microseconds, take_turns
from benchmarks.routing import reading_from
from benchmarks.setup import Setup

_SMALL, _LARGE = 3, 6
_WARM_UP = 2


def by_table_size(setup: Setup) -> Measured:
    """The whole page, as Django's test client gets it."""
    aliases = {power: sized(power) for power in (_SMALL, _LARGE)}
    client = Client()
    client.force_login(User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)[0])
    contestants = {alias: partial(_milliseconds, client, alias) for alias in aliases.values()}
    figures = take_turns(6 * setup.scale.rounds + _WARM_UP, contestants)
    small, large = (figures[aliases[power]][_WARM_UP:] for power in (_SMALL, _LARGE))
    counts = _unbounded_counts(client, aliases[_LARGE])
    note = f"10^{_SMALL} rows {median(small):.0f} ms, 10^{_LARGE} rows {median(large):.0f} ms; "
    note += f"counts the table: {counts[0]}" if counts else "no COUNT over the table"
    return Measured.of_rounds(large, small, note=note, aim_also=not counts)


def _get(client: Client, alias: str) -> None:
    with reading_from(alias):
        answer = client.get(reverse("admin:tiktok_attribution_outboxevent_changelist"))
    if answer.status_code != 200:
        raise AssertionError(f"the list answers {answer.status_code}")


def _milliseconds(client: Client, alias: str) -> float:
    return microseconds(partial(_get, client, alias), 1) / 1000


def _unbounded_counts(client: Client, alias: str) -> list[str]:
    with CaptureQueriesContext(connections[alias]) as queries:
        _get(client, alias)
    statements = [str(query["sql"]) for query in queries.captured_queries]
    return [sql for sql in statements if "COUNT(" in sql.upper() and "LIMIT" not in sql.upper()]
