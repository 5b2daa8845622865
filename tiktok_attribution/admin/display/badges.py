"""States as words in coloured frames."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tiktok_attribution.admin.display.tones import OUTCOME_TONES, TONES, Tone
from tiktok_attribution.admin.display.words import Text
from tiktok_attribution.delivery.pixels import OPENS_AFTER
from tiktok_attribution.models import Attempt, OutboxEvent, PixelStatus


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
