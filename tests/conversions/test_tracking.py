from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory

from tests.conversions.samples import EMAIL, PIXEL, SECOND_PIXEL, body, row, rows
from tests.visitor.undone import rolled_back
from tiktok_attribution import paused, track
from tiktok_attribution.conversions.tracking import track_event
from tiktok_attribution.events.hashing import email_sha256, phone_sha256
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import State
from tiktok_attribution.visitor.visitor import visitor_of

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("configure")]


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get(
        "/product/?ttclid=E.C.P.1&email=jane@example.com", REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT="Agent/1"
    )


def test_with_a_request_both_channels_are_recorded(request_: HttpRequest) -> None:
    recorded = track_event(
        request_,
        "AddToCart",
        more_properties={"value": "19.90", "currency": "EUR", "contents": [{"content_id": "tea"}]},
    )
    assert recorded is not None
    assert recorded.pixel_call is not None
    assert visitor_of(request_).to_show == [recorded.pixel_call]
    assert row().wants_browser
    assert recorded.pixel_call.call.event_id == body()["event_id"]
    assert dict(recorded.pixel_call.call.properties) == body()["properties"]


def test_the_visitor_and_the_page_are_the_requests(request_: HttpRequest) -> None:
    track(request_, "AddToCart")
    assert body()["user"] == {"ttclid": "E.C.P.1", "ip": "81.2.69.142", "user_agent": "Agent/1"}
    assert body()["page"]["url"] == "http://testserver/product/?ttclid=E.C.P.1"


def test_without_a_request_there_is_only_a_server_event() -> None:
    recorded = track_event(
        None, "Lead", user={"email": EMAIL, "phone": "+49 151 12345678"}, page_url="https://a.example/x#y"
    )
    assert recorded is not None
    assert recorded.pixel_call is None
    assert not row().wants_browser
    assert body()["user"] == {"email": email_sha256(EMAIL), "phone": phone_sha256("+4915112345678")}
    assert body()["page"] == {"url": "https://a.example/x"}


def test_without_a_page_the_site_is_named() -> None:
    track(None, "Lead")
    assert body()["page"] == {"url": "https://shop.example/"}


def test_an_id_of_its_own_counts_once(request_: HttpRequest) -> None:
    assert track(request_, "Lead", event_id=" form-7") == ["form-7"]
    assert track(request_, "Lead", event_id=" form-7 ") == []
    assert track(None, "Contact", event_id="form-7")
    assert [(one.name, one.event_id) for one in rows()] == [("Lead", "form-7"), ("Contact", "form-7")]


def test_the_row_and_the_payload_have_the_same_id() -> None:
    track(None, "Lead", event_id=" form-7 ")
    assert row().event_id == body()["event_id"] == "form-7"


def test_without_an_id_every_call_counts() -> None:
    track(None, "Lead")
    track(None, "Lead", event_id="")
    assert len({one.event_id for one in rows()}) == 2


def test_a_number_is_an_id_even_zero() -> None:
    track(None, "Lead", event_id=0)
    assert row().event_id == "0"


def test_an_older_name_becomes_the_current_one() -> None:
    track(None, "CompletePayment")
    assert row().name == body()["event"] == "Purchase"


@pytest.mark.parametrize("pixels", [SECOND_PIXEL, [SECOND_PIXEL]])
def test_pixels_may_be_named(pixels: Any) -> None:
    track(None, "Lead", pixels=pixels)
    assert [one.pixel_code for one in rows()] == [SECOND_PIXEL]


def test_a_pixel_named_twice_counts_once() -> None:
    track(None, "Lead", pixels=[PIXEL, PIXEL])
    assert len(rows()) == 1


@pytest.mark.parametrize(
    ("channels", "state", "shown"),
    [("both", State.WAITING, True), ("server", State.WAITING, False), ("browser", State.BROWSER_ONLY, True)],
)
def test_channels_may_be_chosen(request_: HttpRequest, channels: str, state: str, shown: bool) -> None:
    recorded = track_event(request_, "Lead", channels=channels)
    assert recorded is not None
    assert (row().state, recorded.pixel_call is not None) == (state, shown)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"event": "purchase"}, 'event name "purchase": case counts, did you mean "Purchase"?'),
        ({"event": EMAIL}, "event name (not shown) may hold only letters"),
        ({"event": 7}, "an event name is text, not int"),
        ({"channels": "server side"}, "channels is not one of both, server, browser."),
        ({"channels": "browser"}, 'channels is "browser", but there is no visitor whose page could show it'),
        ({"event_id": EMAIL}, "event_id holds an e-mail address"),
        ({"event_id": "x" * 200}, "event_id has 200 characters"),
        ({"user": {"emial": EMAIL}}, "user has no key 'emial'. Known keys: email"),
        ({"user": {EMAIL: "email"}}, "user has no key (not shown)."),
        ({"value": "a lot", "currency": "EUR"}, "value: the amount is not a plain number"),
        ({"event_time": "yesterday"}, "event_time is not ISO text"),
        ({"properties": 7}, "TypeError was raised at"),
    ],
)
def test_bad_arguments_are_recorded_as_invalid_and_raise_nothing(arguments: dict[str, Any], reason: str) -> None:
    assert track(None, **{"event": "Lead", **arguments}) == []
    assert row().state == State.INVALID
    assert reason in row().note


def test_one_bad_line_or_property_does_not_cost_the_purchase() -> None:
    lines = [
        {"content_id": "mug", "price": "20.00", "quantity": "2.0"},
        {"content_id": "voucher", "price": -10},
    ]
    assert track(None, "Purchase", value=30, currency="EUR", contents=lines, properties={"nested": {"a": 1}})
    found = row()
    assert (found.state, found.value) == (State.WAITING, 30)
    assert body()["properties"]["contents"] == [
        {"content_id": "mug", "content_type": "product", "price": 20, "quantity": 2}
    ]
    assert "contents[1] left out: its price is negative" in found.note
    assert "nested left out: must be text" in found.note


def test_a_page_view_has_no_pixel_call_beside_the_base_codes_own(request_: HttpRequest) -> None:
    recorded = track_event(request_, "Pageview")
    assert recorded is not None
    assert (row().state, row().wants_browser, recorded.pixel_call) == (State.WAITING, False, None)


def test_a_page_view_for_the_browser_alone_is_one_pixel_call(request_: HttpRequest) -> None:
    recorded = track_event(request_, "Pageview", channels="browser")
    assert recorded is not None
    assert recorded.pixel_call is not None


def test_strict_raises(configure: Configure) -> None:
    configure(STRICT=True)
    with pytest.raises(InvalidEvent, match="did you mean"):
        track(None, "purchase")


def test_a_long_address_loses_its_query(request_: HttpRequest) -> None:
    track(None, "Lead", page_url="https://a.example/" + "x" * 3000 + "?utm_source=a")
    assert len(body()["page"]["url"]) == 2000


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_track_is_neither_sent_nor_shown(request_: HttpRequest) -> None:
    with rolled_back():
        track(request_, "Lead")
    assert rows() == []
    assert visitor_of(request_).to_show == []


def test_an_unknown_database_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert track(None, "Lead", using="nowhere", event_id="x") == []
    assert "Lead x could not be recorded" in caplog.text


def test_nothing_is_tracked_while_paused_or_switched_off(configure: Configure) -> None:
    with paused():
        assert track(None, "Lead") == []
    configure(ENABLED=False)
    assert track(None, "Lead") == []
    assert rows() == []


@pytest.fixture
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.conversions.site"


@pytest.mark.usefixtures("_site")
def test_a_webhooks_request_gives_none_of_its_signals() -> None:
    Client(REMOTE_ADDR="89.160.20.112").post("/hooks/by-hand/?id=x")
    assert "user" not in body()
    assert body()["page"] == {"url": "https://shop.example/"}


@pytest.mark.usefixtures("_site")
def test_a_view_tells_whether_it_was_new() -> None:
    answers = [Client().get("/by-hand/", {"id": "x"}).content for _ in range(2)]
    assert answers == [b"True", b"False"]


@pytest.mark.usefixtures("_site")
def test_the_signed_in_user_is_matched_and_given_keys_are_added() -> None:
    client = Client()
    client.force_login(User.objects.create_user("jane", EMAIL))
    client.get("/by-hand/")
    assert body()["user"]["email"] == email_sha256(EMAIL)


def test_a_request_of_django_rest_framework_is_unwrapped(request_: HttpRequest) -> None:
    class Wrapped:
        _request = request_

    track(Wrapped(), "Lead")  # type: ignore[arg-type]
    assert len(visitor_of(request_).to_show) == 1


def test_a_shop_without_pixel_tracks_nothing(configure: Configure, request_: HttpRequest) -> None:
    configure(PIXEL_FOR_REQUEST=lambda request: None)
    assert track(request_, "Lead") == []
    assert rows() == []


def test_a_pixel_for_request_whose_query_fails_spoils_no_transaction(
    configure: Configure, request_: HttpRequest
) -> None:
    def broken(request: HttpRequest) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM no_such_table")
        return ""

    configure(PIXEL_FOR_REQUEST=broken)
    assert track(request_, "Lead")
    assert row().pixel_code == PIXEL
