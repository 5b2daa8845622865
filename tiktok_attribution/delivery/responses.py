"""One table decides what an answer of the Events API means.

Codes and their names are TikTok's own (its SDK's return-code list); the reactions are this project's. Errors usually
come with HTTP 200, so `code` decides where there is one. Two statuses are stronger: 5xx is tried again whatever the
body says, and 413 speaks of the size, which no single event is to blame for.

How long to wait before the next attempt.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field, replace

from tiktok_attribution.events.sanitize import without_echoes
from tiktok_attribution.models import Outcome

DELIVERED_CODES = {0, 20001, 40050}  # 20001: partial success, 40050: duplicated request; both leave a note
SPLIT_CODES = {40061}
RATE_CODES = {40016, 40100, 40132, 40133, 61000}
RETRY_CODES = RATE_CODES | {40201, 40202}
STOP_CODES = {
    *(40001, 40003, 40006, 40007, 40009, 40010, 40051),  # permission, wrong address or version, wrong object
    40063,  # partner name: this app sends none, so every event would get it
    *(set(range(40101, 40132)) - {40111}),  # token and app trouble; nobody has named 40111
    *(40300, 40301, 40302, 40309, 40400, 40900, 41000, 41001, 41002),
}
# 40016 may be a rate limit or a business check, 5310x is (de)serialisation: worth a few attempts, not a week of them.
FEW_ATTEMPTS = {40016: 5, 53102: 5, 53103: 5}
NOT_HASHED = 40062  # the one refusal that is always this app's own fault
LONG_PAUSE_SECONDS = 300.0

# 40002 is used for account and configuration state too. These texts were seen; they condemn the pixel, not an event.
STOP_TEXTS = re.compile(r"no permission to operate pixel|invalid value for event_source(_id)?\b", re.IGNORECASE)
LONG_PAUSE_TEXTS = re.compile(r"temporarily restricted", re.IGNORECASE)
# Seen: "Batch.0.properties…", zero-based. The other forms are a peer's guesses, so what they name is tried alone first.
NAMED_TEXTS = re.compile(r"\bbatch\.(\d{1,9})\.", re.IGNORECASE)
INDICATED_EVENTS = re.compile(r"\bdata(?:\.(\d{1,9})\.|\[(\d{1,9})\])|\bevent at index (\d{1,9})\b", re.IGNORECASE)
# A field of TikTok's: "Invalid value for event_id: …", "…contents.0.content_id: …", "Invalid Price Field". Words that a
# sentence about the account may hold too ("user", "event", "status") count only in the form of a field.
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
    """What came back from one POST, or why nothing did. Never holds the body that was sent or the token.

    `message` may repeat what was sent: it is for `judge` and for the search of the bad event. Whatever is kept, logged
    or shown is `words`.
    """

    http_status: int | None = None
    code: int | None = None
    message: str = field(default="", repr=False)
    request_id: str = ""
    retry_after: float | None = None
    duration_seconds: float = 0.0
    unreachable: bool = False  # refused before a byte was sent: TikTok can't have the events

    @property
    def words(self) -> str:
        """The message without what it repeats of a person. Where no answer came the words are this app's own."""
        return self.message if self.http_status is None else without_echoes(self.message)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and what goes with trying again.

    `fate_unknown`: TikTok may have taken the events all the same. `pixel_wide`: the pixel's other lanes would fare no
    better now. `most_attempts`: reject after so many. `pause_seconds`: wait this long at least.
    """

    outcome: Outcome
    fate_unknown: bool = False
    pixel_wide: bool = False
    most_attempts: int | None = None
    pause_seconds: float = 0.0


def judge(answer: Answer) -> Verdict:
    """The reaction to an answer."""
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
    """Answers without a usable code: something between here and TikTok may have given them."""
    if status in (400, 422):
        return Verdict(Outcome.ISOLATE)
    if status == 429:
        return Verdict(Outcome.RETRY, pixel_wide=True)
    if status in (408, 425) or status < 300:  # a 200 that isn't TikTok's JSON
        return Verdict(Outcome.RETRY, fate_unknown=True)
    return Verdict(Outcome.STOP)  # token, permission, address or proxy: each concerns every event


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
    if 50000 <= code < 60000:  # TikTok's own time-outs are among them
        return replace(verdict, fate_unknown=True)
    if code == 60001 or LONG_PAUSE_TEXTS.search(message):
        return replace(verdict, pixel_wide=True, pause_seconds=LONG_PAUSE_SECONDS)
    return replace(verdict, pixel_wide=code in RATE_CODES)


def names_field(message: str) -> bool:
    """Whether a refusal says what of an event it refuses; one that doesn't may be about something else."""
    return FIELD_TEXTS.search(message) is not None


def named_events(message: str, count: int) -> frozenset[int]:
    """Zero-based indexes of the events that a message names, of a batch of `count`."""
    return _indexes(NAMED_TEXTS, message, count)


def indicated_events(message: str, count: int) -> frozenset[int]:
    """The same from forms that nobody saw TikTok use: whom they name is suspect, not convicted."""
    return _indexes(INDICATED_EVENTS, message, count)


def _indexes(texts: re.Pattern[str], message: str, count: int) -> frozenset[int]:
    found = (int(next(filter(None, match.groups()))) for match in texts.finditer(message))
    return frozenset(index for index in found if index < count)


# TikTok drops a repeated event_id for 48 hours after the first. Past this age of an attempt whose fate is unknown, one
# more could be counted as a second event.
MOST_UNKNOWN_SECONDS = 47 * 3600


def delay_seconds(attempts: int, *, base: float, most: float, floor: float = 0.0) -> float:
    """Full jitter: anything up to base · 2^attempts (at most `most`), but not less than `floor`, TikTok's own wish."""
    ceiling = min(most, base * 2.0 ** min(attempts, 30))
    return max(random.uniform(0, ceiling), floor)  # noqa: S311 -- spreads workers, hides nothing
