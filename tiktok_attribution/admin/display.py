"""Small pieces of lists and pages: badges, money, shortened answers."""

from __future__ import annotations

import re
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from tiktok_attribution.admin.words import OUTCOME_TONES, TONES, Text, Tone
from tiktok_attribution.browser.pending import LIFETIME_SECONDS
from tiktok_attribution.delivery.breaker import OPENS_AFTER
from tiktok_attribution.delivery.outcomes import Answer
from tiktok_attribution.models import Attempt, OutboxEvent, PixelStatus, State

SHORT = 60


def badge(text: Text, tone: Tone) -> SafeString:
    """A word in a coloured frame."""
    return format_html('<span class="tiktok-badge tiktok-{}">{}</span>', tone.value, text)


def state_badge(row: OutboxEvent) -> SafeString:
    """The state of the server half."""
    return badge(row.get_state_display(), TONES.get(row.state, Tone.QUIET))


def outcome_badge(attempt: Attempt) -> SafeString:
    """What an answer meant."""
    return badge(attempt.get_outcome_display(), OUTCOME_TONES.get(attempt.outcome, Tone.QUIET))


def pixel_badge(pixel: PixelStatus) -> SafeString:
    """Whether the pixel may send, and whether TikTok answers."""
    if pixel.stopped_at is not None:
        return badge(_("stopped"), Tone.BAD)
    return badge(_("no answer"), Tone.WAIT) if pixel.failures >= OPENS_AFTER else badge(_("running"), Tone.GOOD)


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
    """Code and message of the last attempt, else the note that says why there was none. Shortened."""
    attempt = row.last_attempt
    text = row.note if attempt is None else str(attempt)
    return Truncator(text).chars(SHORT)


def browser_half(row: OutboxEvent) -> tuple[str, Tone]:
    """Whether a page showed the browser's half, without the time."""
    if row.state == State.INVALID:
        return _("not built"), Tone.QUIET
    if not row.wants_browser:
        return _("not wanted"), Tone.QUIET
    if row.browser_at is not None:
        return _("shown"), Tone.GOOD
    if (timezone.now() - row.created_at).total_seconds() < LIFETIME_SECONDS:
        return _("waiting"), Tone.WAIT
    return _("not shown"), Tone.QUIET


def answer_of(record: Attempt | PixelStatus) -> Answer:
    """The stored answer as a value, for `words.explain`."""
    if isinstance(record, Attempt):
        status = record.http_status
    else:  # a pixel keeps the status only where there was no code, before the message
        found = re.match(r"HTTP (\d{3})\b", record.message)
        status = int(found.group(1)) if found else None
    return Answer(http_status=status, code=record.code, message=record.message)


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
    return date_format(timezone.localtime(moment) if timezone.is_aware(moment) else moment, "SHORT_DATETIME_FORMAT")


def seconds(duration: float | None) -> str:
    """ "0.412 s"; empty where the request never ended."""
    return "" if duration is None else _("%(seconds)s s") % {"seconds": number_format(duration, 3)}
