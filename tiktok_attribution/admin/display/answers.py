"""What TikTok's answers mean and how to fix them: a table of codes, one of statuses, one of what was no answer.

TikTok publishes names for its codes and few texts; what is written here is this project's reading of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin.display.words import Words
from tiktok_attribution.delivery.responses import DELIVERED_CODES, RETRY_CODES, STOP_CODES, STOP_TEXTS, Answer
from tiktok_attribution.models import Attempt, PixelStatus

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
