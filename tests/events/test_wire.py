from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.events import BrowserCall, Event, Page, User
from tiktok_attribution.events.hashing import email_sha256, external_id_sha256, hash_many
from tiktok_attribution.events.types import MAX_VALUES
from tiktok_attribution.events.wire import (
    MAX_EVENTS,
    browser_call,
    browser_call_of_text,
    event_text,
    properties,
    request_body,
)
from tiktok_attribution.exceptions import InvalidEvent

A, B = "a" * 64, "b" * 64


def event(**changes: Any) -> Event:
    return Event(**{"name": "Lead", "event_id": "lead-1", "event_time": 1764000000, **changes})


def test_an_event_without_anything_more_is_three_keys() -> None:
    assert event_text(event()) == '{"event":"Lead","event_time":1764000000,"event_id":"lead-1"}'


def test_the_text_is_compact_ascii() -> None:
    text = event_text(event(properties={"description": "Müller & Söhne \N{PARTY POPPER}"}))
    assert text.isascii()
    assert ": " not in text


def test_one_hash_goes_as_text() -> None:
    assert json.loads(event_text(event(user=User(email=(A,)))))["user"] == {"email": A}


def test_several_hashes_go_as_a_list() -> None:
    assert json.loads(event_text(event(user=User(email=(A, B)))))["user"] == {"email": [A, B]}


def test_no_more_hashes_go_than_the_limit() -> None:
    hashes = tuple(f"{number:064x}" for number in range(30))
    sent = json.loads(event_text(event(user=User(phone=hashes))))
    assert sent["user"]["phone"] == list(hashes[:MAX_VALUES])


@pytest.mark.parametrize(("flag", "sent"), [(True, True), (False, None)])
def test_limited_data_use_is_sent_only_when_it_is_on(flag: bool, sent: bool | None) -> None:
    assert json.loads(event_text(event(limited_data_use=flag))).get("limited_data_use") is sent


def test_ill_formed_text_from_a_header_does_not_spoil_the_batch() -> None:
    text = event_text(event(user=User(user_agent="x\ud800y"), page=Page(url="https://x.example/\udfff")))
    assert "\\ud" not in text.replace("\\ufffd", "")


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf")])
def test_a_property_that_is_not_json_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(InvalidEvent, match=r"^properties\.bad is not plain JSON$"):
        event_text(event(properties={"fine": 1, "bad": value}))


def test_a_property_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidEvent, match=r"^properties\.bad is not plain JSON$"):
        event_text(event(properties={"bad": loop}))


def test_a_body_joins_the_stored_texts_as_they_are() -> None:
    body = request_body("C0EXAMPLE0000000000", ['{"a": 1}', "not even json"])
    assert body == (b'{"event_source":"web","event_source_id":"C0EXAMPLE0000000000","data":[{"a": 1},not even json]}')


def test_a_test_event_code_stands_at_the_root() -> None:
    body = json.loads(request_body("C0EXAMPLE0000000000", [event_text(event())], test_event_code="TEST11178"))
    assert body["test_event_code"] == "TEST11178"
    assert "test_event_code" not in body["data"][0]


def test_a_pixel_code_can_not_break_out_of_its_text() -> None:
    assert json.loads(request_body('"x', ["{}"]))["event_source_id"] == '"x'


@pytest.mark.parametrize("number", [0, MAX_EVENTS + 1])
def test_a_body_of_no_or_too_many_events_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000 events"):
        request_body("C0EXAMPLE0000000000", ["{}"] * number)


def test_a_body_takes_a_thousand_events() -> None:
    assert len(json.loads(request_body("C0EXAMPLE0000000000", ["{}"] * MAX_EVENTS))["data"]) == MAX_EVENTS


def test_both_channels_carry_the_same_name_id_and_properties() -> None:
    own, _ = properties({"value": "19.99", "currency": "EUR", "contents": [{"content_id": 1, "price": 19.99}]})
    both = event(name="Purchase", properties=own)
    server = json.loads(event_text(both))
    call = browser_call(both)
    assert call.properties is own
    assert (call.name, call.event_id, call.properties) == (
        server["event"],
        server["event_id"],
        server["properties"],
    )


@pytest.mark.privacy
def test_the_pixel_call_of_a_stored_event_holds_nothing_of_the_user() -> None:
    stored = event_text(event(user=User(email=(A,), ip="203.0.113.7"), properties={"value": 1}))
    assert browser_call_of_text(stored) == BrowserCall(name="Lead", event_id="lead-1", properties={"value": 1})


@pytest.mark.privacy
@pytest.mark.parametrize("stored", ["", "{}", "[]", "null", '{"user": "jane"', '"x"', '{"event": 1}'])
def test_a_stored_text_that_is_no_event_is_refused_and_not_repeated(stored: str) -> None:
    with pytest.raises(InvalidEvent, match=r"^the stored text is no event, or was cleared$") as refused:
        browser_call_of_text(stored)
    assert refused.value.__cause__ is None


TEXT = st.text(max_size=30)
USERS = st.builds(
    User,
    email=st.lists(st.emails()).map(lambda values: hash_many(values, email_sha256)),
    external_id=st.lists(TEXT).map(lambda values: hash_many(values, external_id_sha256)),
    ttclid=TEXT,
    user_agent=TEXT,
    locale=TEXT,
)
RAW = st.dictionaries(
    st.sampled_from(["description", "search_string", "order_id", "own", "currency"]),
    TEXT,
)
HEX = re.compile("[0-9a-f]{64}")


@given(
    user=USERS,
    url=TEXT,
    raw=RAW,
    event_id=TEXT.filter(bool),
    value=st.integers(0, 10**6) | st.floats(0, 10**6),
)
def test_an_event_is_json_of_the_protocols_types_and_the_same_in_both_channels(
    user: User, url: str, raw: dict[str, Any], event_id: str, value: float
) -> None:
    own, _ = properties({"value": value, **raw})
    made = event(event_id=event_id, user=user, page=Page(url=url), properties=own)
    text = event_text(made)
    sent = json.loads(text)
    assert text.isascii()
    assert (type(sent["event"]), type(sent["event_time"]), type(sent["event_id"])) == (str, int, str)
    for key in ("email", "external_id"):
        hashes = sent.get("user", {}).get(key, A)
        assert all(HEX.fullmatch(digest) for digest in ([hashes] if isinstance(hashes, str) else hashes))
    assert browser_call_of_text(text) == browser_call(made)
