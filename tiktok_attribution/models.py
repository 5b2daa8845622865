"""What is remembered: the outbox, every attempt, each pixel's state, and who a shopper was.

Moments that machines compare (`due_at`, `leased_until`, …) are epoch seconds: no time zone, no summer time, the same
under USE_TZ=False. Moments that people read are ordinary datetimes.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.ddl_references import Statement
from django.db.models.expressions import Combinable
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _


def moment(epoch: float) -> datetime:
    """Epoch seconds as the kind of datetime that this site uses (aware, or naive local under USE_TZ=False)."""
    aware = datetime.fromtimestamp(epoch, tz=timezone.utc)
    return aware if django_timezone.now().tzinfo else django_timezone.make_naive(aware)


if TYPE_CHECKING:
    _CharField = models.CharField[str | int | Combinable, str]
else:
    _CharField = models.CharField  # generic in the stubs alone


class ExactCharField(_CharField):
    """Text that is compared by its bytes: MySQL and MariaDB would else take "order-a" and "order-A" for one."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Django's, with a binary collation where the default one folds case."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters


class PartialIndex(models.Index):
    """An index over the rows of its condition; over all rows on MySQL and MariaDB, which know no partial ones."""

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any) -> Statement:
        """The whole-table form where a database has no partial index, instead of Django's none."""
        if schema_editor.connection.features.supports_partial_indexes:
            return super().create_sql(model, schema_editor, using, **kwargs)
        return models.Index(fields=self.fields, name=self.name).create_sql(model, schema_editor, using, **kwargs)

    def remove_sql(self, model: type[models.Model], schema_editor: Any, **kwargs: Any) -> str:
        """The counterpart of `create_sql`."""
        if schema_editor.connection.features.supports_partial_indexes:
            return super().remove_sql(model, schema_editor, **kwargs)
        return models.Index(fields=self.fields, name=self.name).remove_sql(model, schema_editor, **kwargs)


class State(models.TextChoices):
    """The state of an event's server half."""

    WAITING = "waiting", _("waiting")
    HELD = "held", _("held until consent")
    DELIVERED = "delivered", _("delivered")
    INVALID = "invalid", _("invalid")
    REJECTED = "rejected", _("rejected by TikTok")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")
    BROWSER_ONLY = "browser", _("browser only")


TROUBLE = (State.INVALID, State.REJECTED, State.EXPIRED)
"""States that somebody should look at."""


class OutboxEvent(models.Model):
    """One event for one pixel: its server half with its state, and when its browser half was shown."""

    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)
    event_id = ExactCharField(_("event id"), max_length=128)
    event_time = models.BigIntegerField(_("event time"), help_text=_("Unix seconds, as TikTok gets it."))

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    lane = models.PositiveSmallIntegerField(default=0)
    due_at = models.FloatField(null=True, help_text=_("Unix seconds of the next attempt; empty when there is none."))
    note = models.CharField(_("note"), max_length=500, blank=True)

    value = models.DecimalField(_("value"), max_digits=20, decimal_places=6, null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    object_label = ExactCharField(max_length=100, blank=True)
    object_pk = ExactCharField(max_length=64, blank=True)

    match_keys = models.PositiveSmallIntegerField(
        _("matching keys"), default=0, help_text=_("Bits of events.matching.MATCH_KEYS.")
    )
    email_key = models.BigIntegerField(null=True, help_text=_("First 8 bytes of its hashed e-mail, to find it by."))

    payload = models.TextField(_("payload"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    attempt_log = models.TextField(blank=True, help_text=_("Keys of its attempts, oldest first, each after a comma."))
    last_attempt = models.ForeignKey(
        "Attempt", models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    unknown_since = models.FloatField(null=True, help_text=_("Unix seconds of the first attempt of unknown fate."))

    created_at = models.DateTimeField(_("recorded"), default=django_timezone.now)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    wants_browser = models.BooleanField(default=False)
    browser_at = models.DateTimeField(_("shown to the browser"), null=True)
    browser_confirmed_at = models.DateTimeField(
        _("confirmed by the browser"), null=True, help_text=_("When the page told that its pixel call was made.")
    )

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        permissions = (("retry_outboxevent", "Can retry events"), ("cancel_outboxevent", "Can cancel events"))
        constraints = (models.UniqueConstraint(fields=("pixel_code", "name", "event_id"), name="tiktok_event_once"),)
        indexes = (
            PartialIndex(
                fields=("pixel_code", "lane", "due_at"),
                condition=models.Q(due_at__isnull=False),
                name="tiktok_event_due",
            ),
            PartialIndex(
                fields=("state", "created_at"), condition=models.Q(state__in=TROUBLE), name="tiktok_event_trouble"
            ),
            models.Index(fields=("object_label", "object_pk"), name="tiktok_event_object"),
            PartialIndex(fields=("created_at",), condition=models.Q(state=State.HELD), name="tiktok_event_held"),
            PartialIndex(fields=("email_key",), condition=models.Q(email_key__isnull=False), name="tiktok_event_email"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"

    @property
    def happened_at(self) -> datetime:
        """`event_time` for people."""
        return moment(self.event_time)

    @property
    def next_attempt_at(self) -> datetime | None:
        """`due_at` for people."""
        return None if self.due_at is None else moment(self.due_at)

    @property
    def attempt_pks(self) -> list[str]:
        """Keys of its attempts, oldest first."""
        return [pk for pk in self.attempt_log.split(",") if pk]


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


class PixelStatus(models.Model):
    """Whether a pixel may send. It stops on token or permission trouble; its events wait."""

    pixel_code = ExactCharField(_("pixel"), max_length=64, primary_key=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    code = models.IntegerField(_("code"), null=True)
    message = models.CharField(_("message"), max_length=500, blank=True)
    token_fingerprint = models.CharField(max_length=16, blank=True)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Requests in a row that TikTok did not answer, or answered with 5xx.")
    )
    closed_until = models.FloatField(default=0, help_text=_("Unix seconds until which no request is made after those."))

    class Meta:
        verbose_name = _("pixel")
        verbose_name_plural = _("pixels")
        permissions = (
            ("resume_pixelstatus", "Can resume stopped pixels"),
            ("test_pixelstatus", "Can send test events"),
        )

    def __str__(self) -> str:
        return self.pixel_code


class Lane(models.Model):
    """A lease over one pixel's rows of one lane: who sends them now, until when, and what is on its way."""

    pixel_code = ExactCharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=22, blank=True)
    leased_until = models.FloatField(default=0)
    in_flight = models.TextField(blank=True, help_text=_("Keys of the events in a POST that has not been answered."))
    in_flight_since = models.FloatField(null=True)
    next_at = models.FloatField(default=0, help_text=_("Unix seconds from which the rate limit lets it send again."))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("pixel_code", "number"), name="tiktok_lane_once"),)

    def __str__(self) -> str:
        return f"{self.pixel_code}/{self.number}"


class VisitorSnapshot(models.Model):
    """Who a shopper was when the object was made, for a conversion that is completed elsewhere (a webhook)."""

    object_label = ExactCharField(max_length=100)
    object_pk = ExactCharField(max_length=64)
    signals = models.TextField()
    created_at = models.DateTimeField(default=django_timezone.now, db_index=True)

    class Meta:
        verbose_name = _("visitor snapshot")
        verbose_name_plural = _("visitor snapshots")
        constraints = (models.UniqueConstraint(fields=("object_label", "object_pk"), name="tiktok_snapshot_once"),)

    def __str__(self) -> str:
        return f"{self.object_label} {self.object_pk}"


class DroppedCount(models.Model):
    """How many events were told to nobody, by day and reason: all that is left of them."""

    day = models.DateField(_("day"))
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)
    reason = models.CharField(_("reason"), max_length=20)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    class Meta:
        verbose_name = _("dropped events")
        verbose_name_plural = _("dropped events")
        constraints = (
            models.UniqueConstraint(fields=("day", "pixel_code", "name", "reason"), name="tiktok_dropped_once"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.name}: {self.count} {self.reason}"


class HourTally(models.Model):
    """What became of the events recorded in one hour, for one pixel and event name; `tallies` computes it.

    Made from the outbox and thrown away with it. The three texts are JSON: pairs of a bucket of `tallies.delay` and
    its count, counts in the order of `events.matching.MATCH_KEYS`, and decimal sums as text by currency.
    """

    hour = models.BigIntegerField(help_text=_("Unix seconds at which the hour begins."))
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)

    recorded = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    invalid = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    expired = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    browser_only = models.PositiveIntegerField(default=0)

    wanted = models.PositiveIntegerField(default=0, help_text=_("Events that have a browser half."))
    shown = models.PositiveIntegerField(default=0)
    confirmed = models.PositiveIntegerField(default=0)
    both = models.PositiveIntegerField(default=0, help_text=_("Delivered, and shown to the browser."))
    server_alone = models.PositiveIntegerField(default=0, help_text=_("Delivered; the browser half was not shown."))
    browser_alone = models.PositiveIntegerField(default=0, help_text=_("Shown; the server half was given up."))

    delays = models.TextField(default="[]")
    match_keys = models.TextField(default="[]")
    value_sums = models.TextField(default="{}")

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("hour", "pixel_code", "name"), name="tiktok_tally_once"),)

    def __str__(self) -> str:
        return f"{self.hour} {self.pixel_code} {self.name}"


class Heartbeat(models.Model):
    """When something that goes on by itself was last seen: the worker, the sweep, a count of the hours."""

    name = ExactCharField(primary_key=True, max_length=32)
    seen_at = models.FloatField(default=0, help_text=_("Unix seconds."))

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Overview(HourTally):
    """The overview's place in the admin, and its permissions."""

    class Meta:
        proxy = True
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        default_permissions = ("view",)
        permissions = (("export_overview", "Can export the overview"),)


class Diagnosis(PixelStatus):
    """The diagnosis page's place in the admin, and its permission."""

    class Meta:
        proxy = True
        verbose_name = _("diagnosis")
        verbose_name_plural = _("diagnosis")
        default_permissions = ("view",)
