"""The bodies in golden/ are what goes over the wire, byte for byte when the layout is taken away.

Read them to learn the protocol; the functions here show what a site gave for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiktok_attribution.events import Content, Event, Page, User
from tiktok_attribution.events.hashing import (
    email_sha256,
    external_id_sha256,
    hash_many,
    name_sha256,
    phone_sha256,
    place,
    zip_sha256,
)
from tiktok_attribution.events.ids import object_event_id
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.events.page_url import clean_address
from tiktok_attribution.events.wire import event_text, properties, request_body

GOLDEN = Path(__file__).with_name("golden")
PIXEL = "C0EXAMPLE0000000000"
NOW = 1764000000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ALLOWED = ("ttclid", "utm_*")
VISITOR = User(ttclid="E.C.P.example", ttp="example.tt.1", ip="203.0.113.7", user_agent=AGENT, locale="en-US")
MUG = {"content_id": 7, "content_name": "Blue mug", "price": "12.50", "quantity": 2}
POSTER = Content(content_id="poster-a2", content_name="Poster", content_category="Prints", brand="Own", price=15)


def made(name: str, event_id: str, url: str, raw: dict[str, Any], **more: Any) -> Event:
    name = canonical_name(name)
    own, _ = properties(raw, event=name)
    page = Page(url=clean_address(url, ALLOWED), referrer=clean_address(more.pop("referrer", ""), ALLOWED))
    return Event(name=name, event_id=event_id, event_time=NOW, page=page, properties=own, **more)


def purchase_full() -> Event:
    user = User(
        email=hash_many(" ALICE_abc@gmail.com ", email_sha256),
        phone=hash_many("(+1)2133734253", phone_sha256),
        external_id=hash_many("user_123", external_id_sha256),
        first_name=name_sha256("Alice") or "",
        last_name=name_sha256("O'Brien-Smith") or "",
        zip_code=zip_sha256("94105-1234") or "",
        city=place("San Francisco"),
        state=place("CA"),
        country=place("US"),
    )
    return made(
        "CompletePayment",
        object_event_id("order", 42),
        "https://shop.example/thanks/?ttclid=E.C.P.example&email=alice%40example.com#top",
        {"order_id": 42, "value": "40.00", "currency": "usd", "contents": [MUG, POSTER], "num_items": 3},
        referrer="https://pay.example/return?session=secret",
        user=user.merged(VISITOR),
        limited_data_use=True,
    )


def purchase_guest() -> Event:
    return made(
        "Purchase",
        object_event_id("order", 43),
        "https://shop.example/thanks/",
        {"value": 19.99, "currency": "EUR"},
        user=User(ip="203.0.113.7", user_agent=AGENT),
    )


def complete_registration() -> Event:
    user = User(email=hash_many("test@test.com", email_sha256), external_id=hash_many(5, external_id_sha256))
    return made("CompleteRegistration", "user-5", "https://shop.example/join/", {}, user=user.merged(VISITOR))


def search() -> Event:
    return made("Search", "search-1", "https://shop.example/?q=mugs", {"query": "blue mugs"}, user=VISITOR)


def view_content() -> Event:
    item = {"content_id": 7, "content_name": "Blue mug", "price": "12.50"}
    raw = {"contents": [item], "currency": "EUR"}
    return made("ViewContent", "view-1", "https://shop.example/p/7/?utm_source=tiktok", raw, user=VISITOR)


def add_to_cart() -> Event:
    return made(
        "AddToCart",
        "cart-1",
        "https://shop.example/p/7/",
        {"contents": [MUG], "currency": "EUR"},
        user=VISITOR,
    )


def custom_event() -> Event:
    raw = {"course": "Pottery for beginners", "lessons": 12, "certificate": True, "tags": ["clay", "wheel"]}
    return made("CourseFinished", "enrolment-9", "https://school.example/c/3/", raw, user=VISITOR)


def several_emails() -> Event:
    emails = ["test@test.com", "John.Doe+Shop@Gmail.com", "TEST@test.com", "not-an-email"]
    user = User(email=hash_many(emails, email_sha256))
    return made("Lead", "lead-3", "https://school.example/contact/", {}, user=user)


EVENTS: list[Callable[[], Event]] = [
    purchase_full,
    purchase_guest,
    complete_registration,
    search,
    view_content,
    add_to_cart,
    custom_event,
    several_emails,
]


@pytest.mark.parametrize("build", EVENTS, ids=lambda build: build.__name__)
def test_the_body_is_the_golden_one(build: Callable[[], Event]) -> None:
    golden = json.loads((GOLDEN / f"{build.__name__}.json").read_text("utf-8"))
    expected = json.dumps(golden, separators=(",", ":")).encode()
    assert request_body(PIXEL, [event_text(build())]) == expected


def test_every_golden_body_belongs_to_a_test() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {build.__name__ for build in EVENTS}
