"""Decide what an answer of the Events API means, in one table, and how long to wait before the next attempt.

Codes and their names are TikTok's own (the return-code list of its SDK); the reactions are this project's. Errors
usually come with HTTP 200, so `code` decides if there is one. Two statuses outrank it. 5xx is tried again whatever the
body says. 413 is about the size of the request, so no single event is to blame.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field, replace

from tiktok_attribution.events.sanitize import without_echoes
from tiktok_attribution.models import Outcome

# Decision: one table decides what an answer means. Texts that were seen to mean configuration trouble (no permission,
# wrong event source) stop the pixel and do not reject events one by one. 40063, a partner name, stops it too, because
# this app sends none. 20001 and 40050 count as delivered.
DELIVERED_CODES = {0, 20001, 40050}  # 20001: partial success, 40050: duplicated request; both leave a note
SPLIT_CODES = {40061}
RATE_CODES = {40016, 40100, 40132, 40133, 61000}
RETRY_CODES = RATE_CODES | {40201, 40202}
STOP_CODES = {
    *(40001, 40003, 40006, 40007, 40009, 40010, 40051),  # permission, wrong address or version, wrong object
    40063,  # partner name: this app sends none, so every event would get it
    *(set(range(40101, 40132)) - {40111}),  # token and app; the meaning of 40111 is not published
    *(40300, 40301, 40302, 40309, 40400, 40900, 41000, 41001, 41002),
}
# 40016 may be a rate limit or a business check; 5310x is (de)serialisation. Worth a few attempts, not a week of them.
FEW_ATTEMPTS = {40016: 5, 53102: 5, 53103: 5}
NOT_HASHED = 40062  # personal data was not hashed: the one refusal that is always this app's own fault
LONG_PAUSE_SECONDS = 300.0

# 40002 is also used for the state of account and configuration. These texts were seen; they stop the pixel.
STOP_TEXTS = re.compile(r"no permission to operate pixel|invalid value for event_source(_id)?\b", re.IGNORECASE)
LONG_PAUSE_TEXTS = re.compile(r"temporarily restricted", re.IGNORECASE)
# Seen: "Batch.0.properties…", zero-based. The other forms are guesses of another project, so what they name is tried
# alone first.
NAMED_TEXTS = re.compile(r"\bbatch\.(\d{1,9})\.", re.IGNORECASE)
INDICATED_EVENTS = re.compile(r"\bdata(?:\.(\d{1,9})\.|\[(\d{1,9})\])|\bevent at index (\d{1,9})\b", re.IGNORECASE)
# A field of TikTok's: "Invalid value for event_id: …", "…contents.0.content_id: …", "Invalid Price Field". Words that
# may also be in a sentence about the account ("user", "event", "status") count only in the form of a field.
_PLAIN = (
    r"(?:event|user|page|properties|contents?|price|quantity|value|currency|description|query|status|email|phone|ttclid"
    r"|ttp|ip|locale|url|referrer|brand)"
)
FIELD_TEXTS = re.compile(
    r"\b(?:batch|data)[.\[]\d|\bevent at index \d"
    r"|\b(?:event_(?:id|time|source|source_id)|content_(?:id|ids|name|type|category)|num_items|order_id|shop_id"
    r"|search_string|phone_number|external_id|user_agent)\b"
    rf"|\binvalid value for {_PLAIN}\b|\binvalid {_PLAIN} field\b|\b{_PLAIN}(?:\.\w|:)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one POST, or why none came. It never contains the request's body or the token.

    `message` may repeat what was sent. Use it only for `judge` and the search for the bad event. Keep, log and show
    `words` instead.
    """

    http_status: int | None = None
    code: int | None = None
    message: str = field(default="", repr=False)
    request_id: str = ""
    retry_after: float | None = None
    duration_seconds: float = 0.0
    unreachable: bool = False  # no byte was sent, so TikTok can't have the events

    @property
    def words(self) -> str:
        """Return the message without the personal data that it repeats. If no answer came, the words are this app's."""
        return self.message if self.http_status is None else without_echoes(self.message)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, and the details of a retry.

    `fate_unknown`: TikTok may have taken the events nevertheless. `pixel_wide`: the pixel's other lanes would get the
    same answer now. `most_attempts`: reject an event after so many. `pause_seconds`: the minimum wait.
    """

    outcome: Outcome
    fate_unknown: bool = False
    pixel_wide: bool = False
    most_attempts: int | None = None
    pause_seconds: float = 0.0


def judge(answer: Answer) -> Verdict:
    """Return the verdict on an answer."""
    status, code = answer.http_status, answer.code
    if status is None:
        return Verdict(Outcome.RETRY, fate_unknown=not answer.unreachable, pixel_wide=True)
    if status >= 500:
        return Verdict(Outcome.RETRY, fate_unknown=True)
    if status == 413:
        return Verdict(Outcome.SPLIT)
    if code is None or (code in DELIVERED_CODES and not 200 <= status < 300):
        return _judge_status(status)
    return _judge_code(code, answer.message)


def _judge_status(status: int) -> Verdict:
    """Judge an answer without a usable code; a proxy or firewall before TikTok may have given it."""
    if status in (400, 422):
        return Verdict(Outcome.ISOLATE)
    if status == 429:
        return Verdict(Outcome.RETRY, pixel_wide=True)
    if status in (408, 425) or status < 300:  # below 300: a success that isn't TikTok's JSON
        return Verdict(Outcome.RETRY, fate_unknown=True)
    return Verdict(Outcome.STOP)  # token, permission, address or proxy: it concerns every event


def _judge_code(code: int, message: str) -> Verdict:
    if code in DELIVERED_CODES:
        return Verdict(Outcome.DELIVERED)
    if code in RETRY_CODES or code >= 50000:
        return _judge_transient(code, message)
    if code in STOP_CODES or (code in (40000, 40002) and STOP_TEXTS.search(message)):
        return Verdict(Outcome.STOP)
    return Verdict(Outcome.SPLIT if code in SPLIT_CODES else Outcome.ISOLATE)  # unknown 4xxxx are isolated too


def _judge_transient(code: int, message: str) -> Verdict:
    verdict = Verdict(Outcome.RETRY, most_attempts=FEW_ATTEMPTS.get(code))
    if 50000 <= code < 60000:  # these include TikTok's own timeouts
        return replace(verdict, fate_unknown=True)
    if code == 60001 or LONG_PAUSE_TEXTS.search(message):
        return replace(verdict, pixel_wide=True, pause_seconds=LONG_PAUSE_SECONDS)
    return replace(verdict, pixel_wide=code in RATE_CODES)


def names_field(message: str) -> bool:
    """Return True if a refusal names a field of the event. One that does not may be about something else."""
    return FIELD_TEXTS.search(message) is not None


def named_events(message: str, count: int) -> frozenset[int]:
    """Return the zero-based indexes of the events that a message names, in a batch of `count`."""
    return _indexes(NAMED_TEXTS, message, count)


def indicated_events(message: str, count: int) -> frozenset[int]:
    """Return the indexes in forms that TikTok was never seen to use; the events that they name are only suspects."""
    return _indexes(INDICATED_EVENTS, message, count)


def _indexes(texts: re.Pattern[str], message: str, count: int) -> frozenset[int]:
    found = (int(next(filter(None, match.groups()))) for match in texts.finditer(message))
    return frozenset(index for index in found if index < count)


# TikTok discards a repeated event_id for 48 hours after the first. When an attempt of unknown outcome is older than
# this, a further attempt could be counted as a second event.
MOST_UNKNOWN_SECONDS = 47 * 3600


def delay_seconds(attempts: int, *, base: float, most: float, floor: float = 0.0) -> float:
    """Return the wait in seconds, with full jitter: up to base · 2^attempts and `most`, but at least `floor`.

    `floor` is what TikTok itself asked for.
    """
    ceiling = min(most, base * 2.0 ** min(attempts, 30))
    return max(random.uniform(0, ceiling), floor)  # noqa: S311 -- spreads workers, hides nothing
