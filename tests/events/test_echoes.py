"""TikTok's words are kept without what they repeat of a person, and still say what is wrong."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.events.sanitize import MAX_WORDS, without_echoes

pytestmark = [pytest.mark.privacy, pytest.mark.hostile]

DIGEST = "5e0f" * 16
TTCLID = "E.C.P.CoYBhd7YXXyAOQqQw6fa0B1kkoM9kF3dvgqYkL0WgJ4MbYb7LQ"
TTP = "2QGpVn5sjWqAbCdEfGhIjKlMnOp"
ECHOES = [
    "marked.person@example.com",
    "marked.person%40example.com",
    "marked.person%2540example.com",
    "+49 30 901820",
    "+4915112345678",
    "(555) 010-0199",
    "81.2.69.142",
    "2001:db8:85a3::8a2e:370:7334",
    "fe80::1",
    "::ffff:81.2.69.142",
    DIGEST,
    DIGEST.upper(),
    DIGEST[:48],
    TTCLID,
    TTCLID.removeprefix("E.C.P."),
    TTP,
    "01JX3T3Y9QKX5G6W7Z8A9B0C1D_.tt.1",
    "https://shop.example/clinic/ada?email=a@b.example&ttclid=x",
]
FRAMES = ["{}", "bad value {}.", 'user.x: "{}" is wrong', "[{}]", "ip:{}", "got {}, wanted another", "({}) at 10:00:00"]


def parts(echo: str) -> list[str]:
    """What must be gone: of an address of a page its host may stay."""
    return ["clinic", "ada", "a@b"] if echo.startswith("https") else [echo, echo[2:-2]]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("echo", ECHOES)
def test_what_is_a_persons_is_cut_out(echo: str, frame: str) -> None:
    words = without_echoes(frame.format(echo))
    for part in parts(echo):
        assert part not in words


@pytest.mark.parametrize("text", ["ttclid: abc", 'ttclid="abc"', '{"ttp": "abc"}', "_ttp=abc", "ttclid=abc&x=1"])
def test_what_is_named_a_click_id_is_cut_out_whatever_its_form(text: str) -> None:
    assert "abc" not in without_echoes(text)


@pytest.mark.parametrize(
    "text",
    [
        "OK",
        "Batch.0.properties.contents.0.content_id: Invalid value",
        "Batch.17.context.user.external_id is not hashed with SHA-256",
        "No permission to operate pixel C0EXAMPLE0000000000AB",
        "Invalid value for event_source_id: not a valid string.",
        'partly data: {"failed": ["order-1", "order-2026-11-29-000042"]}',
        "event_id web-0f8fad5b-d9cb-469f-a165-70867728950e was seen before",
        "event_id 0f8fad5bd9cb469fa16570867728950e was seen before",
        "event_time 1764000000 is older than 7 days, at 2026-11-29 10:00:00, v1.3",
        "data.0.properties.value 1299.00 EUR",
        "Access token [token] is incorrect or has been revoked.",
    ],
)
def test_what_says_where_the_problem_is_stays(text: str) -> None:
    assert without_echoes(text) == text


@pytest.mark.parametrize("echo", ECHOES)
def test_what_the_limit_breaks_is_cut_out_too(echo: str) -> None:
    for at in range(MAX_WORDS - len(echo) - 3, MAX_WORDS + 3):
        words = without_echoes("x " * (at // 2) + " " * (at % 2) + echo + " and more" * 20)
        assert len(words) < MAX_WORDS
        for part in parts(echo):
            assert part[:6] not in words


@given(st.text(max_size=900) | st.lists(st.sampled_from([*ECHOES, " ", ",", "a", "::", "."])).map("".join))
def test_a_second_time_changes_nothing(text: str) -> None:
    once = without_echoes(text)
    assert len(once) < MAX_WORDS
    assert without_echoes(once) == once


@pytest.mark.parametrize(
    "unit", ["a", "1", ":", "::", "1.", "f", "@", "a@", "%40", "https://", "E.C.P.", "a-", "ttclid:"]
)
def test_a_megabyte_of_anything_is_quick(unit: str) -> None:
    started = time.process_time()
    without_echoes(unit * (1_000_000 // len(unit)))
    without_echoes((unit * MAX_WORDS)[: MAX_WORDS - 1])
    assert time.process_time() - started < 0.5
