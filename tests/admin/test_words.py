"""Every state, outcome, refusal and seen answer has words, and the right ones."""

from __future__ import annotations

import pytest

from tiktok_attribution.admin.explanations import REASONS, STATES, Unbuilt, explain
from tiktok_attribution.admin.formatting import OUTCOME_TONES, TONES
from tiktok_attribution.delivery.lanes import UNKNOWN_FATE
from tiktok_attribution.delivery.manual import SkipReason
from tiktok_attribution.delivery.pixels import NO_TOKEN
from tiktok_attribution.delivery.responses import RETRY_CODES, STOP_CODES, Answer
from tiktok_attribution.models import Outcome, State


def test_every_state_has_words_and_a_tone() -> None:
    assert set(STATES) == set(TONES) == set(State)


def test_every_outcome_has_a_tone() -> None:
    assert set(OUTCOME_TONES) == set(Outcome)


def test_every_refusal_has_words() -> None:
    # What is invalid is built again instead of being refused.
    assert set(REASONS) == ({*SkipReason} | {*Unbuilt}) - {SkipReason.INVALID}


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (Answer(http_status=200, code=40001), "not allowed to send"),
        (Answer(http_status=200, code=40002, message="Invalid value for event_id: not a valid string."), "a value"),
        (Answer(http_status=200, code=40002, message="No permission to operate pixel code"), "pixel code"),
        (
            Answer(http_status=200, code=40002, message="Invalid value for event_source_id: not a valid string."),
            "pixel",
        ),
        (Answer(http_status=200, code=40000, message="Invalid Price Field"), "a value"),
        (Answer(http_status=200, code=40105), "access token"),
        (Answer(http_status=401, code=40105), "access token"),
        (Answer(http_status=401), "access token"),
        (Answer(http_status=200, code=40100), "Too many requests"),
        (Answer(http_status=401, code=40100), "Too many requests"),
        (Answer(http_status=429), "Too many requests"),
        (Answer(http_status=200, code=50000), "problem on its side"),
        (Answer(http_status=200, code=51065), "problem on its side"),
        (Answer(http_status=502, message="The answer is not TikTok's JSON."), "problem on its side"),
        (Answer(http_status=503, code=0), "problem on its side"),
        (Answer(http_status=404), "address"),
        (Answer(http_status=407), "was not TikTok's Events API"),
        (Answer(http_status=413), "Too many events"),
        (Answer(http_status=400), "not explained here"),
        (Answer(http_status=302), "address"),
        (Answer(http_status=200, message="The answer is not TikTok's JSON."), "was not TikTok's Events API"),
        (Answer(http_status=200, code=41000), "blocked"),
        (Answer(http_status=200, code=49999), "not explained here"),
        (Answer(code=40105), "access token"),
        (Answer(message="api.example could not be reached. Check the network, the proxy and API_URL."), "nothing was"),
        (Answer(message="The TLS certificate of api.example could not be verified. Check the clock."), "certificate"),
        (Answer(message="No whole answer within 10 seconds."), "TikTok may have the event"),
        (Answer(message="The request failed: InvalidURL."), "TikTok may have the event"),
        (Answer(message="The connection broke off before the answer was whole."), "TikTok may have the event"),
        (Answer(message=UNKNOWN_FATE), "TikTok may have the event"),
        (Answer(message="The answer is not TikTok's JSON."), "was not TikTok's Events API"),
        (Answer(message=NO_TOKEN), "No access token"),
    ],
)
def test_a_failure_is_explained(answer: Answer, part: str) -> None:
    words = explain(answer)

    assert words is not None
    assert part in str(words.meaning)
    assert words.advice


@pytest.mark.parametrize("code", sorted(RETRY_CODES | STOP_CODES))
def test_every_code_of_the_table_is_explained(code: int) -> None:
    words = explain(Answer(http_status=200, code=code))

    assert words is not None
    assert "not explained here" not in str(words.meaning)


def test_nothing_is_explained_where_nothing_was_answered() -> None:
    assert explain(Answer()) is None
