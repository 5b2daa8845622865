"""Every recorded answer leads to its reaction; answers.json holds them as they come over the wire."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from tests.delivery.samples import TOKEN
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.responses import Answer, indicated_events, judge, named_events, names_field
from tiktok_attribution.models import Outcome

API = "https://business-api.example/open_api/v1.3/event/track/"
ROWS = json.loads((Path(__file__).parent / "answers.json").read_text())
REACTIONS = {
    "OK": Outcome.DELIVERED,
    "RETRY": Outcome.RETRY,
    "FIX": Outcome.ISOLATE,
    "STOP": Outcome.STOP,
    "SPLIT": Outcome.SPLIT,
}


def answer_of(row: dict[str, Any]) -> Answer:
    """The row's answer as the client reads it off the wire."""
    return _read(json.dumps(row))


@cache
def _read(text: str) -> Answer:
    row = json.loads(text)
    body = row["body"]
    with responses.RequestsMock() as wire, Client(API, 5) as client:
        if row["http_status"] is None:
            wire.post(API, body=requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer")))
        else:
            text = body if isinstance(body, str) else json.dumps(body)
            wire.post(API, body=text, status=row["http_status"])
        return client.post(TOKEN, b"{}")


def named(row: dict[str, Any]) -> str:
    code = row["body"].get("code") if isinstance(row["body"], dict) else "-"
    return f"{row['http_status']}-{code}-{row['source']}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_each_answer_leads_to_its_reaction(row: dict[str, Any]) -> None:
    assert judge(answer_of(row)).outcome == REACTIONS[row.get("ours", row["reaction"])]


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_repeat_is_doubtful_only_where_tiktok_may_have_the_events(row: dict[str, Any]) -> None:
    assert judge(answer_of(row)).fate_unknown == row.get("unknown_fate", False)


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_message_names_the_events_that_it_was_seen_to_name(row: dict[str, Any]) -> None:
    message = answer_of(row).message

    assert sorted(named_events(message, 1000)) == row.get("named", [])
    assert sorted(indicated_events(message, 1000)) == row.get("indicated", [])


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_some_answers_ask_for_a_longer_pause(row: dict[str, Any]) -> None:
    assert (judge(answer_of(row)).pause_seconds >= 300) == row.get("longer_pause", False)


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_doubtful_codes_are_tried_a_few_times_only(row: dict[str, Any]) -> None:
    assert (judge(answer_of(row)).most_attempts is not None) == row.get("few_attempts", False)


def test_where_this_project_reacts_otherwise_it_says_why() -> None:
    assert all(row["because"] for row in ROWS if "ours" in row)


def test_a_refused_connection_leaves_no_doubt() -> None:
    verdict = judge(Answer(unreachable=True))

    assert (verdict.outcome, verdict.fate_unknown) == (Outcome.RETRY, False)


@pytest.mark.parametrize("code", [40016, 40100, 40132, 40133, 60001, 61000])
def test_a_rate_limit_holds_for_the_whole_pixel(code: int) -> None:
    assert judge(Answer(http_status=200, code=code)).pixel_wide


def test_one_systems_error_does_not_hold_the_other_lanes_back() -> None:
    assert not judge(Answer(http_status=200, code=50000)).pixel_wide


def test_an_index_outside_the_batch_names_nobody() -> None:
    assert named_events("Batch.7.properties: bad", 7) == frozenset()


def test_a_message_may_name_several_events() -> None:
    assert named_events("Batch.1.price: bad; Batch.4.price: bad", 5) == {1, 4}


def test_an_index_of_absurd_length_is_not_an_index() -> None:
    assert named_events(f"Batch.{'9' * 5000}.price: bad", 5) == frozenset()


@pytest.mark.parametrize(
    "message",
    [
        "Invalid value for event_id: not a valid string.",
        "Batch.0.properties.contents.0.content_id: Not a valid string",
        "Invalid Price Field",
        "Invalid value for data[2].event_time",
        "user.email must be hashed",
        "The event at index 3 is invalid",
    ],
)
def test_a_refusal_of_a_field_is_told(message: str) -> None:
    assert names_field(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Shop must belong to a Business Center account.",
        "This user may not send events now.",
        "Your account status does not allow this event.",
    ],
)
def test_words_about_the_account_are_no_field(message: str) -> None:
    assert not names_field(message)
