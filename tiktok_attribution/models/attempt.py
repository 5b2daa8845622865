"""Every POST to the Events API and its answer."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.event import OutboxEvent
from tiktok_attribution.models.fields import ExactCharField


class Outcome(models.TextChoices):
    """What an answer of the Events API means; `delivery.outcomes` decides."""

    DELIVERED = "delivered", _("delivered")
    RETRY = "retry", _("try again")
    ISOLATE = "isolate", _("refused: a bad event")
    SPLIT = "split", _("refused: too many at once")
    STOP = "stop", _("refused: pixel stopped")
    UNKNOWN = "unknown", _("no answer was seen")


class Attempt(models.Model):
    """One POST to the Events API and its answer. Its key is random, so that it is known before the POST."""

    id = ExactCharField(primary_key=True, max_length=22)
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    started_at = models.DateTimeField(_("started"))
    duration_seconds = models.FloatField(_("duration (s)"), null=True)
    event_count = models.PositiveIntegerField(_("events"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    code = models.IntegerField(_("code"), null=True)
    message = models.CharField(_("message"), max_length=500, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    first_event = models.BigIntegerField(null=True)
    last_event = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = (
            models.Index(fields=("request_id",), name="tiktok_attempt_request"),
            models.Index(fields=("started_at",), name="tiktok_attempt_started"),
        )

    def __str__(self) -> str:
        answer = self.message or self.get_outcome_display()
        return answer if self.code is None else f"{self.code} {answer}"

    def events(self) -> models.QuerySet[OutboxEvent]:
        """Events whose latest attempt this is; the bounds keep the search inside one stretch of the table."""
        nearby: models.QuerySet[OutboxEvent] = OutboxEvent.objects.filter(
            pk__gte=self.first_event or 0, pk__lte=self.last_event or 0
        )
        return nearby.filter(last_attempt=self.pk)
