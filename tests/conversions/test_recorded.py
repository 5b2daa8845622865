"""A row lives and dies with the transaction of its object, and tells what stands at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client, RequestFactory

from tests.conversions.samples import PLAIN, PURCHASE, body, paid, row, rows, sent_properties, with_line
from tests.shop.models import Order
from tests.visitor.undone import rolled_back
from tiktok_attribution import tasks
from tiktok_attribution.conversions import recorded, registry
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot
from tiktok_attribution.signals import event_recorded
from tiktok_attribution.visitor.visitor import current_request, visitor_of

Configure = Callable[..., None]
committed = pytest.mark.django_db(transaction=True)
LINES = {"contents": PURCHASE["contents"]}


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(tasks, "wake_worker", lambda pixel_code, using: given.append(pixel_code))
    return given


@committed
def test_a_rollback_takes_the_row_along(configure: Configure) -> None:
    configure(PLAIN)
    with rolled_back():
        paid()
    assert rows() == []


@committed
def test_nothing_is_announced_before_the_commit_and_nothing_after_a_rollback(
    configure: Configure, hints: list[str]
) -> None:
    configure(PLAIN)
    with transaction.atomic():
        paid()
        assert hints == []
    assert len(hints) == 1
    with rolled_back():
        paid()
    assert len(hints) == 1


@committed
def test_an_order_that_is_paid_again_after_a_rollback_of_a_savepoint_counts(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = Order.objects.create(total=5)
        with rolled_back():
            order.status = "paid"
            order.save()
        assert rows() == []
        order.save()
    assert body()["event_id"] == f"order-{order.pk}"


@committed
def test_an_order_that_is_paid_again_after_a_rollback_of_everything_counts(configure: Configure) -> None:
    configure(PLAIN)
    order = Order.objects.create(total=5)
    with rolled_back():
        order.status = "paid"
        order.save()
    order.save()
    assert body()["event_id"] == f"order-{order.pk}"


@committed
def test_nothing_is_remembered_after_the_commit(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid()
        (conversion,) = registry.of(Order)
        assert recorded.find_recorded(conversion, order.pk, using="default") is not None
    assert recorded.find_recorded(conversion, order.pk, using="default") is None


@committed
def test_lines_saved_after_the_order_are_in_the_event(configure: Configure) -> None:
    configure({**PLAIN, **LINES})
    with transaction.atomic():
        with_line(paid())
    assert [item["content_id"] for item in sent_properties()["contents"]] == ["tea"]
    assert rows()[0].note == ""


@committed
def test_an_order_without_lines_says_what_that_costs(configure: Configure) -> None:
    configure({**PLAIN, **LINES})
    with transaction.atomic():
        paid()
    assert rows()[0].note == "contents are empty: catalogue ads can't tell what was bought."


@committed
def test_a_total_set_behind_our_back_is_in_the_event_with_its_lines(configure: Configure) -> None:
    configure({**PLAIN, **LINES})
    with transaction.atomic():
        order = with_line(paid(total=0))
        Order.objects.filter(pk=order.pk).update(total=F("total") + 12)
    assert sent_properties()["value"] == 12
    assert str(row().value) == "12.000000"


@committed
@pytest.mark.parametrize("save", [{}, {"update_fields": ["total"]}])
def test_a_total_saved_second_is_in_the_event(configure: Configure, save: Any) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid(total=0)
        order.total = 42
        order.save(**save)
    assert sent_properties()["value"] == 42


@committed
def test_a_total_saved_by_another_instance_is_in_the_event(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = Order.objects.get(pk=paid(total=0).pk)
        order.total = 42
        order.save()
    assert sent_properties()["value"] == 42


@committed
def test_a_stale_instance_saving_something_else_leaves_the_total(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid(total=0)
        stale = Order.objects.get(pk=order.pk)
        order.total = 42
        order.save()
        stale.save(update_fields=["email"])
    assert sent_properties()["value"] == 42


@committed
def test_a_rolled_back_change_of_the_total_is_not_in_the_event(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid(total=5)
        with rolled_back():
            order.total = 42
            order.save()
    assert sent_properties()["value"] == 5


@committed
def test_a_rolled_back_change_of_the_total_is_not_shown_either(configure: Configure) -> None:
    configure(PLAIN)
    request = RequestFactory().get("/checkout/")
    token = current_request.set(request)
    try:
        with transaction.atomic():
            order = paid(total=5)
            with rolled_back():
                order.total = 42
                order.save()
    finally:
        current_request.reset(token)
    (pixel_call,) = visitor_of(request).to_show
    assert pixel_call.call.properties["value"] == 5


@committed
def test_the_event_keeps_its_first_moment_when_it_is_built_again(configure: Configure, monkeypatch: Any) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid()
        first = row().event_time
        monkeypatch.setattr("tiktok_attribution.conversions.building.time", lambda: first + 60.0)
        order.save()
    assert body()["event_time"] == first


@committed
def test_what_has_been_sent_is_not_changed_any_more(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid(total=5)
        OutboxEvent.objects.update(attempts=1)
        order.total = 42
        order.save()
    assert str(row().value) == "5.000000"


@committed
def test_a_status_that_moves_on_within_the_transaction_did_happen(configure: Configure) -> None:
    configure(PLAIN)
    with transaction.atomic():
        order = paid()
        order.status = "shipped"
        order.save()
    assert body()["event"] == "Purchase"


@committed
def test_a_change_that_can_not_be_built_leaves_the_event_as_it_was(configure: Configure) -> None:
    configure({**PLAIN, "value": lambda order: order.total if order.total < 10 else "a lot"})
    with transaction.atomic():
        order = paid(total=5)
        order.total = 42
        order.save()
    assert sent_properties()["value"] == 5


@committed
def test_listeners_hear_of_the_final_event_after_the_commit(configure: Configure) -> None:
    heard: list[tuple[Any, bool]] = []

    def listen(event: OutboxEvent, using: str, **kwargs: Any) -> None:
        heard.append((event.payload, connection.in_atomic_block))

    configure({**PLAIN, **LINES})
    event_recorded.connect(listen)
    try:
        with transaction.atomic():
            with_line(paid())
    finally:
        event_recorded.disconnect(listen)
    assert [in_transaction for _, in_transaction in heard] == [False]
    assert '"content_id":"tea"' in heard[0][0]


@committed
@pytest.mark.faults
def test_a_listener_that_raises_breaks_no_checkout(configure: Configure, hints: list[str]) -> None:
    def listen(**kwargs: Any) -> None:
        raise ZeroDivisionError

    configure(PLAIN)
    event_recorded.connect(listen)
    try:
        with transaction.atomic():
            paid()
    finally:
        event_recorded.disconnect(listen)
    assert len(hints) == 1


@committed
@pytest.mark.parametrize("status", ["paid", "new"])
def test_a_rolled_back_order_leaves_nothing_for_the_browser(configure: Configure, settings: Any, status: str) -> None:
    configure(PLAIN)
    settings.ROOT_URLCONF = "tests.conversions.site"
    answer = Client().get("/failing/", {"status": status})
    assert answer.content == b"0 0"
    assert VisitorSnapshot.objects.count() == 0
    assert "tiktok_pending" not in answer.cookies


@committed
def test_under_atomic_requests_the_pixel_call_is_shown(configure: Configure, settings: Any) -> None:
    configure(PLAIN)
    settings.ROOT_URLCONF = "tests.conversions.site"
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        client = Client()
        order = client.get("/checkout/", {"status": "paid"}).content.decode()
        assert f"order-{order}" in client.get("/thanks/").content.decode()
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.mark.django_db
def test_in_a_test_whose_transaction_never_commits_the_pixel_call_is_shown(
    configure: Configure, client: Client, settings: Any
) -> None:
    configure(PLAIN)
    settings.ROOT_URLCONF = "tests.conversions.site"
    order = client.get("/checkout/", {"status": "paid"}).content.decode()
    assert f"order-{order}" in client.get("/thanks/").content.decode()


@committed
def test_without_autocommit_the_row_is_written_all_the_same(configure: Configure) -> None:
    configure(PLAIN)
    transaction.set_autocommit(False)
    try:
        paid()
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert len(rows()) == 1
