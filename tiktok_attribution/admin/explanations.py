"""Explain states and TikTok's answers to people: what they mean, and what to do about them.

`STATES` covers the states of events. `CODES`, `STATUSES` and `NO_ANSWER` cover TikTok's codes, HTTP statuses and
requests without an answer. `REASONS` says why an action left an event as it is. TikTok publishes names for its codes
but few explanations: the explanations here are this project's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.delivery.manual import SkipReason
from tiktok_attribution.delivery.responses import DELIVERED_CODES, RETRY_CODES, STOP_CODES, STOP_TEXTS, Answer
from tiktok_attribution.models import Attempt, PixelStatus, State

Text = str | Promise


class Words(NamedTuple):
    """A meaning, and advice on what to do. The advice is "" if there is nothing to do."""

    meaning: Text
    advice: Text


STATES: Mapping[str, Words] = {
    State.WAITING: Words(
        _("Recorded here and not yet taken by TikTok."),
        _(
            "Nothing to do for the first minute. If it stays, see that a Celery worker runs, "
            "or run: manage.py tiktok_deliver"
        ),
    ),
    State.AWAITING_CONSENT: Words(
        _("The visitor has not answered the question for consent. Nothing is sent before a yes."),
        _("Nothing to do: a yes releases the event. A no suppresses it, and so does no answer in time."),
    ),
    State.DELIVERED: Words(_("TikTok has accepted this event. Events Manager shows it after some time."), ""),
    State.INVALID: Words(
        _("The event could not be built, so nothing was sent. The order or sign-up itself is not affected."),
        _("Fix what the reason names, in the settings or in the object; then send it again."),
    ),
    State.REJECTED: Words(
        _("TikTok refused this event."),
        _(
            "If you send it again, TikTok gets the stored text unchanged. That helps if the cause was not the event: "
            "a problem in the account, or at TikTok."
        ),
    ),
    State.EXPIRED: Words(
        _("It waited too long and can't be sent safely any more."),
        _("Find out what delayed it: no worker, a stopped pixel, or no connection to TikTok."),
    ),
    State.CANCELLED: Words(
        _("Cancelled by a person. A pixel call that a page has made is not undone."),
        _("You can send it again."),
    ),
    State.BROWSER_ONLY: Words(_("Declared for the browser channel only: no server event is sent."), ""),
}

INVALID_ALONE = Words(
    _("The event could not be built, so nothing was sent. The visitor noticed nothing."),
    _("It belongs to no object and can't be built again here. Fix what the reason names, where track() is called."),
)
WARNED = Words(
    _("TikTok has accepted this event, but not all of it could be sent, or something is missing in it."),
    _("A delivered event can't be changed. Fix what the reason names; future events will have it."),
)
STOPPED = Words(
    _("TikTok refuses all events of this pixel, so nothing more is sent. Its events wait and are not lost."),
    _("Fix the cause, then resume the pixel. A new token resumes it by itself."),
)
PIXEL_DOWN = Words(
    _("TikTok does not answer this pixel's requests. Its events wait and are not lost."),
    _(
        "Nothing to do while TikTok is down: one event is sent now and then to see whether it is back. If other sites "
        "reach TikTok, check that this server can open HTTPS connections to the internet: firewall, proxy, DNS."
    ),
)
PIXEL_RUNS = Words(_("This pixel may send. What stopped or delayed it once is over."), "")


def words_of_event(state: str, object_label: str) -> Words:
    """Explain the state of an event; an event without an object gets a text that names no order or sign-up."""
    if state == State.INVALID and not object_label:
        return INVALID_ALONE
    return STATES.get(state, Words("", ""))


_TOKEN = Words(
    _("TikTok does not accept the access token: it is wrong, expired or revoked."),
    _("Generate a new one in Events Manager (the pixel, Settings, Events API) and set ACCESS_TOKEN to it, unchanged."),
)
_PERMISSION = Words(
    _("The token is not allowed to send events for this pixel."),
    _("Generate the token in the account that owns this pixel, or give that account admin or operator rights to it."),
)
_PARAMETER = Words(
    _("TikTok refused a value in the event."),
    _("TikTok's message names the value. Fix the field that it comes from; future events will pass."),
)
_PIXEL = Words(
    _("TikTok does not accept this pixel code, or not from this token's account."),
    _("Compare PIXEL_CODE with the pixel's id in Events Manager. It must be a web pixel of the token's account."),
)
_TOO_MANY = Words(
    _("Too many requests for now."), _("Nothing to do: this app tries again, after longer and longer pauses.")
)
_ADDRESS = Words(
    _("The address or the version of the Events API is wrong."),
    _("Remove API_URL from the settings, or compare it with TikTok's documentation; upgrade this app."),
)
_TIKTOKS = Words(_("TikTok has a problem on its side."), _("Nothing to do: this app tries again by itself."))
_ACCOUNT = Words(
    _("TikTok has blocked this access or does not grant it."),
    _("Check the account in TikTok Business Center, and send TikTok's support the request id."),
)
_UNKNOWN_CODE = Words(
    _("TikTok refused the event with a code that is not explained here."),
    _("Read TikTok's message. If you ask TikTok's support, give them the request id."),
)
_NOT_TIKTOK = Words(
    _("What answered was not TikTok's Events API."),
    _("Check what is between this server and TikTok: a proxy, a login page of the network, or a wrong API_URL."),
)

CODES: Mapping[int, Words] = {
    0: Words(_("Accepted."), ""),
    20001: Words(_("Accepted, with a warning."), _("Read the message in the timeline.")),
    40000: _PARAMETER,
    40002: _PARAMETER,
    40001: _PERMISSION,
    40003: _PERMISSION,
    40006: _ADDRESS,
    40051: _ADDRESS,
    40400: _ADDRESS,
    40050: Words(_("TikTok had this event already, so it counts as delivered."), ""),
    40061: Words(_("Too many events in one request."), _("Nothing to do: they are sent in smaller requests.")),
    40062: Words(
        _("TikTok says that personal data was not hashed."), _("This app hashes it: please report this as a bug.")
    ),
    40102: _TOKEN,
    40104: _TOKEN,
    40105: _TOKEN,
    **dict.fromkeys(sorted(RETRY_CODES), _TOO_MANY),
}
STATUSES: Mapping[int, Words] = {
    400: _UNKNOWN_CODE,
    422: _UNKNOWN_CODE,
    401: _TOKEN,
    403: _TOKEN,
    404: _ADDRESS,
    413: CODES[40061],
    429: _TOO_MANY,
}

NO_ANSWER: Sequence[tuple[re.Pattern[str], Words]] = (
    (
        re.compile("no access token", re.IGNORECASE),
        Words(
            _("No access token is configured for this pixel."),
            _("Generate one in Events Manager (the pixel, Settings, Events API) and set ACCESS_TOKEN to it."),
        ),
    ),
    (
        re.compile("refused|could not be reached", re.IGNORECASE),
        Words(
            _("This server could not connect to TikTok; nothing was sent."),
            _("Check that this server can open HTTPS connections: firewall, proxy, DNS. This app tries again."),
        ),
    ),
    (
        re.compile("certificate|TLS", re.IGNORECASE),
        Words(
            _("The certificate at TikTok's address could not be verified."),
            _("Update the certificates of this server (certifi), or check whether a proxy replaces TikTok's."),
        ),
    ),
    (re.compile("not TikTok's JSON"), _NOT_TIKTOK),
    (
        re.compile("no (whole )?answer|saw an answer|broke off|failed", re.IGNORECASE),
        Words(
            _("The request was sent but no answer came, so TikTok may have the event."),
            _("Nothing to do: it is repeated with the same event_id for up to 47 hours, and TikTok counts it once."),
        ),
    ),
)


def explain(answer: Answer) -> Words | None:
    """Explain an answer of TikTok, in the same order as `delivery.outcomes.judge`; None if no text fits."""
    status, code = answer.http_status, answer.code
    if status is None and code is None:
        return next((words for pattern, words in NO_ANSWER if pattern.search(answer.message)), None)
    status = 200 if status is None else status  # a pixel's row stores only the code
    denied = code in DELIVERED_CODES and not 200 <= status < 300
    if code is None or denied or status >= 500 or status in (413, 429):
        return _explain_status(status)
    return _explain_code(code, answer.message)


def explain_stored(record: Attempt | PixelStatus) -> Words | None:
    """Explain an answer that is stored in an attempt or in a pixel's row."""
    if isinstance(record, Attempt):
        status = record.http_status
    else:  # a pixel's row stores the status only without a code, at the start of the message
        found = re.match(r"HTTP (\d{3})\b", record.message)
        status = int(found.group(1)) if found else None
    return explain(Answer(http_status=status, code=record.code, message=record.message))


def _explain_code(code: int, message: str) -> Words:
    if code in (40000, 40002) and STOP_TEXTS.search(message):
        return _PIXEL
    if code in CODES:
        return CODES[code]
    if code >= 50000:
        return _TIKTOKS
    return _ACCOUNT if code in STOP_CODES else _UNKNOWN_CODE


def _explain_status(status: int) -> Words:
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return _TIKTOKS
    return _ADDRESS if 300 <= status < 400 else _NOT_TIKTOK


class Unbuilt(Enum):
    """Reasons why an invalid event was not built again."""

    NO_OBJECT = "no object"
    GONE = "gone"
    UNDECLARED = "undeclared"
    NOT_HAPPENED = "not happened"
    STILL = "still"
    LATER = "later"


REASONS: Mapping[SkipReason | Unbuilt, Text] = {
    SkipReason.DELIVERED: _("TikTok has it already"),
    SkipReason.BROWSER_ONLY: _("it has no server event"),
    SkipReason.CLEARED: _("its text was cleared, so there is nothing to send"),
    SkipReason.TOO_OLD: _("it happened longer ago than MAX_AGE_DAYS, and would only expire again"),
    SkipReason.ALREADY_DUE: _("it is due already; check that a worker runs"),
    SkipReason.AWAITING_CONSENT: _("its visitor has not agreed yet"),
    SkipReason.DOUBTFUL: _(
        "TikTok may have it and no longer know it, so it could count twice: open the event to decide"
    ),
    SkipReason.SETTLED: _("only waiting events can be cancelled"),
    Unbuilt.NO_OBJECT: _("it is invalid and belongs to no object, so it can't be built again: call track() again"),
    Unbuilt.GONE: _("it is invalid and its object no longer exists"),
    Unbuilt.UNDECLARED: _("it is invalid and no conversion of this name is declared for its object"),
    Unbuilt.NOT_HAPPENED: _("it is invalid and its object no longer meets the condition of this conversion"),
    Unbuilt.STILL: _("it was built again and is still invalid: the cause is not fixed yet"),
    Unbuilt.LATER: _("there are too many invalid events to build at once: repeat this action"),
}
