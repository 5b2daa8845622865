"""What the states of events and pixels mean, in words for whoever looks.

What TikTok's answers mean and how to fix them: a table of codes, one of statuses, one of what was no answer.

TikTok publishes names for its codes and few texts; what is written here is this project's reading of them.

Why an event is left as it is, in words.
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
    """What it means, and what to do about it ("" where there is nothing to do)."""

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
        _("Nothing to do: the answer releases it or drops it, and without one it is dropped in time."),
    ),
    State.DELIVERED: Words(_("TikTok has accepted this event. Events Manager shows it after some time."), ""),
    State.INVALID: Words(
        _("The event could not be built, so nothing was sent. The order or sign-up itself is not affected."),
        _("Fix what the reason names, in the settings or in the object; then send it again."),
    ),
    State.REJECTED: Words(
        _("TikTok refused this event."),
        _(
            "Sent again, it goes out word for word as it is stored. That helps where the cause lay outside the event: "
            "in the account, or at TikTok."
        ),
    ),
    State.EXPIRED: Words(
        _("Given up: it waited too long to be sent safely."),
        _("Find out what kept it: no worker, a stopped pixel, or TikTok out of reach."),
    ),
    State.CANCELLED: Words(
        _("Called off by hand. Its pixel call, if a page showed it, is not undone."),
        _("It can be sent again."),
    ),
    State.BROWSER_ONLY: Words(_("Declared for the browser alone: no server event is sent for it."), ""),
}

INVALID_ALONE = Words(
    _("The event could not be built, so nothing was sent. The visitor noticed nothing."),
    _("It belongs to no object and can't be built again here: fix what the reason names, where track() is called."),
)
WARNED = Words(
    _("TikTok has accepted this event, but not all of it could be sent, or something is missing in it."),
    _("A delivered event can't be changed. Fix what the reason names; future events will have it."),
)
STOPPED = Words(
    _("TikTok refuses everything of this pixel, so nothing more is sent. Its events wait and are not lost."),
    _("Fix the cause, then resume the pixel. A new token resumes it by itself."),
)
PIXEL_DOWN = Words(
    _("TikTok does not answer this pixel's requests. Its events wait and are not lost."),
    _(
        "Nothing to do while TikTok is down: one event is sent now and then to see whether it is back. If other sites "
        "reach TikTok, see that this server may open HTTPS connections outwards: firewall, proxy, DNS."
    ),
)
PIXEL_RUNS = Words(_("This pixel may send. What stopped or delayed it once is over."), "")


def words_of_event(state: str, object_label: str) -> Words:
    """What its state means; of one that tells of no object, nobody's order is spoken of."""
    if state == State.INVALID and not object_label:
        return INVALID_ALONE
    return STATES.get(state, Words("", ""))


_TOKEN = Words(
    _("TikTok does not accept the access token: it is wrong, expired or revoked."),
    _("Generate a new one in Events Manager (the pixel, Settings, Events API) and set ACCESS_TOKEN to it, bare."),
)
_PERMISSION = Words(
    _("The token is not allowed to send events for this pixel."),
    _("Generate the token in the account that owns this pixel, or give that account admin or operator rights to it."),
)
_PARAMETER = Words(
    _("TikTok refused a value in the event."),
    _("Its message names the value: fix the field that it comes from, for the events to come."),
)
_PIXEL = Words(
    _("TikTok does not take this pixel code, or not from this token's account."),
    _("Compare PIXEL_CODE with the pixel's id in Events Manager. It must be a web pixel of the token's account."),
)
_TOO_MANY = Words(
    _("Too many requests for now."), _("Nothing to do: it is tried again, after longer and longer pauses.")
)
_ADDRESS = Words(
    _("The address or the version of the Events API is wrong."),
    _("Remove API_URL from the settings, or compare it with TikTok's documentation; upgrade this app."),
)
_TIKTOKS = Words(_("TikTok has trouble of its own."), _("Nothing to do: it is tried again by itself."))
_ACCOUNT = Words(
    _("TikTok has blocked this access or does not grant it."),
    _("Look into the account in TikTok Business Center, and ask TikTok's support with the request id."),
)
_UNKNOWN_CODE = Words(
    _("TikTok refused the event with a code that is not explained here."),
    _("Its own message says more; TikTok's support asks for the request id."),
)
_NOT_TIKTOK = Words(
    _("What answered was not TikTok's Events API."),
    _("See what stands between this server and TikTok: a proxy, a captive page, or a wrong API_URL."),
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
        _("TikTok says that personal data came unhashed."), _("This app hashes it: please report this as its fault.")
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
            _("No connection to TikTok could be made; nothing was sent."),
            _("See that this server may open HTTPS connections outwards: firewall, proxy, DNS. It is tried again."),
        ),
    ),
    (
        re.compile("certificate|TLS", re.IGNORECASE),
        Words(
            _("The certificate at TikTok's address could not be verified."),
            _("Update the certificates of this server (certifi), or see what proxy stands between."),
        ),
    ),
    (re.compile("not TikTok's JSON"), _NOT_TIKTOK),
    (
        re.compile("no (whole )?answer|saw an answer|broke off|failed", re.IGNORECASE),
        Words(
            _("The request went out and no answer came, so TikTok may have the event."),
            _("Nothing to do: it is repeated with the same event_id for up to 47 hours, and TikTok counts it once."),
        ),
    ),
)


def explain(answer: Answer) -> Words | None:
    """What an answer means and how to fix it, in the order of `delivery.outcomes.judge`; None when there is none."""
    status, code = answer.http_status, answer.code
    if status is None and code is None:
        return next((words for pattern, words in NO_ANSWER if pattern.search(answer.message)), None)
    status = 200 if status is None else status  # a pixel's row keeps the code alone
    denied = code in DELIVERED_CODES and not 200 <= status < 300
    if code is None or denied or status >= 500 or status in (413, 429):
        return _explain_status(status)
    return _explain_code(code, answer.message)


def explain_stored(record: Attempt | PixelStatus) -> Words | None:
    """The same for an answer as the outbox keeps it."""
    if isinstance(record, Attempt):
        status = record.http_status
    else:  # a pixel keeps the status only where there was no code, before the message
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
    """Why an invalid event was not built again."""

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
    SkipReason.ALREADY_DUE: _("it is due already; see that a worker runs"),
    SkipReason.AWAITING_CONSENT: _("its visitor has not agreed yet"),
    SkipReason.DOUBTFUL: _("TikTok may have it and remember it no longer, so it could count twice: open it to decide"),
    SkipReason.SETTLED: _("only what waits can be cancelled"),
    Unbuilt.NO_OBJECT: _("it is invalid and belongs to no object, so it can't be built again: track() it anew"),
    Unbuilt.GONE: _("it is invalid and its object is not found any more"),
    Unbuilt.UNDECLARED: _("it is invalid and no conversion of this name is declared for its object"),
    Unbuilt.NOT_HAPPENED: _("it is invalid and its object does not count as this conversion any more"),
    Unbuilt.STILL: _("it was built again and is still invalid: the cause is not fixed yet"),
    Unbuilt.LATER: _("so many invalid events are not built in one go: repeat this"),
}
