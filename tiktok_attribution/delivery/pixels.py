"""Decide whether a pixel may send: stopped pixels, pauses, and the circuit breaker.

- A pixel stops when TikTok refuses its token or permission. It resumes by hand or with another token.
- A pause that TikTok asks for is the pixel's: no lane and no worker makes a request before it ends.
- The breaker closes the pixel to requests after OPENS_AFTER failures in a row, for a growing delay. Then one worker,
  which wins a conditional UPDATE, sends a single event as a probe. TikTok's answer to it decides.

Pause and breaker reach at most RETRY_MAX_SECONDS ahead. A later moment was written by a wrong clock and is ignored.
"""

from __future__ import annotations

import hashlib
import logging

from django.db.models import F, Q
from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import SLACK_SECONDS
from tiktok_attribution.delivery.responses import Answer, Verdict, delay_seconds
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.models import PixelStatus
from tiktok_attribution.signals import pixel_resumed, pixel_stopped

logger = logging.getLogger("tiktok_attribution")

NO_TOKEN = "No access token is configured for this pixel: set ACCESS_TOKEN."


@errors_without_values
def token_to_send_with(using: str, pixel_code: str) -> str:
    """Return the token, or "" while the pixel is stopped. A token other than the one it stopped with resumes it."""
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
    """Stop a pixel and store TikTok's message; its events wait. `token` is the one that got this answer."""
    statuses = PixelStatus.objects.using(using)
    statuses.get_or_create(pixel_code=pixel_code)
    stopped = statuses.filter(pixel_code=pixel_code, stopped_at__isnull=True).update(
        stopped_at=timezone.now(),
        code=answer.code,
        message=_in_words(answer)[:500],
        token_fingerprint=_fingerprint(token),
    )
    if stopped:  # False if another worker stopped it a moment ago
        reason = _in_words(answer) if answer.code is None else f"{answer.code} {answer.words}"
        logger.error("tiktok pixel %s stopped: %s", pixel_code, reason)
        pixel_stopped.send_robust(PixelStatus, pixel=statuses.get(pk=pixel_code), using=using)


def _in_words(answer: Answer) -> str:
    """Return TikTok's message. Without a code, the HTTP status goes before it: it stopped the pixel."""
    if answer.code is not None or answer.http_status is None:
        return answer.words or f"HTTP {answer.http_status}"
    words = answer.words
    return f"HTTP {answer.http_status}: {words}" if words else f"HTTP {answer.http_status}"


def resume(using: str, pixel_code: str) -> bool:
    """Let a stopped pixel send again. Return False if it was not stopped."""
    stopped = PixelStatus.objects.using(using).filter(pk=pixel_code, stopped_at__isnull=False)
    if not stopped.update(stopped_at=None, code=None, message=""):
        return False
    logger.info("tiktok pixel %s resumed", pixel_code)
    pixel_resumed.send_robust(PixelStatus, pixel=PixelStatus.objects.using(using).get(pk=pixel_code), using=using)
    return True


@errors_without_values
def _fingerprint(token: str) -> str:
    """Identify a token without containing it: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


OPENS_AFTER = 5


def is_down(answer: Answer, verdict: Verdict) -> bool:
    """Return True if TikTok is down: it gave no answer, or 5xx. A rate limit or a refusal shows that it is up."""
    return answer.http_status is None or verdict.fate_unknown


# Decision: after five requests in a row without an answer, or with 5xx, a pixel is closed to requests for a growing
# pause. Then one worker, which wins a conditional UPDATE, sends one event as a probe. A pause that TikTok asks for is
# the pixel's: no lane makes a request before it ends.
class Breaker:
    """Track a pixel's failed requests during one run. A healthy pixel costs one SELECT a run and no write."""

    def __init__(self, using: str, pixel_code: str) -> None:
        self._statuses = PixelStatus.objects.using(using).filter(pk=pixel_code)
        self._using, self._pixel_code = using, pixel_code
        self._failures = 0
        self._longest = conf.current().retry_max_seconds
        self.is_probing = False
        self.opens_at = 0.0  # epoch seconds from which it may send again, if it may not send now

    def may_pass(self, *, now: float, seconds: float) -> bool:
        """Return True if this run may send. After the breaker's pause, only one of several runs may, as a probe.

        `seconds`: how long the other runs then wait for the probe's answer.
        """
        status = self._statuses.filter(Q(failures__gt=0) | Q(paused_until__gt=now)).first()
        if status is None:
            return True
        self._failures = status.failures
        if self._waits(status.paused_until, now):
            return False
        if status.failures < OPENS_AFTER:
            return True
        if self._waits(status.closed_until, now):
            return False
        same = self._statuses.filter(failures=status.failures, closed_until=status.closed_until)
        self.is_probing = same.update(closed_until=now + seconds) > 0
        return self.is_probing

    def pause(self, *, until: float, now: float) -> None:
        """Store the pause that TikTok asks for. A longer pause that another worker has stored stays."""
        until = min(until, now + self._longest)
        PixelStatus.objects.using(self._using).get_or_create(pixel_code=self._pixel_code)
        self._statuses.exclude(paused_until__range=(until, now + self._longest)).update(paused_until=until)
        logger.info("tiktok pixel %s: TikTok wants a pause of %.0f s", self._pixel_code, until - now)

    def answered(self) -> None:
        """Note that TikTok answered, whatever it said: reset the failures."""
        if self._failures:
            self._statuses.update(failures=0, closed_until=0)
            logger.info("tiktok pixel %s: TikTok answers again", self._pixel_code)
        self._failures, self.is_probing = 0, False

    def failed(self, *, now: float) -> bool:
        """Count one more failure. Return True if the pixel is now closed to requests."""
        PixelStatus.objects.using(self._using).get_or_create(pixel_code=self._pixel_code)
        self._statuses.update(failures=F("failures") + 1)
        self._failures = self._statuses.values_list("failures", flat=True).get()
        if self._failures < OPENS_AFTER:
            return False
        settings = conf.current()
        pause = delay_seconds(
            self._failures - OPENS_AFTER + 1, base=settings.retry_seconds, most=settings.retry_max_seconds
        )
        self._statuses.update(closed_until=now + pause)
        if self._failures == OPENS_AFTER:
            logger.error("tiktok pixel %s: %s requests in a row failed; one probe at a time now", *self._told())
        return True

    def _waits(self, until: float, now: float) -> bool:
        """Return True if this moment is still to come, and remember it as the one to wait for."""
        self.opens_at = until
        return now < until <= now + self._longest + SLACK_SECONDS

    def _told(self) -> tuple[str, int]:
        return self._pixel_code, self._failures
