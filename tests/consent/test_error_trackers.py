"""Whatever is raised wherever: no report of it holds the token, a body, or a plain value of a person."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.management import call_command
from django.db import OperationalError
from django.test import RequestFactory

from tests.consent.conftest import PIXEL
from tests.consent.trackers import places, reports
from tests.delivery.samples import row as outbox_row
from tests.delivery.samples import store
from tests.delivery.wire import http as answered
from tests.delivery.wire import wire
from tests.shop.models import Order
from tiktok_attribution import conf, track
from tiktok_attribution.browser.tags import event_tag
from tiktok_attribution.conversions import receivers, registry
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.delivery import pixel_sender
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.doctor.pixels import send_test_event
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.privacy.person import person
from tiktok_attribution.visitor.matching import identified

pytestmark = [pytest.mark.privacy, pytest.mark.hostile, pytest.mark.django_db(transaction=True)]

TOKEN = "f" * 39 + "7"
EMAIL, PHONE, NAME = "marked.person@example.com", "+4915112345678", "Markedname"
DIGEST, CLICK = "5e" * 32, "E.C.P.markedclick"
OF_DELIVERY = (TOKEN, DIGEST, CLICK)
OF_PERSON = ("marked.person", PHONE[3:], NAME)

ERROR_TYPES: list[type[BaseException]] = [
    *(ValueError, SoftTimeLimitExceeded, KeyboardInterrupt),
    *(MemoryError, RecursionError, SystemExit),
]


def event_types(most: int = 6) -> Any:
    return pytest.mark.parametrize("kind", ERROR_TYPES[:most])


@contextmanager
def reported() -> Iterator[dict[str, str]]:
    """Reports of what the block raises; none where it raises nothing."""
    found: dict[str, str] = {}
    try:
        yield found
    except BaseException:  # noqa: BLE001 -- a signal's handler may raise anything, anywhere
        found.update(reports())


def is_clean(found: dict[str, str], marks: tuple[str, ...]) -> bool:
    for name, text in found.items():
        for mark in marks:
            at = text.find(mark)
            assert at < 0, f"{name}: {text[max(0, at - 400) : at + 100]}"
    return True


def raising(kind: type[BaseException]) -> Callable[..., Any]:
    def forced(*args: object, **kwargs: object) -> None:
        raise kind

    return forced


# ------------------------------------------------------------------------------------------------ what is sent


@pytest.fixture
def site(settings: Any) -> Iterator[str]:
    """The address of a server that takes everything; one event waits, and the token is marked."""
    settings.DEBUG = False
    ok = b'{"code": 0, "message": "OK", "request_id": "R1"}'
    with wire(lambda connection: connection.sendall(answered(ok))) as server:
        own = {"ACCESS_TOKEN": TOKEN, "API_URL": server.url, "PIXEL_CODE": PIXEL}
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **own}
        payload = {"event": "Lead", "event_id": "lead-1", "user": {"email": DIGEST, "ttclid": CLICK}}
        store([outbox_row(payload=json.dumps(payload), due_at=0, event_time=int(time.time()))])
        yield server.url


PLACES = [
    "requests.Session.post",
    "requests.adapters.HTTPAdapter.send",
    "requests.models.PreparedRequest.prepare_body",
    "urllib3.connectionpool.HTTPConnectionPool.urlopen",
    "urllib3.connection.HTTPConnection.endheaders",
    "http.client.HTTPConnection._encode_request",
    "http.client.HTTPConnection.send",
    "http.client.HTTPConnection._send_output",
    "http.client.HTTPResponse.begin",
    "requests.models.Response.iter_content",
    "tiktok_attribution.delivery.client.json.loads",
    "tiktok_attribution.delivery.client._read",
]
AROUND = [
    "tiktok_attribution.delivery.lane_sender.due_rows",
    "tiktok_attribution.delivery.lane_sender.take",
    "tiktok_attribution.delivery.post.request_body",
    "tiktok_attribution.delivery.post.judge",
    "tiktok_attribution.delivery.pixel_sender.Client",
    "tiktok_attribution.models.Attempt.save",
]


@event_types(3)
@pytest.mark.parametrize("place", [*PLACES, *AROUND])
def test_delivery_gives_nothing_away(
    place: str, kind: type[BaseException], site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reported() as found, monkeypatch.context() as patch:
        patch.setattr(place, raising(kind))
        pixel_sender.deliver(PIXEL, using="default")
    assert found or (place, kind) == ("tiktok_attribution.delivery.client.json.loads", ValueError)  # no JSON
    assert is_clean(found, OF_DELIVERY)


@event_types(2)
@pytest.mark.parametrize("place", PLACES)
def test_a_client_by_itself_gives_nothing_away(
    place: str, kind: type[BaseException], site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, body = conf.current().token_of(PIXEL), json.dumps({"email": DIGEST, "ttclid": CLICK}).encode()
    with Client(site, 5) as client, reported() as found, monkeypatch.context() as patch:
        patch.setattr(place, raising(kind))
        try:
            client.post(token, body)
        finally:
            token, body = "", b""
    assert is_clean(found, OF_DELIVERY)


@event_types()
def test_bytes_on_their_way_to_the_socket_give_nothing_away(
    kind: type[BaseException], site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the token stands in plain bytes that are http.client's own."""

    class Falling(socket.socket):
        def sendall(self, *args: Any) -> None:
            raise kind

    def connect(self: http.client.HTTPConnection) -> None:
        self.sock = Falling()

    with reported() as found, monkeypatch.context() as patch:
        patch.setattr("urllib3.connection.HTTPConnection.connect", connect)
        pixel_sender.deliver(PIXEL, using="default")
    assert found
    assert is_clean(found, OF_DELIVERY)


@event_types()
def test_a_test_event_gives_nothing_away(kind: type[BaseException], site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with reported() as found, monkeypatch.context() as patch:
        patch.setattr("http.client.HTTPConnection._send_output", raising(kind))
        send_test_event(PIXEL, "TEST1")
    assert found
    assert is_clean(found, OF_DELIVERY)


@event_types()
@pytest.mark.parametrize("place", ["tiktok_attribution.setting_validation.token", "tiktok_attribution.conf.Settings"])
def test_reading_the_settings_gives_nothing_away(
    place: str, kind: type[BaseException], site: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def token(pixel_code: str) -> str:
        return TOKEN

    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ACCESS_TOKEN": token}
    conf.current()
    for given in (TOKEN, token, {PIXEL: TOKEN}):
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ACCESS_TOKEN": given}
        with reported() as found, monkeypatch.context() as patch:
            patch.setattr(place, raising(kind))
            pixel_sender.deliver(PIXEL, using="default")
        assert is_clean(found, OF_DELIVERY)


def test_the_report_still_names_every_place(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out are values, and no frame."""
    with reported() as found, monkeypatch.context() as patch:
        patch.setattr("http.client.HTTPConnection._send_output", raising(SoftTimeLimitExceeded))
        pixel_sender.deliver(PIXEL, using="default")
    named = places(found["sentry"])
    assert [one for one in named if one in {"deliver", "post", "urlopen", "endheaders", "forced"}][-1] == "forced"
    assert {"deliver", "post", "urlopen", "endheaders"} <= set(named)
    assert "self.endheaders()" in found["sentry"]  # with the line of its source


# ------------------------------------------------------------------------------------------------ who it is of

PURCHASE = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "description": lambda order: f"for {order.email}, {order.phone}",
    "user": {"email": "email", "phone": "phone", "external_id": "customer_id", "first_name": "customer_id"},
}
HASHING = [
    "tiktok_attribution.events.hashing.hashlib.sha256",
    "tiktok_attribution.events.hashing.unicodedata.normalize",
    "tiktok_attribution.events.hashing.plain",
    "tiktok_attribution.visitor.matching.hash_many",
    "tiktok_attribution.visitor.matching.User",
]
BUILDING = [
    *HASHING,
    "tiktok_attribution.conversions.building.clean_properties",
    "tiktok_attribution.events.properties.free_text",
    "tiktok_attribution.events.sanitize.without_phones",
    "tiktok_attribution.conversions.recorded.event_text",
]


def order() -> Order:
    return Order(total=5, email=EMAIL, phone=PHONE, customer_id=NAME, status="paid")


@pytest.fixture
def shop(configure: Callable[..., None], settings: Any) -> Callable[..., None]:
    settings.DEBUG = False

    def shop(*, strict: bool = True, **changes: Any) -> None:
        configure(STRICT=strict, CONVERSIONS={"shop.Order": {**PURCHASE, **changes}}, ACCESS_TOKEN=TOKEN)
        receivers.connect()

    return shop


@event_types(2)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
@pytest.mark.parametrize("place", BUILDING)
def test_a_save_gives_nothing_away(
    place: str, strict: bool, kind: type[BaseException], shop: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(strict=strict)
    with reported() as found, monkeypatch.context() as patch:
        patch.setattr(place, raising(kind))
        order().save()
    assert bool(found) or not strict
    assert is_clean(found, OF_PERSON)


@event_types()
@pytest.mark.parametrize("key", ["description", "when", "event_id", "value", "time"])
def test_the_sites_own_callables_give_nothing_away(
    key: str, kind: type[BaseException], shop: Callable[..., None]
) -> None:
    def telling(order: Order) -> Any:
        who = f"{order.email} {order.phone} {order.customer_id}"
        if who:
            raise kind

    shop(**{key: telling})
    with reported() as found:
        order().save()
    assert found
    assert "telling" in places(found["sentry"])
    assert is_clean(found, OF_PERSON)


@event_types(2)
@pytest.mark.parametrize("place", HASHING)
@pytest.mark.parametrize("door", ["track", "signed in", "tag", "backfill", "erase", "a person"])
def test_no_other_door_gives_anything_away(
    door: str, place: str, kind: type[BaseException], shop: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop()
    sold = order()
    Order.objects.bulk_create([sold])
    (conversion,) = registry.of(Order)
    request = RequestFactory().get("/")
    doors: dict[str, Callable[[], Any]] = {
        "track": lambda: track(request, "Lead", user={"email": EMAIL, "phone": PHONE, "first_name": NAME}),
        "signed in": lambda: identified(sold, PURCHASE["user"]),  # type: ignore[arg-type]
        "tag": lambda: event_tag(request, "Search", server=True, search_string=f"{EMAIL} {PHONE} {NAME}"),
        "backfill": lambda: backfill(conversion, using="default", since_seconds=9),
        "erase": lambda: call_command("tiktok_erase", "--email", "-"),
        "a person": lambda: person([EMAIL], [PHONE], [NAME]),
    }
    monkeypatch.setattr("sys.stdin", iter([f"{EMAIL}\n"]))
    with reported() as found, monkeypatch.context() as patch:
        patch.setattr(place, raising(kind))
        doors[door]()
    assert is_clean(found, OF_PERSON)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
def test_an_insert_that_fails_gives_nothing_away(
    strict: bool, shop: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's frames hold the parameters: the body with hashes, and the visitor's signals."""
    shop(strict=strict)

    def execute(self: Any, sql: str, params: Any = None) -> Any:
        if "INSERT" in sql and "tiktok_attribution" in sql:
            raise OperationalError("disk I/O error")
        return self._execute_with_wrappers(sql, params, many=False, executor=self._execute)

    with reported() as found, monkeypatch.context() as patch:
        patch.setattr("django.db.backends.utils.CursorWrapper.execute", execute)
        order().save()
    assert bool(found) is strict
    assert is_clean(found, (*OF_PERSON, (email_sha256(EMAIL) or "")[:16]))


def test_an_error_that_the_site_handles_meanwhile_keeps_its_values(shop: Callable[..., None]) -> None:
    """Those frames are the site's: only what lies under a call of ours is emptied."""
    shop(value=raising(ValueError))

    def risky(cause: str) -> None:
        raise LookupError

    with reported() as found:
        try:
            risky("a cause of the site's")
        except LookupError:
            order().save()
    assert "a cause of the site's" in found["sentry"]
    assert is_clean(found, OF_PERSON)
