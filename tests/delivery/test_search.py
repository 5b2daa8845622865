"""The walk where the newest keys hold too little and no more than an index can help."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.samples import PIXEL, fill, row, store
from tiktok_attribution.delivery import event_search
from tiktok_attribution.delivery.event_search import EventFilter, KeysetPage
from tiktok_attribution.models import OutboxEvent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kind is looked at, and a stretch is two keys wide."""
    for module in (event_search, event_search):
        monkeypatch.setattr(module, "MOST", 0)
    monkeypatch.setattr(event_search, "WIDTHS", (2,))
    store([row(1, name="A rare one")])
    fill(5, name="Purchase")
    store(row(number, name="Lead") for number in range(5))


def newest(**values: Any) -> KeysetPage:
    chosen = EventFilter(**values)
    return event_search.newest(chosen.rows(using="default"), chosen, most=10)


def test_a_name_of_more_types_than_are_looked_at_is_not_said_to_be_nowhere() -> None:
    found = newest(name="A rare one")

    assert found.pks == []
    assert found.looked_to is not None


def test_a_name_with_its_pixel_is_found_among_however_many_types() -> None:
    found = newest(name="A rare one", pixel_code=PIXEL)

    assert found == KeysetPage(pks=[OutboxEvent.objects.get(name="A rare one").pk])
