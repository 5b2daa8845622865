"""How states, outcomes and findings look: each in a tone, which is a class of the style sheet.

States as words in coloured frames.

Moments and spans of time as people read them.

What lists and pages show of an event's row: name, money, last answer, pixel call.

CSV that a spreadsheet may open: no cell of it is taken for a formula, whatever separates its cells.

The file has commas. A spreadsheet splits it at whatever the machine's region says (Excel in most of Europe: at
semicolons), and then quotes stand in the middle of its cells and hold nothing together: a text such as "x;=1+1" becomes
two cells, the second of which is a formula. So an apostrophe stands not only before a text that would be computed
(OWASP, CSV Injection) but also after each separator within it. It stays visible. No other character is changed; a NUL
is left out, for Python 3.10 can't write it.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
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

from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.browser.pending_cookie import LIFETIME_SECONDS
from tiktok_attribution.delivery.pixels import OPENS_AFTER
from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, State


class Tone(Enum):
    """How it looks: a class of the style sheet. The text beside it always says the same."""

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
"""The worst first."""


def with_tone(results: list[CheckResult]) -> list[tuple[CheckResult, str]]:
    """For the template: each with its class of the style sheet; the worst first."""
    order = list(LEVEL_TONES)
    ranked = sorted(results, key=lambda result: order.index(result.level))
    return [(result, LEVEL_TONES[result.level].value) for result in ranked]


def badge(text: Text, tone: Tone) -> SafeString:
    """A word in a coloured frame."""
    return format_html('<span class="tiktok-badge tiktok-{}">{}</span>', tone.value, text)


def state_badge(row: OutboxEvent) -> SafeString:
    """The state of the server event; a delivered event with a note is not as it should be."""
    if row.has_warning:
        return badge(_("delivered, with a warning"), Tone.WAIT)
    return badge(row.get_state_display(), TONES.get(row.state, Tone.QUIET))


def outcome_badge(attempt: Attempt) -> SafeString:
    """What an answer meant."""
    return badge(attempt.get_outcome_display(), OUTCOME_TONES.get(attempt.outcome, Tone.QUIET))


def pixel_badge(pixel: PixelStatus) -> SafeString:
    """Whether the pixel may send, and whether TikTok answers."""
    if pixel.stopped_at is not None:
        return badge(_("stopped"), Tone.BAD)
    return badge(_("no answer"), Tone.WAIT) if pixel.failures >= OPENS_AFTER else badge(_("running"), Tone.GOOD)


def here(moment: datetime) -> datetime:
    """In the current time zone; naive ones, as USE_TZ=False has them, are that already."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def since(before: datetime, after: datetime) -> str:
    """How much later, in words: "at once", "41 s later", "3 hours later"."""
    late = (after - before).total_seconds()
    if late < 2:
        return _("at once")
    if late < 60:
        return _("%(seconds)d s later") % {"seconds": late}
    return _("%(span)s later") % {"span": timesince(before, after, depth=1)}


def moment_text(moment: datetime) -> str:
    """Date and time, short."""
    return date_format(here(moment), "SHORT_DATETIME_FORMAT")


def seconds(duration: float | None) -> str:
    """ "0.412 s"; empty where the request never ended."""
    return "" if duration is None else _("%(seconds)s s") % {"seconds": number_format(duration, 3)}


SHORT = 60


def event_name(name: str) -> SafeString:
    """The name, which a narrow column may break between its words: "Complete" and "Registration"."""
    words = re.split(r"(?<=[a-z])(?=[A-Z])", name)
    return format_html_join(SafeString("<wbr>"), "{}", ((word,) for word in words))


def money(row: OutboxEvent) -> str:
    """ "49.90 EUR", in the language's own form; as many decimals as there are, two at least."""
    if row.value is None:
        return ""
    exponent = row.value.normalize().as_tuple().exponent
    decimals = max(2, -exponent if isinstance(exponent, int) else 2)
    return f"{number_format(row.value, decimals)} {row.currency}".strip()


def last_answer(row: OutboxEvent) -> str:
    """Code and message of the last attempt; the note of an event without one, or with a warning. Shortened."""
    attempt = row.last_attempt
    text = row.note if attempt is None or row.has_warning else str(attempt)
    return Truncator(text).chars(SHORT)


def browser_channel(row: OutboxEvent) -> tuple[str, Tone]:
    """Whether a page showed the pixel call, without the time."""
    if row.state == State.INVALID:
        return _("not built"), Tone.QUIET
    if not row.wants_browser:
        return _("not wanted"), Tone.QUIET
    if row.browser_at is not None:
        return _("shown"), Tone.GOOD
    if (timezone.now() - row.created_at).total_seconds() < LIFETIME_SECONDS:
        return _("waiting"), Tone.WAIT
    return _("not shown"), Tone.QUIET


# With every character that Unicode's compatibility form (NFKC) makes one of the first four: full-width, small,
# superscript, subscript. A test compares both lists with Unicode's own tables.
SIGNS = "=+-@\u207a\u207c\u208a\u208c\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
SEPARATORS = ",;|\t\n\r\v\f\x1c\x1d\x1e\x85\u037e\u2028\u2029\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b\uff5c"
_LETTERS = "\u115f\u1160\u3164\uffa0"
FILLERS = f'"\u2800{_LETTERS}'
"""The quote, which only its own separator takes away, and blanks that Unicode calls symbols or letters."""
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of what shows nothing, and may be dropped, before the character that counts."""

# Most cells have no sign where one would matter, and this says so in linear time: a run ends at a separator, and no
# character is in two of its classes.
_SUSPECT = re.compile(rf"(?:^|[{SEPARATORS}])(?:[^\w{SEPARATORS}]|[{_LETTERS}])*[{re.escape(SIGNS)}]")


def csv_text(rows: Iterable[Sequence[object]], *, mark: bool = True) -> str:
    """The rows as text. `mark` is that by which Excel knows UTF-8, for the beginning of a file."""
    out = StringIO()
    csv.writer(out).writerows([cell(value, first=not place) for place, value in enumerate(row)] for row in rows)
    return "\ufeff" * mark + out.getvalue()


def cell(value: object, *, first: bool = False) -> str:
    """The value as the text of a cell.

    A number stays a number, a negative one too: "-5" alone computes to itself. A text that looks like one ("+49 30 …")
    is guarded, and so is a negative number that is `first` in its line, for with another separator the whole line is
    one cell that begins with it.
    """
    text = "" if value is None else str(value).replace("\0", "")
    return text if _is_number(value) and not first else guarded(text)


def guarded(text: str) -> str:
    """The text with an apostrophe at its beginning, and after each separator, where a formula would begin."""
    if not _SUSPECT.search(text):
        return text
    pieces, done = [], 0
    start: int | None = 0  # of the cell that begins here for some separator, as long as nothing of it is seen
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
