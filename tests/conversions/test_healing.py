from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conversions.samples import PIXEL, PLAIN, body, paid, row, rows
from tests.shop.models import Order
from tiktok_attribution.conversions.objects import heal
from tiktok_attribution.conversions.registry import of
from tiktok_attribution.models import OutboxEvent, State

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
BROKEN = {**PLAIN, "value": {"constant": -1}}


def test_saving_again_with_a_fixed_mapping_makes_the_invalid_row_wait(configure: Configure) -> None:
    configure(BROKEN)
    order = paid()
    invalid = row(state=State.INVALID)
    configure(PLAIN)
    order.save()
    assert (row().pk, row().state, row().note) == (invalid.pk, State.WAITING, "")


def test_it_keeps_the_moment_when_it_failed(configure: Configure) -> None:
    configure(BROKEN)
    order = paid()
    failed = row().event_time - 3600
    OutboxEvent.objects.update(event_time=failed)
    configure(PLAIN)
    order.save()
    assert body()["event_time"] == failed


def test_mending_the_object_heals_as_well(configure: Configure) -> None:
    configure(PLAIN)
    order = paid(total=-5)
    assert row().state == State.INVALID
    order.total = 5
    order.save()
    assert row().state == State.WAITING


def test_still_broken_it_tells_the_newest_reason(configure: Configure) -> None:
    configure(BROKEN)
    order = paid()
    configure({**PLAIN, "value": {"constant": "a lot"}})
    order.save()
    assert row().state == State.INVALID
    assert "not a plain number" in row().note


def test_a_row_without_pixel_is_called_off_when_there_is_one(configure: Configure) -> None:
    configure(PLAIN, PIXEL_CODE="")
    order = paid()
    configure(PLAIN)
    order.save()
    assert [(found.pixel_code, found.state) for found in rows()] == [("", State.CANCELLED), (PIXEL, State.WAITING)]
    assert rows()[0].note == f"Recorded again as order-{order.pk}."


def test_a_row_without_its_own_id_is_called_off_when_there_is_one(configure: Configure) -> None:
    configure({**PLAIN, "event_id": "customer_id"})
    order = paid()
    order.customer_id = "invoice-7"
    order.save()
    assert [(found.event_id, found.state) for found in rows()] == [
        (f"order-{order.pk}", State.CANCELLED),
        ("invoice-7", State.WAITING),
    ]


def test_another_conversion_of_the_same_name_is_left_alone(configure: Configure) -> None:
    configure([{**BROKEN, "label": "first"}, {**BROKEN, "label": "second"}])
    order = paid()
    configure([{**PLAIN, "label": "first"}, {**BROKEN, "label": "second"}])
    order.save()
    assert [found.state for found in rows()] == [State.WAITING, State.INVALID]


def test_what_was_never_recorded_has_nothing_to_heal(configure: Configure) -> None:
    order = paid()
    configure(PLAIN)
    (conversion,) = of(Order)
    assert heal(conversion, order, using="default") is None
    assert rows() == []
