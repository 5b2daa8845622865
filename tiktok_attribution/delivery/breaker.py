"""The circuit breaker of a pixel: while TikTok is down, one probe now and then instead of every worker's time-outs.

Closed to requests after OPENS_AFTER failures in a row, for a back-off that grows. Then one worker, who wins a
conditional UPDATE, sends a single event; its answer decides.
"""

from __future__ import annotations

import logging

from django.db.models import F

from tiktok_attribution import conf
from tiktok_attribution.delivery.backoff import delay_seconds
from tiktok_attribution.delivery.outcomes import Answer, Verdict
from tiktok_attribution.models import PixelStatus

logger = logging.getLogger("tiktok_attribution")

OPENS_AFTER = 5


def is_down(answer: Answer, verdict: Verdict) -> bool:
    """Whether an answer, or none, says that TikTok is down; a rate limit or a refusal says the contrary."""
    return answer.http_status is None or verdict.fate_unknown


class Breaker:
    """What one run knows of a pixel's failures. A healthy pixel costs one look a run, and nothing is written."""

    def __init__(self, using: str, pixel_code: str) -> None:
        self._statuses = PixelStatus.objects.using(using).filter(pk=pixel_code)
        self._using, self._pixel_code = using, pixel_code
        self._failures = 0
        self.is_probing = False

    def may_pass(self, *, now: float, seconds: float) -> bool:
        """Whether this run may send. Of several that ask when the pause is over one is let through, to probe.

        `seconds`: how long the others then wait for its answer.
        """
        status = self._statuses.filter(failures__gt=0).first()
        if status is None:
            return True
        self._failures = status.failures
        if status.failures < OPENS_AFTER:
            return True
        if status.closed_until > now:
            return False
        same = self._statuses.filter(failures=status.failures, closed_until=status.closed_until)
        self.is_probing = same.update(closed_until=now + seconds) > 0
        return self.is_probing

    def answered(self) -> None:
        """TikTok is up, whatever it said."""
        if self._failures:
            self._statuses.update(failures=0, closed_until=0)
            logger.info("tiktok pixel %s: TikTok answers again", self._pixel_code)
        self._failures, self.is_probing = 0, False

    def failed(self, *, now: float) -> bool:
        """One failure more. True when the pixel is closed to requests now."""
        PixelStatus.objects.using(self._using).get_or_create(pixel_code=self._pixel_code)
        self._statuses.update(failures=F("failures") + 1)
        self._failures = self._statuses.values_list("failures", flat=True).get()
        if self._failures < OPENS_AFTER:
            return False
        settings = conf.current()
        pause = delay_seconds(
            self._failures - OPENS_AFTER + 1, base=settings.retry_seconds, most=settings.retry_most_seconds
        )
        self._statuses.update(closed_until=now + pause)
        if self._failures == OPENS_AFTER:
            logger.error("tiktok pixel %s: %s requests in a row failed; one probe at a time now", *self._told())
        return True

    def _told(self) -> tuple[str, int]:
        return self._pixel_code, self._failures
