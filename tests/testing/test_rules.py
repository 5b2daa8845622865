"""What is refused in a request: token, root object, batch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.testing.samples import NOW, PIXEL, TOKEN, body, event, root
from tiktok_attribution.testing.faults import OURS, RefusedError
from tiktok_attribution.testing.rules import Request, Rules, judge

PERMITTED = Rules(tokens={PIXEL: TOKEN, "C0OTHER": "other-token"})


def refusal(raw: bytes, *, token: str | None = TOKEN, rules: Rules | None = None) -> tuple[int | None, str]:
    with pytest.raises(RefusedError) as caught:
        judge(Request.read(token, raw), rules or Rules(), now=NOW)
    return caught.value.answer.code, caught.value.answer.message


def test_a_sound_request_is_accepted_with_all_its_events() -> None:
    accepted = judge(Request.read(TOKEN, body(event(), event(event_id="order-2"))), Rules(), now=NOW)
    assert [one["event_id"] for one in accepted.events] == ["order-1", "order-2"]


def test_a_sound_event_earns_no_remark() -> None:
    assert judge(Request.read(TOKEN, body()), Rules(), now=NOW).remarks == []


@pytest.mark.parametrize("token", [None, ""])
def test_a_missing_token_is_40104(token: str | None) -> None:
    assert refusal(body(), token=token)[0] == 40104


@pytest.mark.parametrize("token", ["Bearer bare-token", "bearer bare-token"])
def test_a_bearer_prefix_is_taken_for_a_wrong_token(token: str) -> None:
    assert refusal(body(), token=token) == (40105, "Access token is incorrect or has been revoked.")


def test_an_unknown_token_is_40105() -> None:
    assert refusal(body(), token="guessed", rules=PERMITTED)[0] == 40105


def test_a_token_of_another_pixel_has_no_permission() -> None:
    wording = (
        f"No permission to operate pixel code: {PIXEL}. You must be an admin or operator of this advertiser account."
    )
    assert refusal(body(), token="other-token", rules=PERMITTED) == (40001, wording)


def test_the_right_token_for_the_pixel_is_accepted() -> None:
    assert judge(Request.read(TOKEN, body()), PERMITTED, now=NOW).pixel == PIXEL


def test_rules_do_not_show_tokens() -> None:
    assert TOKEN not in repr(PERMITTED)


@pytest.mark.parametrize("source", [None, "website", 1, ["web"]])
def test_event_source_must_be_known(source: Any) -> None:
    wording = "Invalid value for event_source: must be web, app or offline."
    assert refusal(body(event_source=source)) == (40002, wording)


@pytest.mark.parametrize("source", ["app", "offline", "crm"])
def test_other_sources_need_no_page(source: str) -> None:
    raw = body(event(page=None), event_source=source)
    assert len(judge(Request.read(TOKEN, raw), Rules(), now=NOW).events) == 1


@pytest.mark.parametrize("pixel", [None, 12345, ""])
def test_event_source_id_must_be_text(pixel: Any) -> None:
    wording = "Invalid value for event_source_id: not a valid string."
    assert refusal(body(event_source_id=pixel)) == (40002, wording)


@pytest.mark.parametrize("data", [None, [], {}, "events"])
def test_data_must_be_a_list_that_holds_something(data: Any) -> None:
    code, message = refusal(json.dumps({**root(), "data": data}).encode())
    assert (code, message.startswith(OURS)) == (40002, True)


def test_a_thousand_events_are_accepted() -> None:
    assert len(judge(Request.read(TOKEN, body(*[event()] * 1000)), Rules(), now=NOW).events) == 1000


def test_a_thousand_and_one_events_are_refused_as_a_whole() -> None:
    code, message = refusal(body(*[event()] * 1001))
    assert (code, message.startswith(OURS)) == (40002, True)


def test_a_body_over_the_limit_is_refused_in_our_words() -> None:
    code, message = refusal(body(), rules=Rules(max_body_bytes=100))
    assert (code, message) == (40002, OURS + "the body is over 100 bytes")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"9" * 5000],
    ids=["empty", "cut off", "a list", "not UTF-8", "NaN", "nested too deep", "a number too long"],
)
def test_a_body_that_is_no_json_object_is_refused(raw: bytes) -> None:
    assert refusal(raw)[0] == 40002


def test_a_test_event_code_must_be_text() -> None:
    assert refusal(body(test_event_code=7))[0] == 40002


def test_one_bad_row_refuses_the_whole_request() -> None:
    assert refusal(body(event(), event(event_id=7), event()))[0] == 40002
