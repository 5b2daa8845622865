"""One table decides what an answer of the Events API means.

Codes and their names are TikTok's own (its SDK's return-code list); the reactions are this project's. Errors usually
come with HTTP 200, so `code` decides; HTTP 5xx is tried again whatever the body says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tiktok_attribution.models import Outcome

DELIVERED_CODES = {0, 20001, 40050}  # 20001: partial success, 40050: duplicated request; both kept with a note
SPLIT_CODES = {40061}
RETRY_CODES = {40016, 40100, 40132, 40133, 40201, 40202, 61000}
STOP_CODES = {
    *(40001, 40003, 40006, 40007, 40009, 40010, 40051, 40063),  # permission, wrong address or version, wrong object
    *range(40101, 40132),  # token and app trouble; 40100 and 40132 are rate limits
    *(40300, 40301, 40302, 40309, 40400, 40900, 41000, 41001, 41002),
}
# 40002 is used for account and configuration state too. These texts were seen; they condemn the pixel, not an event.
STOP_TEXTS = re.compile(r"no permission to operate pixel|invalid value for event_source(_id)?\b", re.IGNORECASE)
# Seen: "Batch.0.properties…". The other two forms are a peer's guesses; a wrong guess costs one refused request.
INDEX_TEXTS = re.compile(r"\b(?:batch|data)(?:\.(\d+)\.|\[(\d+)\])|\bevent at index (\d+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from one POST, or why nothing did. Never holds the body that was sent or the token."""

    http_status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str = ""
    retry_after: float | None = None
    duration_seconds: float = 0.0
    unreachable: bool = False  # refused before a byte was sent: TikTok can't have the events


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and whether TikTok may nevertheless have taken the events."""

    outcome: Outcome
    fate_unknown: bool = False


def judge(answer: Answer) -> Verdict:
    """The reaction to an answer."""
    status, code = answer.http_status, answer.code
    if status is None:
        return Verdict(Outcome.RETRY, fate_unknown=not answer.unreachable)
    if status >= 500:
        return Verdict(Outcome.RETRY, fate_unknown=True)
    if status == 429:
        return Verdict(Outcome.RETRY)
    if code is None or (code in DELIVERED_CODES and not 200 <= status < 300):
        return _judge_status(status)
    return Verdict(_judge_code(code, answer.message))


def _judge_status(status: int) -> Verdict:
    """Answers without a usable code."""
    if status in (401, 403, 404) or 300 <= status < 400:
        return Verdict(Outcome.STOP)
    if 400 <= status < 500:
        return Verdict(Outcome.ISOLATE)
    return Verdict(Outcome.RETRY, fate_unknown=True)  # a 200 that isn't TikTok's JSON


def _judge_code(code: int, message: str) -> Outcome:
    if code in DELIVERED_CODES:
        return Outcome.DELIVERED
    if code in RETRY_CODES or code >= 50000:
        return Outcome.RETRY
    if code in STOP_CODES or (code in (40000, 40002) and STOP_TEXTS.search(message)):
        return Outcome.STOP
    if code in SPLIT_CODES:
        return Outcome.SPLIT
    return Outcome.ISOLATE  # unknown 4xxxx too


def named_events(message: str, count: int) -> frozenset[int]:
    """Zero-based indexes of the events that a message names, of a batch of `count`."""
    found = (int(next(filter(None, groups))) for groups in INDEX_TEXTS.findall(message))
    return frozenset(index for index in found if index < count)
