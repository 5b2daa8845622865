"""Apps that sign in by a token and send no cookies: a visitor's, unless the token is a machine's.

With Django REST framework itself; its table of tokens is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.conversions.samples import PLAIN, body, rows
from tiktok_attribution.events.hashing import email_sha256

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db

AGENT, CUSTOMER, ERP = "App/3.1 (iPhone)", "customer@example.com", "erp@example.com"
PURCHASE = {**PLAIN, "user": {"email": "email", "external_id": "customer_id"}}


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.whose_site"
    configure(PURCHASE, PAGE_SCRIPT=True)
    for name, email in (("customer", CUSTOMER), ("erp", ERP), ("clerk", "clerk@example.com")):
        User.objects.create_user(name, email, is_staff=name == "clerk")


def app(token: str = "", **headers: str) -> Client:
    signed_in = {"HTTP_AUTHORIZATION": f"Token {token}"} if token else {}
    return Client(REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT=AGENT, **signed_in, **headers)


def is_theirs(client: Client, **query: str) -> bool:
    assert client.get("/api/", query).status_code == 200
    keys = body().get("user", {})
    found = {keys.get("ip") == "81.2.69.142", keys.get("user_agent") == AGENT}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    ("token", "query", "theirs"),
    [
        ("customer", {"email": CUSTOMER}, True),
        ("customer", {"email": "friend@example.com", "customer_id": "customer"}, True),
        ("customer", {"lead": "1"}, True),
        ("customer", {"lead": "1", "email": CUSTOMER}, True),
        ("erp", {"email": CUSTOMER}, False),
        ("erp", {"email": CUSTOMER, "customer_id": "customer"}, False),
        ("erp", {}, False),
        ("erp", {"lead": "1", "email": CUSTOMER}, False),
        ("clerk", {"email": CUSTOMER}, False),
        ("clerk", {"lead": "1"}, False),
        ("", {"email": CUSTOMER}, False),
    ],
)
@pytest.mark.privacy
def test_whose_a_request_with_a_token_is(token: str, query: dict[str, str], theirs: bool) -> None:
    if "customer_id" in query:
        query = {**query, "customer_id": str(User.objects.get(username="customer").pk)}
    assert is_theirs(app(token), **query) is theirs


def test_a_customers_app_is_matched_by_its_user() -> None:
    is_theirs(app("customer"), lead="1")
    assert body()["user"]["email"] == email_sha256(CUSTOMER)
    assert "external_id" in body()["user"]


def test_where_no_person_is_declared_a_token_of_no_staff_is_the_visitors(configure: Configure) -> None:
    configure(PLAIN)
    assert is_theirs(app("customer"))


@pytest.mark.parametrize("token", ["customer", ""])
def test_a_request_that_asks_for_events_is_a_visitors_and_gets_them(token: str) -> None:
    response = app(token, HTTP_X_TIKTOK_EVENTS="1").get("/api/", {"email": CUSTOMER})
    assert body()["user"]["user_agent"] == AGENT
    (call,) = [call for call in json.loads(response["X-TikTok-Events"])["calls"] if "event" in call]
    assert (call["event"], call["event_id"]) == ("Purchase", body()["event_id"])


def test_a_clerks_app_that_asks_for_events_is_still_a_clerks() -> None:
    assert not is_theirs(app("clerk", HTTP_X_TIKTOK_EVENTS="1"), email=CUSTOMER)


@pytest.mark.parametrize(("says", "theirs"), [(False, False), (True, True), (None, True)])
@pytest.mark.parametrize("headers", [{}, {"HTTP_X_TIKTOK_EVENTS": "1"}])
def test_is_visitor_wins(configure: Configure, headers: dict[str, str], says: bool | None, theirs: bool) -> None:
    configure(PURCHASE, IS_VISITOR=lambda request: says)
    assert is_theirs(app("customer", **headers), email=CUSTOMER) is theirs


def test_an_excluded_path_wins(configure: Configure) -> None:
    configure(PURCHASE, EXCLUDED_PATHS=["/api/"])
    assert not is_theirs(app("customer", HTTP_X_TIKTOK_EVENTS="1"), email=CUSTOMER)


@pytest.mark.privacy
@pytest.mark.parametrize("token", ["customer", "erp", ""])
def test_a_refusal_is_heard_of_every_token(token: str) -> None:
    app(token, HTTP_SEC_GPC="1").get("/api/", {"email": CUSTOMER})
    assert rows() == []


@pytest.mark.hostile
def test_a_wrong_token_makes_nobody_a_visitor() -> None:
    assert app("no-such").get("/api/", {"email": CUSTOMER}).status_code == 401
    assert rows() == []


@pytest.mark.hostile
def test_a_user_that_can_not_be_told_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Middleware:
        def __init__(self, get_response: Any) -> None:
            self.get_response = get_response

        def __call__(self, request: Any) -> Any:
            request.user = Broken()
            return self.get_response(request)

    class Broken:
        @property
        def is_authenticated(self) -> bool:
            raise ValueError("the token has expired")

    from django.conf import settings  # noqa: PLC0415

    monkeypatch.setattr(settings, "MIDDLEWARE", [*settings.MIDDLEWARE, f"{__name__}.broken"])
    monkeypatch.setitem(globals(), "broken", Middleware)
    client = app()
    client.get("/hooks/order/", {"email": CUSTOMER})
    assert "user_agent" not in body()["user"]
