"""Format values for the admin's pages and exports: states in colours, times, money, and CSV cells.

`Tone` is the colour of a state, an outcome or a check result, as a class of the style sheet. `csv_text` writes CSV that
is safe to open in a spreadsheet: no cell is taken as a formula, whatever separator the program uses.

The file has commas, but a spreadsheet splits it at the separator of the machine's region (Excel in most of Europe: at
semicolons). Quotes then protect nothing: "x;=1+1" becomes two cells, and the second is a formula. So an apostrophe is
put before each text that would be computed (OWASP, CSV Injection), and after each separator in it. The apostrophe
stays visible. A NUL is removed, because Python 3.10 can't write it. No other character is changed.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from io import StringIO

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.browser.pending_cookie import LIFETIME_SECONDS
from tiktok_attribution.delivery.pixels import OPENS_AFTER
from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, State


class Tone(Enum):
    """The colour of a text, as a class of the style sheet. The text itself always says the same."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    QUIET = "quiet"


TONES: Mapping[str, Tone] = {
    State.DELIVERED: Tone.GOOD,
    State.WAITING: Tone.WAIT,
    State.AWAITING_CONSENT: Tone.WAIT,
    State.INVALID: Tone.BAD,
    State.REJECTED: Tone.BAD,
    State.EXPIRED: Tone.BAD,
    State.CANCELLED: Tone.QUIET,
    State.BROWSER_ONLY: Tone.QUIET,
}
OUTCOME_TONES: Mapping[str, Tone] = {
    Outcome.DELIVERED: Tone.GOOD,
    Outcome.RETRY: Tone.WAIT,
    Outcome.SPLIT: Tone.WAIT,
    Outcome.UNKNOWN: Tone.WAIT,
    Outcome.ISOLATE: Tone.BAD,
    Outcome.STOP: Tone.BAD,
}
LEVEL_TONES = {Level.ERROR: Tone.BAD, Level.WARNING: Tone.WAIT, Level.OK: Tone.GOOD}
"""Tones by level, the worst level first."""


def with_tone(results: list[CheckResult]) -> list[tuple[CheckResult, str]]:
    """Return the check results, each with its class of the style sheet; the worst first."""
    order = list(LEVEL_TONES)
    ranked = sorted(results, key=lambda result: order.index(result.level))
    return [(result, LEVEL_TONES[result.level].value) for result in ranked]


def badge(text: Text, tone: Tone) -> SafeString:
    """Return a word in a coloured frame."""
    return format_html('<span class="tiktok-badge tiktok-{}">{}</span>', tone.value, text)


def state_badge(row: OutboxEvent) -> SafeString:
    """Return the state of the server event as a badge. A delivered event with a note has a warning."""
    if row.has_warning:
        return badge(_("delivered, with a warning"), Tone.WAIT)
    return badge(row.get_state_display(), TONES.get(row.state, Tone.QUIET))


def outcome_badge(attempt: Attempt) -> SafeString:
    """Return the outcome of an attempt as a badge."""
    return badge(attempt.get_outcome_display(), OUTCOME_TONES.get(attempt.outcome, Tone.QUIET))


def pixel_badge(pixel: PixelStatus) -> SafeString:
    """Return as a badge whether the pixel may send, and whether TikTok answers."""
    if pixel.stopped_at is not None:
        return badge(_("stopped"), Tone.BAD)
    return badge(_("no answer"), Tone.WAIT) if pixel.failures >= OPENS_AFTER else badge(_("running"), Tone.GOOD)


def here(moment: datetime) -> datetime:
    """Convert a time to the current time zone. Naive times (USE_TZ=False) are in it already."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def since(before: datetime, after: datetime) -> str:
    """Return in words how much later it was: "at once", "41 s later", "3 hours later"."""
    late = (after - before).total_seconds()
    if late < 2:
        return _("at once")
    if late < 60:
        return _("%(seconds)d s later") % {"seconds": late}
    return _("%(span)s later") % {"span": timesince(before, after, depth=1)}


def before_text(span_seconds: int) -> str:
    """Return in words how long before the conversion a touch was: "40 seconds before", "2 days before"."""
    if span_seconds < 60:
        text = ngettext("%(seconds)d second before", "%(seconds)d seconds before", span_seconds)
        return text % {"seconds": span_seconds}
    start = datetime(2000, 1, 3)  # noqa: DTZ001 -- a span has no time zone
    return _("%(span)s before") % {"span": timesince(start, start + timedelta(seconds=span_seconds), depth=1)}


def moment_text(moment: datetime) -> str:
    """Return date and time in the short format."""
    return date_format(here(moment), "SHORT_DATETIME_FORMAT")


def seconds(duration: float | None) -> str:
    """Return a duration such as "0.412 s"; "" if the request never ended."""
    return "" if duration is None else _("%(seconds)s s") % {"seconds": number_format(duration, 3)}


SHORT = 60


def event_name(name: str) -> SafeString:
    """Return the name with places where a narrow column may break it: "Complete" and "Registration"."""
    words = re.split(r"(?<=[a-z])(?=[A-Z])", name)
    return format_html_join(SafeString("<wbr>"), "{}", ((word,) for word in words))


def money(row: OutboxEvent) -> str:
    """Return an amount such as "49.90 EUR", in the format of the language, with at least two decimals."""
    if row.value is None:
        return ""
    exponent = row.value.normalize().as_tuple().exponent
    decimals = max(2, -exponent if isinstance(exponent, int) else 2)
    return f"{number_format(row.value, decimals)} {row.currency}".strip()


def last_answer(row: OutboxEvent) -> str:
    """Return code and message of the last attempt, shortened. Without one, or with a warning, return the note."""
    attempt = row.last_attempt
    text = row.note if attempt is None or row.has_warning else str(attempt)
    return Truncator(text).chars(SHORT)


def browser_channel(row: OutboxEvent) -> tuple[str, Tone]:
    """Return whether a page has made the pixel call, and the tone; without the time."""
    if row.state == State.INVALID:
        return _("not built"), Tone.QUIET
    if not row.wants_browser:
        return _("not wanted"), Tone.QUIET
    if row.browser_at is not None:
        return _("shown"), Tone.GOOD
    if (timezone.now() - row.created_at).total_seconds() < LIFETIME_SECONDS:
        return _("waiting"), Tone.WAIT
    return _("not shown"), Tone.QUIET


# With every character that Unicode's compatibility form (NFKC) turns into one of the first four: full-width, small,
# superscript and subscript forms. A test compares both lists with Unicode's own tables.
SIGNS = "=+-@\u207a\u207c\u208a\u208c\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
SEPARATORS = ",;|\t\n\r\v\f\x1c\x1d\x1e\x85\u037e\u2028\u2029\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b\uff5c"
_LETTERS = "\u115f\u1160\u3164\uffa0"
FILLERS = f'"\u2800{_LETTERS}'
"""The quote, which only its own separator removes, and blanks that Unicode counts as symbols or letters."""
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of characters that show nothing and may be dropped before the character that counts."""

# Most cells have no sign where it would matter. This pattern finds that in linear time, because a run ends at a
# separator and no character is in two of its classes.
_SUSPECT = re.compile(rf"(?:^|[{SEPARATORS}])(?:[^\w{SEPARATORS}]|[{_LETTERS}])*[{re.escape(SIGNS)}]")


def csv_text(rows: Iterable[Sequence[object]], *, mark: bool = True) -> str:
    """Return the rows as CSV text. `mark` adds the byte order mark by which Excel knows UTF-8, for a file's start."""
    out = StringIO()
    csv.writer(out).writerows([cell(value, first=not place) for place, value in enumerate(row)] for row in rows)
    return "\ufeff" * mark + out.getvalue()


def cell(value: object, *, first: bool = False) -> str:
    """Return the value as the text of a cell.

    A number stays a number, also a negative one: "-5" alone computes to itself. A text that looks like a number
    ("+49 30 …") is guarded. So is a negative number that is `first` in its line: with another separator the whole line
    is one cell that begins with it.
    """
    text = "" if value is None else str(value).replace("\0", "")
    return text if _is_number(value) and not first else guarded(text)


def guarded(text: str) -> str:
    """Put an apostrophe at the start of the text and after each separator, wherever a formula would begin."""
    if not _SUSPECT.search(text):
        return text
    pieces, done = [], 0
    start: int | None = 0  # of the cell that begins here for some separator, until a visible character comes
    is_blank = True
    for place, one in enumerate(text):
        if one in SEPARATORS:
            start = place + 1
        elif start is None or _is_unseen(one):
            continue
        else:
            if one in SIGNS:
                pieces += ["'" if is_blank and start else "", text[done:start], "'"]
                done = start
            start, is_blank = None, False
    return "".join([*pieces, text[done:]])


def _is_unseen(one: str) -> bool:
    return one in FILLERS or unicodedata.category(one) in UNSEEN


def _is_number(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
