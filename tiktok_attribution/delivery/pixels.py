"""Whether a pixel may send: stopped on token or permission trouble, resumed by hand or by a new token."""

from __future__ import annotations

import hashlib
import logging

from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.models import PixelStatus
from tiktok_attribution.signals import pixel_resumed, pixel_stopped

logger = logging.getLogger("tiktok_attribution")

NO_TOKEN = "No access token is configured for this pixel: set ACCESS_TOKEN."


@errors_without_values
def token_to_send_with(using: str, pixel_code: str) -> str:
    """The token, or "" while the pixel is stopped. Another token than the one it stopped with lets it go on."""
    token = conf.current().token_of(pixel_code)
    status = PixelStatus.objects.using(using).filter(pk=pixel_code, stopped_at__isnull=False).first()
    if status is not None:
        if status.token_fingerprint == _fingerprint(token):
            return ""
        resume(using, pixel_code)
    if not token:
        stop(using, pixel_code, Answer(message=NO_TOKEN), token="")
    return token


@errors_without_values
def stop(using: str, pixel_code: str, answer: Answer, *, token: str) -> None:
    """Stop a pixel with the words of the answer that this token got; its events wait."""
    statuses = PixelStatus.objects.using(using)
    statuses.get_or_create(pixel_code=pixel_code)
    stopped = statuses.filter(pixel_code=pixel_code, stopped_at__isnull=True).update(
        stopped_at=timezone.now(),
        code=answer.code,
        message=_in_words(answer)[:500],
        token_fingerprint=_fingerprint(token),
    )
    if stopped:  # not by another worker a moment ago
        reason = _in_words(answer) if answer.code is None else f"{answer.code} {answer.words}"
        logger.error("tiktok pixel %s stopped: %s", pixel_code, reason)
        pixel_stopped.send_robust(PixelStatus, pixel=statuses.get(pk=pixel_code), using=using)


def _in_words(answer: Answer) -> str:
    """TikTok's message; with the status before it where there is no code, for then the status is what stopped it."""
    if answer.code is not None or answer.http_status is None:
        return answer.words or f"HTTP {answer.http_status}"
    words = answer.words
    return f"HTTP {answer.http_status}: {words}" if words else f"HTTP {answer.http_status}"


def resume(using: str, pixel_code: str) -> bool:
    """Let a stopped pixel send again. False when it was not stopped."""
    stopped = PixelStatus.objects.using(using).filter(pk=pixel_code, stopped_at__isnull=False)
    if not stopped.update(stopped_at=None, code=None, message=""):
        return False
    logger.info("tiktok pixel %s resumed", pixel_code)
    pixel_resumed.send_robust(PixelStatus, pixel=PixelStatus.objects.using(using).get(pk=pixel_code), using=using)
    return True


@errors_without_values
def _fingerprint(token: str) -> str:
    """Tells one token from another without holding it: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]
