"""The cookie that names what waits, carried into another browser, or played back later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.utils import timezone

from tests.browser.reading import calls, tracked
from tests.shop.models import Order
from tiktok_attribution.browser.pending_cookie import COOKIE
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import OutboxEvent

pytestmark = [pytest.mark.django_db, pytest.mark.hostile, pytest.mark.privacy]

EMAIL = "ada@example.com"
HASH = email_sha256(EMAIL)
assert HASH
PHONE_AGENT = {"REMOTE_ADDR": "81.2.69.142", "HTTP_USER_AGENT": "Mozilla/5.0 (iPhone)"}
LAPTOP_AGENT = {"REMOTE_ADDR": "81.2.69.143", "HTTP_USER_AGENT": "Mozilla/5.0 (X11)"}
PURCHASE = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "user": {"email": "email"},
}

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(autouse=True)
def _sells(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"shop.Order": PURCHASE}}


@pytest.fixture
def owner() -> Client:
    """Somebody whose order was paid elsewhere, and waits for the next page."""
    client = Client(**PHONE_AGENT)
    order_paid_elsewhere(client)
    return client


def order_paid_elsewhere(client: Client) -> None:
    client.post("/order/")
    order = Order.objects.get()
    order.status = "paid"
    order.save()


def planted(owner: Client, **meta: Any) -> Client:
    other = Client(**meta)
    other.cookies[COOKIE] = owner.cookies[COOKIE].value
    return other


def methods(page: HttpResponse) -> list[str]:
    return [call.method for call in calls(page)]


def test_its_owner_is_shown_the_hashes(owner: Client) -> None:
    response = owner.get("/page/")
    assert methods(response) == ["identify", "track"]
    assert calls(response)[0].arguments == [{"sha256_email": HASH}]


PLACES: dict[str, Callable[[Client], HttpResponse]] = {
    "page": lambda client: client.get("/page/"),
    "order page": lambda client: client.get(f"/order/{Order.objects.get().pk}/"),
    "json": lambda client: client.get("/waiting/"),
    "header": lambda client: client.get("/json/", headers={"X-TikTok-Events": "1"}),
    "htmx": lambda client: client.get("/json/", headers={"HX-Request": "true"}),
    "consent": lambda client: client.post("/tiktok/consent/", "{}", "application/json", headers=OWN),
    "beacon": lambda client: client.post(
        "/tiktok/", '{"pending": 1}', content_type="application/json", headers={"Sec-Fetch-Site": "same-origin"}
    ),
}


def whole(response: HttpResponse) -> str:
    return response.content.decode() + str(dict(response.items()))


@pytest.mark.parametrize("page_script", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_another_browser_is_shown_no_hash_wherever_it_asks(
    owner: Client, settings: Any, place: str, page_script: bool
) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": page_script}
    assert HASH not in whole(PLACES[place](planted(owner, **LAPTOP_AGENT)))


@pytest.mark.parametrize("place", PLACES)
def test_its_owner_is_shown_them_wherever_they_ask(owner: Client, settings: Any, place: str) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True}
    assert HASH in whole(PLACES[place](owner))


@pytest.mark.parametrize(
    "meta",
    [
        {},
        LAPTOP_AGENT,
        {**PHONE_AGENT, "REMOTE_ADDR": LAPTOP_AGENT["REMOTE_ADDR"]},
        {**LAPTOP_AGENT, "REMOTE_ADDR": PHONE_AGENT["REMOTE_ADDR"]},
    ],
    ids=["nothing", "all else", "same agent", "same address"],
)
def test_the_call_goes_out_without_the_hashes(owner: Client, meta: dict[str, str]) -> None:
    response = planted(owner, **meta).get("/page/")
    assert methods(response) == ["track"]
    assert "private" in response["Cache-Control"]


def test_an_event_without_any_signal_is_nobodys_to_be_recognised_by() -> None:
    owner = Client()
    order_paid_elsewhere(owner)
    assert methods(planted(owner).get("/page/")) == ["track"]


@pytest.mark.parametrize("name", ["ttclid", "_ttp"])
def test_who_moves_to_another_network_is_recognised_by_a_cookie(name: str) -> None:
    owner = Client(**PHONE_AGENT)
    owner.cookies[name] = "E.C.P.abc"
    order_paid_elsewhere(owner)
    assert methods(owner.get("/page/", **LAPTOP_AGENT)) == ["identify", "track"]


def test_who_is_signed_in_is_recognised_by_that(owner: Client) -> None:
    other = planted(owner, **LAPTOP_AGENT)
    other.force_login(User.objects.create(username="ada", email=EMAIL))
    assert methods(other.get("/page/")) == ["identify", "track"]


def test_somebody_else_who_is_signed_in_is_not(owner: Client) -> None:
    other = planted(owner, **LAPTOP_AGENT)
    other.force_login(User.objects.create(username="eve", email="eve@example.com"))
    assert methods(other.get("/page/")) == ["track"]


def test_an_async_page_recognises_its_visitor_too() -> None:
    owner = Client()
    owner.cookies["_ttp"] = "ttp-of-ada"
    order_paid_elsewhere(owner)

    async def visit(ttp: str) -> list[str]:
        client = AsyncClient()
        client.cookies[COOKIE] = owner.cookies[COOKIE].value
        client.cookies["_ttp"] = ttp
        return methods(await client.get("/async/"))

    assert async_to_sync(visit)("another") == ["track"]
    OutboxEvent.objects.update(browser_at=None)
    assert async_to_sync(visit)("ttp-of-ada") == ["identify", "track"]


def shown_before(seconds: float, **changes: Any) -> None:
    OutboxEvent.objects.update(browser_at=timezone.now() - timedelta(seconds=seconds), **changes)


@pytest.mark.parametrize(("seconds", "shown"), [(1, ["Lead"]), (290, ["Lead"]), (310, []), (3000, [])])
def test_a_cookie_played_back_shows_what_was_shown_just_now_alone(
    client: Client, seconds: float, shown: list[str]
) -> None:
    """Just now: a page that the browser threw away, or two tabs at once."""
    client.post("/lead/")
    kept = client.cookies[COOKIE].value
    client.get("/page/")
    shown_before(seconds)
    client.cookies[COOKIE] = kept
    response = client.get("/page/")
    assert tracked(response) == shown
    assert response.cookies[COOKIE]["max-age"] == 0


def test_what_its_page_has_confirmed_is_shown_by_no_cookie_again(client: Client) -> None:
    client.post("/lead/")
    kept = client.cookies[COOKIE].value
    client.get("/page/")
    shown_before(1, browser_confirmed_at=timezone.now())
    client.cookies[COOKIE] = kept
    assert tracked(client.get("/page/")) == []


def test_a_page_of_an_order_that_was_passed_on_shows_no_hash(owner: Client) -> None:
    order = Order.objects.get()
    assert HASH not in Client(**LAPTOP_AGENT).get(f"/order/{order.pk}/").content.decode()


def test_a_page_that_makes_the_event_itself_shows_the_hashes(client: Client) -> None:
    client.force_login(User.objects.create(username="ada", email=EMAIL))
    assert methods(client.get("/event/?name=Contact&server")) == ["identify", "track"]


@pytest.mark.parametrize(("secure", "name"), [(True, f"__Host-{COOKIE}"), (False, COOKIE)])
@pytest.mark.parametrize("domain", ["", ".example.com"])
def test_no_other_host_gets_it_or_can_set_it(settings: Any, secure: bool, name: str, domain: str) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "COOKIE_DOMAIN": domain}
    client = Client()
    response = client.post("/lead/", secure=secure)
    assert set(response.cookies) == {name}
    cookie = response.cookies[name]
    assert (cookie["domain"], cookie["path"], bool(cookie["secure"])) == ("", "/", secure)
    again = client.get("/page/", secure=secure)
    assert tracked(again) == ["Lead"]
    assert (again.cookies[name]["max-age"], bool(again.cookies[name]["secure"])) == (0, secure)


def test_on_https_a_cookie_that_a_sub_domain_could_set_is_no_ones(client: Client) -> None:
    client.post("/lead/")
    response = client.get("/page/", secure=True)
    assert tracked(response) == []
    assert not response.cookies


def test_behind_a_proxy_that_tells_nothing_secure_sessions_say_that_it_is_https(settings: Any, client: Client) -> None:
    settings.SESSION_COOKIE_SECURE = True
    assert set(client.post("/lead/").cookies) == {f"__Host-{COOKIE}"}


def test_who_holds_it_reads_names_and_nothing_of_the_person(owner: Client) -> None:
    text = str(signing.loads(owner.cookies[COOKIE].value, salt=COOKIE, max_age=3600))
    assert f"shop.Order:{Order.objects.get().pk}" in text
    assert not any(one in text for one in (EMAIL, HASH, *PHONE_AGENT.values()))
