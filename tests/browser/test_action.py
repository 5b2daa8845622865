"""Actions: what a page signs for a click, and what nobody can make of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tiktok_attribution.browser import signed_events
from tiktok_attribution.browser.signed_events import Action
from tiktok_attribution.exceptions import InvalidEvent

DAY = 86_400
ADDED = Action(name="AddToCart", properties={"value": "5.00", "currency": "EUR"}, pixel_codes=("C0A",))


def read(text: object) -> Action:
    return signed_events.read(text, max_age_days=7)


def test_what_is_signed_comes_back() -> None:
    found = read(signed_events.sign(ADDED))
    assert (found.name, found.properties, tuple(found.pixel_codes)) == ("AddToCart", ADDED.properties, ("C0A",))


def test_amounts_are_signed_as_the_template_gave_them() -> None:
    lines = [{"content_id": 7, "price": Decimal("2.50")}]
    found = read(signed_events.sign(Action(name="AddToCart", properties={"value": Decimal("5.00"), "contents": lines})))
    assert found.properties == {"value": "5.00", "contents": [{"content_id": 7, "price": "2.50"}]}


@pytest.mark.parametrize("where", [0, 10, -1])
def test_a_changed_text_is_nobodys(where: int) -> None:
    text = signed_events.sign(ADDED)
    changed = list(text)
    changed[where] = "A" if changed[where] != "A" else "B"
    with pytest.raises(InvalidEvent):
        read("".join(changed))


@pytest.mark.parametrize("text", [None, "", 7, [], "a:b", "x" * 100_000])
def test_what_was_never_signed_is_nobodys(text: Any) -> None:
    with pytest.raises(InvalidEvent):
        read(text)


def test_a_text_signed_for_another_purpose_is_nobodys() -> None:
    from_elsewhere = signed_events.signing.Signer(salt="receipt").sign_object({"e": "Purchase", "d": 1})
    with pytest.raises(InvalidEvent):
        read(from_elsewhere)


def test_it_is_the_same_text_all_day_and_ends_with_its_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_events, "time", lambda: 100.0 * DAY)
    first = signed_events.sign(ADDED)
    monkeypatch.setattr(signed_events, "time", lambda: 100.9 * DAY)
    assert signed_events.sign(ADDED) == first
    monkeypatch.setattr(signed_events, "time", lambda: 107.9 * DAY)
    assert read(first).name == "AddToCart"
    monkeypatch.setattr(signed_events, "time", lambda: 108.1 * DAY)
    with pytest.raises(InvalidEvent, match="ACTION_DAYS"):
        read(first)


def test_a_visitor_fills_in_what_is_allowed_and_nothing_else() -> None:
    search = Action(name="Search", properties={"status": "web"}, allow=["search_string", "status"])
    given = {"search_string": "tea", "status": "mine", "value": 1_000_000}
    assert search.with_given(given) == {"search_string": "tea", "status": "web"}


@pytest.mark.parametrize("given", [None, [], "tea", {"search_string": {"a": 1}}, {"search_string": "x" * 201}])
def test_what_is_no_plain_value_is_left_out(given: Any) -> None:
    assert Action(name="Search", allow=["search_string"]).with_given(given) == {}


@pytest.mark.parametrize("key", sorted(signed_events.NEVER_FREE))
def test_amounts_are_never_left_to_the_visitor(key: str) -> None:
    with pytest.raises(InvalidEvent, match="any amount"):
        signed_events.sign(Action(name="Purchase", allow=[key]))


def test_more_than_fits_is_refused_where_it_is_made() -> None:
    ids = [{"content_id": f"{number * 7919 % 100_003:x}-{number}"} for number in range(2000)]
    with pytest.raises(InvalidEvent, match="at most"):
        signed_events.sign(Action(name="AddToCart", properties={"contents": ids}))
