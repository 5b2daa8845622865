"""Models of delivery: attempts, the state of a pixel, lanes and turns, and background jobs.

`Attempt` is one POST. `PixelStatus`, `Lane` and `Turn` decide who may send, and when. `BulkJob` is a manual action over
all events of a filter.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField
from tiktok_attribution.models.outbox import OutboxEvent


class Outcome(models.TextChoices):
    """What an answer of the Events API means; `delivery.responses` decides."""

    DELIVERED = "delivered", _("delivered")
    RETRY = "retry", _("try again")
    ISOLATE = "isolate", _("refused: a bad event")
    SPLIT = "split", _("refused: too many at once")
    STOP = "stop", _("refused: pixel stopped")
    UNKNOWN = "unknown", _("no answer was seen")


# Decision: an attempt is one row for each POST, not one for each POST and event. An event keeps the keys of its
# attempts in a text that is written in the same UPDATE as its state. An attempt knows the first and last key of its
# batch, so its events are found in one range of the table without another index.
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
        """Return the events whose latest attempt this is. The two keys limit the search to a range of the table."""
        nearby: models.QuerySet[OutboxEvent] = OutboxEvent.objects.filter(
            pk__gte=self.first_event or 0, pk__lte=self.last_event or 0
        )
        return nearby.filter(last_attempt=self.pk)


class PixelStatus(models.Model):
    """Whether a pixel may send. It stops when TikTok refuses its token or permission; its events wait."""

    pixel_code = ExactCharField(_("pixel"), max_length=64, primary_key=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    code = models.IntegerField(_("code"), null=True)
    message = models.CharField(_("message"), max_length=500, blank=True)
    token_fingerprint = models.CharField(max_length=16, blank=True)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Requests in a row that TikTok did not answer, or answered with 5xx.")
    )
    closed_until = models.FloatField(default=0, help_text=_("Unix seconds until which no request is made after those."))
    paused_until = models.FloatField(default=0, help_text=_("Unix seconds until which TikTok wants no request."))

    class Meta:
        verbose_name = _("pixel")
        verbose_name_plural = _("pixels")
        permissions = (
            ("resume_pixelstatus", "Can resume stopped pixels"),
            ("test_pixelstatus", "Can send test events"),
        )

    def __str__(self) -> str:
        return self.pixel_code


class Diagnosis(PixelStatus):
    """Proxy model that gives the diagnosis page its place in the admin and its permission."""

    class Meta:
        proxy = True
        verbose_name = _("diagnosis")
        verbose_name_plural = _("diagnosis")
        default_permissions = ("view",)


class Lane(models.Model):
    """A lease over the events of one lane of a pixel: who sends them, until when, and which are on their way."""

    pixel_code = ExactCharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=22, blank=True)
    leased_until = models.FloatField(default=0)
    in_flight = models.TextField(blank=True, help_text=_("Keys of the events in a POST that has not been answered."))
    in_flight_since = models.FloatField(null=True)
    next_at = models.FloatField(default=0, help_text=_("Unix seconds from which the rate limit lets it send again."))
    suspects = models.PositiveIntegerField(
        default=0, help_text=_("How many of the events that are due longest hold one that TikTok refuses.")
    )
    batch_limit = models.PositiveIntegerField(default=0, help_text=_("Events of the next request; 0 for BATCH_SIZE."))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("pixel_code", "number"), name="tiktok_lane_once"),)

    def __str__(self) -> str:
        return f"{self.pixel_code}/{self.number}"


class Turn(models.Model):
    """A Celery task's turn to send for a pixel: who has it, and until when. A pixel has DELIVERY_TASKS turns."""

    pixel_code = ExactCharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=22, blank=True)
    leased_until = models.FloatField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("pixel_code", "number"), name="tiktok_turn_once"),)

    def __str__(self) -> str:
        return f"{self.pixel_code}/{self.number}"


class BulkVerb(models.TextChoices):
    """The action that a job applies to each event."""

    RETRY = "retry", _("send again")
    CANCEL = "cancel", _("cancel")


class BulkState(models.TextChoices):
    """The state of a background job."""

    RUNNING = "running", _("running")
    DONE = "done", _("done")
    STOPPED = "stopped", _("stopped by hand")
    FAILED = "failed", _("given up")


class BulkJob(models.Model):
    """A manual action over the keys from `first_key` to `last_key`; `cursor` is the last key that is done.

    The cursor moves in the transaction that changes the events, by an UPDATE that names the old cursor. So no page is
    done twice, whichever process works and whenever it dies. Events that are recorded later have keys above
    `last_key`.
    """

    verb = models.CharField(_("what"), max_length=10, choices=BulkVerb.choices)
    chosen = models.TextField(default="{}", help_text=_("JSON of a delivery.event_search.EventFilter."))
    asked_by = models.CharField(max_length=64, blank=True, help_text=_("Key of the user who asked for it."))
    state = models.CharField(_("state"), max_length=10, choices=BulkState.choices, default=BulkState.RUNNING)
    first_key = models.BigIntegerField(default=0)
    last_key = models.BigIntegerField(default=0)
    cursor = models.BigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(_("changed"), default=0)
    left_alone = models.PositiveBigIntegerField(_("left as they were"), default=0)
    reasons = models.TextField(default="{}", help_text=_("JSON: how many were left as they were, by reason."))
    failures = models.PositiveSmallIntegerField(default=0, help_text=_("Pages in a row that raised an error."))
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("asked for"), default=django_timezone.now)
    touched_at = models.DateTimeField(_("last worked on"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("background job")
        verbose_name_plural = _("background jobs")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_verb_display()} {self.pk}"

    @property
    def percent(self) -> int:
        """Return how much of the range of keys is done, in percent."""
        whole = self.last_key - self.first_key + 1
        behind = self.cursor - self.first_key + 1
        return 100 if whole <= 0 or self.state == BulkState.DONE else max(0, min(99, 100 * behind // whole))
