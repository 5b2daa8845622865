"""Outside of a transaction a page reads and marks its events at once, and gives back what it does not carry."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.browser.reading import tracked
from tests.shop.models import Order
from tiktok_attribution.browser.page_response import Handover
from tiktok_attribution.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

PURCHASE = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def shown() -> list[bool]:
    return [event.browser_at is not None for event in OutboxEvent.objects.order_by("pk")]


def ours(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if "tiktok_attribution_outboxevent" in query["sql"]]


def test_a_page_costs_one_statement_where_the_engine_can(client: Client) -> None:
    client.post("/lead/")
    with CaptureQueriesContext(connection) as queries:
        assert tracked(client.get("/page/")) == ["Lead"]
    assert len(ours(queries)) == (1 if connection.vendor == "postgresql" else 2)
    assert shown() == [True]


def test_a_later_page_marks_nothing_again(client: Client) -> None:
    client.post("/lead/")
    client.get("/page/")
    before = OutboxEvent.objects.get().browser_at
    assert tracked(client.get("/page/")) == []
    assert OutboxEvent.objects.get().browser_at == before


@pytest.mark.parametrize("kind", ["json", "redirect", "error", "nothing", "download", "raise"])
def test_what_no_page_carries_is_given_back(client: Client, kind: str) -> None:
    client.post("/lead/")
    client.get(f"/thrown-away/?as={kind}")
    assert shown() == [False]
    assert tracked(client.get("/page/")) == ["Lead"]
    assert shown() == [True]


@pytest.mark.parametrize("kind", ["json", "error", "raise"])
def test_also_of_an_object_that_became_a_conversion_meanwhile(client: Client, settings: object, kind: str) -> None:
    options = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"shop.Order": PURCHASE}}  # type: ignore[attr-defined]
    settings.TIKTOK_ATTRIBUTION = options  # type: ignore[attr-defined]
    client.post("/order/")
    order = Order.objects.get()
    order.status = "paid"
    order.save()  # a webhook
    client.get(f"/thrown-away/?as={kind}")
    assert shown() == [False]
    assert tracked(client.get("/page/")) == ["Purchase"]


def test_a_process_that_dies_before_its_answer_loses_nothing(client: Client) -> None:
    client.post("/lead/")
    with patch.object(Handover, "settle", side_effect=SystemExit), suppress(SystemExit):
        client.get("/page/")
    assert tracked(client.get("/page/")) == ["Lead"]


def test_inside_a_transaction_no_row_is_locked_while_the_view_runs(client: Client) -> None:
    client.post("/lead/")
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        client.get("/page/")
    reads, *marks = ours(queries)
    assert "UPDATE" not in reads
    assert len(marks) == 1
