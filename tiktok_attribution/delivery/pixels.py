"""Whether a pixel may send: stopped on token or permission trouble, resumed by hand or by a new token."""

from __future__ import annotations

import logging

from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.delivery.outcomes import Answer
from tiktok_attribution.models import PixelStatus
from tiktok_attribution.signals import pixel_resumed, pixel_stopped

logger = logging.getLogger("tiktok_attribution")

NO_TOKEN = "No access token is configured for this pixel."


def may_send(using: str, pixel_code: str) -> bool:
    """True unless the pixel is stopped. A token other than the one it stopped with lets it go on."""
    settings = conf.current()
    fingerprint = settings.token_fingerprint(pixel_code)
    status = PixelStatus.objects.using(using).filter(pk=pixel_code, stopped_at__isnull=False).first()
    if status is not None:
        if status.token_fingerprint == fingerprint:
            return False
        resume(using, pixel_code)
    if not settings.token_of(pixel_code):
        stop(using, pixel_code, Answer(message=NO_TOKEN))
        return False
    return True


def stop(using: str, pixel_code: str, answer: Answer) -> None:
    """Stop a pixel with the words of the answer; its events wait."""
    status, _ = PixelStatus.objects.using(using).update_or_create(
        pixel_code=pixel_code,
        defaults={
            "stopped_at": timezone.now(),
            "code": answer.code,
            "message": answer.message,
            "token_fingerprint": conf.current().token_fingerprint(pixel_code),
        },
    )
    logger.error("tiktok pixel %s stopped: %s %s", pixel_code, answer.code, answer.message)
    pixel_stopped.send(PixelStatus, pixel=status, using=using)


def resume(using: str, pixel_code: str) -> bool:
    """Let a stopped pixel send again. False when it was not stopped."""
    stopped = PixelStatus.objects.using(using).filter(pk=pixel_code, stopped_at__isnull=False)
    if not stopped.update(stopped_at=None, code=None, message=""):
        return False
    logger.info("tiktok pixel %s resumed", pixel_code)
    pixel_resumed.send(PixelStatus, pixel=PixelStatus.objects.using(using).get(pk=pixel_code), using=using)
    return True
