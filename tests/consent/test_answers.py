"""What a later answer does to what was held, and to what had been agreed to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.browser.reading import calls, tracked
from tests.consent.conftest import ASKED, PIXEL, counts, states
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.consent.types import Reason
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
from tiktok_attribution.delivery.manual import SkipReason, retry
from tiktok_attribution.delivery.retention import drop_unanswered, prune_all
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot

pytestmark = [pytest.mark.privacy, pytest.mark.django_db(transaction=True)]
Configure = Callable[..., None]


@pytest.fixture(autouse=True)
def _asked(configure: Configure) -> None:
    configure(CONSENT=ASKED)


def answer(client: Client, granted: str) -> Any:
    """The banner stores the answer and calls the hook, without a page load."""
    client.cookies["tiktok_consent"] = granted
    return client.post(
        "/tiktok/consent/",
        json.dumps({"search": "?ttclid=E.C.P.late"}),
        content_type="application/json",
        HTTP_ORIGIN="http://testserver",
    )


def test_both_channels_go_out_with_their_own_time_and_id_once_agreed(client: Client) -> None:
    client.post("/lead/")
    (awaiting,) = OutboxEvent.objects.all()
    assert (awaiting.state, awaiting.due_at) == ("awaiting_consent", None)
    client.cookies["tiktok_consent"] = "granted"
    page = client.get("/page/")
    (row,) = OutboxEvent.objects.all()
    assert (row.state, row.event_time, row.payload) == ("waiting", awaiting.event_time, awaiting.payload)
    assert [call.event_id for call in calls(page) if call.method == "track"] == ["lead-1"]
    assert "private" in page["Cache-Control"]


def test_the_hook_hands_over_what_was_held_without_a_page(client: Client) -> None:
    client.post("/lead/")
    response = answer(client, "granted")
    assert response.json() == {
        "calls": [[PIXEL, "track", ["Lead", {"value": 5, "currency": "EUR"}, {"event_id": "lead-1"}]]]
    }
    assert states() == ["waiting"]
    assert response.cookies["ttclid"].value == "E.C.P.late"
    assert tracked(client.get("/page/")) == []


def test_a_denial_drops_what_was_held(client: Client) -> None:
    client.post("/lead/")
    response = answer(client, "denied")
    assert response.json() == {"calls": []}
    assert (states(), counts()) == ([], {"withdrawn": 1})
    assert "ttclid" not in response.cookies


@pytest.mark.parametrize("hours", [24, 0])
def test_a_withdrawal_takes_back_what_was_not_sent_yet(client: Client, configure: Configure, hours: int) -> None:
    configure(CONSENT=ASKED, AWAITING_CONSENT_HOURS=hours)
    client.cookies["tiktok_consent"] = "granted"
    client.post("/lead/")
    client.get("/page/")  # its pixel call was shown
    assert states() == ["waiting"]
    answer(client, "denied")
    assert (states(), counts()) == ([], {"withdrawn": 1})


def test_a_withdrawal_ends_what_was_tried_before(client: Client) -> None:
    client.cookies["tiktok_consent"] = "granted"
    client.post("/lead/")
    OutboxEvent.objects.update(attempts=1)
    answer(client, "denied")
    (row,) = OutboxEvent.objects.all()
    assert (row.state, row.payload, row.due_at) == ("cancelled", "", None)


def test_a_withdrawal_takes_the_click_id_away(client: Client) -> None:
    client.cookies["tiktok_consent"] = "granted"
    client.get("/page/?ttclid=E.C.P.click")
    assert answer(client, "denied").cookies["ttclid"]["max-age"] == 0


def writes(queries: CaptureQueriesContext) -> list[str]:
    verbs = ("INSERT", "UPDATE", "DELETE", "REPLACE")
    return [one["sql"] for one in queries.captured_queries if one["sql"].lstrip().upper().startswith(verbs)]


@pytest.mark.hostile
@pytest.mark.parametrize("agreed", ["granted", ""])
def test_a_refusal_costs_the_same_however_much_it_takes_back_and_again_it_changes_nothing(
    agreed: str, client: Client
) -> None:
    client.cookies["tiktok_consent"] = agreed
    cost: dict[int, int] = {}
    for many in (2, 40):
        for _ in range(many):
            client.post("/order/")
        cookie = client.cookies["tiktok_pending"].value
        with CaptureQueriesContext(connection) as first:
            answer(client, "denied")
        assert len(writes(first)) == 1
        cost[many] = len(first)
        client.cookies["tiktok_pending"] = cookie
        with CaptureQueriesContext(connection) as again:
            answer(client, "denied")
        assert (writes(again), len(again) <= len(first)) == ([], True)
        client.cookies["tiktok_consent"] = agreed
    assert cost[2] == cost[40]
    reasons = [
        json.loads(one)["decision"]["reason"] for one in VisitorSnapshot.objects.values_list("signals", flat=True)
    ]
    assert reasons == ["withdrawn"] * 42


@pytest.mark.hostile
def test_a_refusal_for_objects_without_a_snapshot_is_noted_once(client: Client) -> None:
    for _ in range(3):
        client.post("/order/")
    cookie = client.cookies["tiktok_pending"].value
    VisitorSnapshot.objects.all().delete()
    for _ in range(2):
        client.cookies["tiktok_pending"] = cookie
        answer(client, "denied")
    assert VisitorSnapshot.objects.count() == 3


def test_nobody_else_can_answer(client: Client) -> None:
    client.post("/lead/")
    client.cookies["tiktok_consent"] = "granted"
    for origin in ("https://evil.example", "null", ""):
        response = client.post("/tiktok/consent/", HTTP_ORIGIN=origin)
        assert response.status_code == 403
    assert client.get("/tiktok/consent/").status_code == 405
    assert states() == ["awaiting_consent"]


def test_the_body_of_the_hook_grants_nothing(client: Client) -> None:
    client.post("/lead/")
    client.post(
        "/tiktok/consent/", '{"granted": true}', content_type="application/json", HTTP_ORIGIN="http://testserver"
    )
    assert states() == ["awaiting_consent"]


def test_another_visitors_answer_releases_nothing(client: Client) -> None:
    client.post("/lead/")
    other = Client()
    answer(other, "granted")
    other.get("/page/")
    assert states() == ["awaiting_consent"]


@pytest.mark.parametrize("sweep", [drop_unanswered, prune_all])
def test_without_an_answer_only_a_count_is_left(sweep: Callable[..., Any], client: Client) -> None:
    client.post("/lead/")
    sweep(now=time.time() + 23 * 3600)
    assert states() == ["awaiting_consent"]
    sweep(now=time.time() + 25 * 3600)
    assert (states(), counts()) == ([], {"no answer": 1})


def test_an_answer_that_comes_too_late_releases_nothing(client: Client) -> None:
    client.post("/lead/")
    text = client.cookies["tiktok_pending"].value
    client.cookies["tiktok_consent"] = "granted"
    with patch("time.time", return_value=time.time() + 25 * 3600):
        client.cookies["tiktok_pending"] = text
        client.get("/page/")
    assert states() == ["awaiting_consent"]


def test_where_nothing_is_held_it_is_dropped_at_once(client: Client, configure: Configure) -> None:
    configure(CONSENT=ASKED, AWAITING_CONSENT_HOURS=0)
    client.post("/lead/")
    assert (states(), counts()) == ([], {"no answer": 1})
    assert "tiktok_pending" not in client.cookies


def test_a_held_event_is_nobodys_to_send(client: Client) -> None:
    client.post("/lead/")
    outcome = retry(OutboxEvent.objects.all(), now=time.time())
    assert (list(outcome.refused), states()) == ([SkipReason.AWAITING_CONSENT], ["awaiting_consent"])


@pytest.mark.parametrize(
    ("at_order", "later", "state", "counted"),
    [
        ("granted", "", ["waiting"], {}),
        ("denied", "", [], {"denied": 1}),
        ("", "", ["awaiting_consent"], {}),
        ("", "granted", ["waiting"], {}),
        ("", "denied", [], {"withdrawn": 1}),
        ("granted", "denied", [], {"withdrawn": 1}),
    ],
)
def test_an_order_paid_by_webhook_keeps_its_shoppers_answer(
    at_order: str, later: str, state: list[str], counted: dict[str, int], client: Client
) -> None:
    if at_order:
        client.cookies["tiktok_consent"] = at_order
    client.post("/order/")
    if later:
        answer(client, later)
    order = Order.objects.get()
    Client(REMOTE_ADDR="198.51.100.7").post(f"/hooks/pay/?order={order.pk}")
    assert states() == state
    assert {reason: many for reason, many in counts().items() if reason != "withdrawn"} == {
        reason: many for reason, many in counted.items() if reason != "withdrawn"
    }


def test_an_answer_after_the_webhook_releases_the_order(client: Client) -> None:
    client.post("/order/")
    Client().post(f"/hooks/pay/?order={Order.objects.get().pk}")
    assert states() == ["awaiting_consent"]
    found = answer(client, "granted").json()["calls"]
    assert ([call[2][0] for call in found if call[1] == "track"], states()) == (["Purchase"], ["waiting"])


def test_a_refused_order_is_not_found_by_the_backfill(client: Client, configure: Configure) -> None:
    configure(CONVERSIONS={"shop.Order": {"event": "Purchase", "time": "created_at"}}, CONSENT=None)
    client.post("/order/", HTTP_SEC_GPC="1")
    assert (states(), counts()) == ([], {"opt-out": 1})
    (conversion,) = every()
    assert backfill(conversion, using="default") == {"refused": 1}
    assert (states(), counts()) == ([], {"opt-out": 1})


def test_nobody_there_is_no_consent() -> None:
    track(None, "Lead", page_url="https://shop.example/")
    assert (states(), counts()) == ([], {"no visitor": 1})
    track(None, "Lead", page_url="https://shop.example/", consent=True)
    track(None, "Lead", page_url="https://shop.example/", consent=False)
    assert (states(), counts()) == (["waiting"], {"no visitor": 1, "denied": 1})


@pytest.mark.parametrize(("field", "expected"), [("yes", ["waiting"]), ("no", []), ("", [])])
def test_an_order_may_know_its_persons_consent(field: str, expected: list[str], configure: Configure) -> None:
    known = {"yes": True, "no": False}
    configure(CONVERSIONS={"shop.Order": {"event": "Purchase", "consent": lambda order: known.get(order.customer_id)}})
    Order.objects.create(customer_id=field, total=5)
    assert states() == expected


def test_a_vetoed_object_is_told_to_nobody(configure: Configure, client: Client) -> None:
    client.cookies["tiktok_consent"] = "granted"
    configure(CONVERSIONS={"shop.Order": {"event": "Purchase", "skip": lambda order: True}})
    client.post("/order/")
    assert (states(), counts()) == ([], {"veto": 1})


@pytest.mark.parametrize(
    ("headers", "path", "reason"),
    [
        ({"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, "/lead/", Reason.BOT),
        ({"HTTP_SEC_PURPOSE": "prefetch"}, "/lead/", Reason.PREFETCH),
        ({}, "/clinic/", Reason.PRIVATE_PATH),
    ],
)
def test_what_is_no_visit_is_told_to_nobody(
    headers: dict[str, str], path: str, reason: Reason, configure: Configure, client: Client
) -> None:
    configure(CONSENT=None, PRIVATE_PATHS=["/clinic/"])
    response = client.get(path, {"ttclid": "E.C.P.click"}, **headers)
    assert (states(), counts()) == ([], {reason.value: 1})
    assert "ttclid" not in response.cookies


def test_a_private_page_holds_no_pixel_and_is_nobodys_referrer(configure: Configure, client: Client) -> None:
    configure(CONSENT=None, PRIVATE_PATHS=["/clinic/"])
    assert b"ttq" not in client.get("/clinic/").content
    client.post("/lead/", HTTP_REFERER="http://testserver/clinic/results/")
    (row,) = OutboxEvent.objects.all()
    assert "clinic" not in row.payload


@pytest.mark.parametrize("key", ["CONSENT", "CONSNT", "OPT_OUT", "PRIVATE_PATHS"])
def test_a_slip_in_a_protecting_setting_opens_nothing(key: str, configure: Configure, client: Client) -> None:
    configure(**{"CONSENT": None, key: 7})
    client.post("/lead/")
    assert states() == ["awaiting_consent"]
    assert b'"state":"unknown"' in client.get("/page/").content


@pytest.mark.parametrize(
    ("word", "reason"),
    [("consent", "denied"), ("skip", "veto")],
)
def test_a_no_at_the_second_save_of_a_transaction_takes_the_event_back(
    word: str, reason: str, configure: Configure, client: Client
) -> None:
    def says(order: Order) -> bool:
        return (order.customer_id == "no") is (word == "skip")

    configure(CONSENT=None, CONVERSIONS={"shop.Order": {"event": "Purchase", word: says}})
    with transaction.atomic():
        order = Order.objects.create(customer_id="yes", total=5)
        order.customer_id = "no"
        order.save()
    assert (states(), counts()) == ([], {reason: 1})


def test_more_than_a_handful_of_events_wait_for_an_answer(configure: Configure, client: Client) -> None:
    configure(CONSENT=ASKED)
    for number in range(50):
        client.post(f"/lead/?event_id=lead-{number}")
    client.cookies["tiktok_consent"] = "granted"
    client.get("/page/")
    assert states() == ["waiting"] * 50


def test_a_callable_that_fails_is_no_consent(configure: Configure, client: Client) -> None:
    def failing(request: Any) -> bool:
        raise LookupError

    configure(CONSENT=failing)
    client.post("/lead/")
    assert states() == ["awaiting_consent"]


def test_a_page_that_depends_on_a_callable_is_private(configure: Configure, client: Client) -> None:
    configure(CONSENT=lambda request: request.GET.get("ads") == "1")
    for query, state in (("?ads=1", "granted"), ("", "denied")):
        page = client.get(f"/page/{query}")
        assert f'"state":"{state}"' in page.content.decode()
        assert "private" in page["Cache-Control"]


def test_a_page_that_is_shown_again_hears_the_answer_that_only_the_server_knows(
    configure: Configure, client: Client
) -> None:
    configure(CONSENT=lambda request: {"yes": True, "no": False}.get(request.COOKIES.get("hidden", "")))
    for value, state in (("yes", "granted"), ("no", "denied"), ("", "unknown")):
        client.cookies["hidden"] = value
        assert answer(client, "").json() == {"calls": [], "state": state}


def test_with_a_cookie_rule_every_visitor_gets_the_same_page(client: Client) -> None:
    plain = client.get("/page/")
    texts = set()
    for value in ("", "granted", "denied"):
        client.cookies["tiktok_consent"] = value
        response = client.get("/page/", HTTP_SEC_GPC="1" if value else "0")
        texts.add(response.content)
        assert "Cache-Control" not in response
        assert not response.cookies
    assert texts == {plain.content}


@pytest.mark.parametrize("hold", [True, False])
def test_the_click_id_is_kept_before_an_answer_only_where_the_site_says_so(
    hold: bool, configure: Configure, client: Client
) -> None:
    configure(CONSENT=ASKED, HOLD_CLICK_ID=hold)
    response = client.get("/page/?ttclid=E.C.P.click")
    assert ("ttclid" in response.cookies) == hold
    if hold:
        assert response.cookies["ttclid"]["max-age"] == ""


def test_an_old_snapshot_has_no_answer(client: Client) -> None:
    Order.objects.create(total=5)
    order = Order.objects.get()
    signals = json.dumps({"user": {}, "page": {}, "pixel_codes": None})
    VisitorSnapshot.objects.create(object_label="shop.Order", object_pk=str(order.pk), signals=signals)
    Client().post(f"/hooks/pay/?order={order.pk}")
    assert counts() == {"no visitor": 1}
