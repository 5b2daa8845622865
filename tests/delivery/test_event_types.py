from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.delivery.samples import row, store
from tiktok_attribution.delivery import event_search
from tiktok_attribution.delivery.event_search import EventType, event_types

pytestmark = pytest.mark.django_db


def test_nothing_stored_is_no_kind() -> None:
    assert list(event_types("default")) == []


def test_each_pixel_and_name_is_found_once() -> None:
    store([row(number, name=name, pixel_code=code) for number in range(3) for name in "XY" for code in ("A", "B")])

    assert sorted(event_types("default")) == [
        EventType("A", "X"),
        EventType("A", "Y"),
        EventType("B", "X"),
        EventType("B", "Y"),
    ]


def test_looks_are_as_many_as_types_whatever_the_rows() -> None:
    store([row(number, name=name) for number in range(50) for name in "XY"])
    with CaptureQueriesContext(connection) as queries:
        assert len(list(event_types("default"))) == 2

    assert len(queries) == 3


def test_looks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_search, "MOST", 3)
    store([row(number, name=f"name {number}") for number in range(5)])

    assert len(list(event_types("default"))) == 3
