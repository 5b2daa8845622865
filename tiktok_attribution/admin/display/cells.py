"""What lists and pages show of an event's row: name, money, last answer, pixel call."""

from __future__ import annotations

import re

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from tiktok_attribution.admin.display.tones import Tone
from tiktok_attribution.browser.pending_cookie import LIFETIME_SECONDS
from tiktok_attribution.models import OutboxEvent, State

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
