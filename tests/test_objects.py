"""Rows are found by the objects that they tell of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.samples import row
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot, events_of, events_of_key, snapshots_of

pytestmark = pytest.mark.django_db
ORDER, OTHER, MEMBER = ("shop.Order", "1"), ("shop.Order", "2"), ("shop.Member", "2")


@pytest.fixture(params=["events", "snapshots"])
def found(request: pytest.FixtureRequest) -> Any:
    """Gives the pairs of those rows, of one for each of the three objects, that these objects choose."""
    for number, (label, key) in enumerate([ORDER, OTHER, MEMBER]):
        row(number, object_label=label, object_pk=key).save()
        VisitorSnapshot.objects.create(object_label=label, object_pk=key, signals="{}")
    model, condition = (OutboxEvent, events_of) if request.param == "events" else (VisitorSnapshot, snapshots_of)

    def pairs(objects: Any) -> set[tuple[str, str]]:
        return set(model.objects.filter(condition(objects)).values_list("object_label", "object_pk"))

    return pairs


@pytest.mark.parametrize("objects", [[], [ORDER], [ORDER, MEMBER], [ORDER, OTHER, MEMBER]])
def test_each_pair_chooses_its_own_rows(found: Any, objects: list[tuple[str, str]]) -> None:
    assert found(objects) == set(objects)


def test_a_key_goes_with_its_own_label_only(found: Any) -> None:
    assert found([("shop.Member", "1"), ("shop.Order", "3")]) == set()


def test_there_may_be_thousands(found: Any) -> None:
    assert found([ORDER, *(("shop.Order", f"x{number}") for number in range(3000))]) == {ORDER}


def test_a_key_alone_chooses_whatever_model(found: Any) -> None:
    labels = OutboxEvent.objects.filter(events_of_key("2")).values_list("object_label", flat=True)
    assert set(labels) == {"shop.Order", "shop.Member"}


def test_a_row_that_is_saved_with_another_key_is_found_by_that(found: Any) -> None:
    changed = OutboxEvent.objects.get(events_of([ORDER]))
    changed.object_pk = "9"
    changed.save()
    assert OutboxEvent.objects.filter(events_of([("shop.Order", "9")])).exists()
    assert not OutboxEvent.objects.filter(events_of([ORDER])).exists()
