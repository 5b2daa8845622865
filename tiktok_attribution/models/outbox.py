"""The outbox: one event for one pixel, in two rows, and conditions that find events by their names.

`EventBody` is written once: the event's text and what it is found by. `OutboxEvent` inherits from it and holds the
state of the server event, which changes with each attempt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex, digest, moment


# Decision: one event, two channels. The stored text (`payload`) is the body of the server event, and the browser's
# call is made from the same properties. Both channels use TikTok's current names (`Purchase`, not `CompletePayment`),
# because the name is part of TikTok's de-duplication key.
#
# Decision: an event is two rows. A database copies a changed row whole and enters the copy into every index of its
# table. So what changes with each attempt is in a narrow row beside this one (docs/performance.md has both measured).
# Pixel and name are one digest in the unique constraint; object and e-mail hash are 8 bytes each.
class EventBody(models.Model):
    """The body of an event, and the columns that find it. `OutboxEvent` inherits from this table."""

    type_key = DigestField(of=("pixel_code", "name"))
    event_id = ExactCharField(_("event id"), max_length=128)
    payload = models.TextField(_("payload"), blank=True)
    object_digest = DigestField(of="object_pk")
    email_key = models.BigIntegerField(null=True, help_text=_("First 8 bytes of its hashed e-mail, to find it by."))

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("event_id", "type_key"), name="tiktok_event_once"),)
        indexes = (
            models.Index(fields=("type_key",), name="tiktok_event_type"),
            PartialIndex(
                fields=("object_digest",), condition=models.Q(object_digest__isnull=False), name="tiktok_event_object"
            ),
            PartialIndex(fields=("email_key",), condition=models.Q(email_key__isnull=False), name="tiktok_event_email"),
            # Databases without partial indexes get none: they already have one over every key.
            models.Index(fields=("id",), condition=~models.Q(payload=""), name="tiktok_event_bodied"),
        )

    def __str__(self) -> str:
        return self.event_id


def type_key_of(pixel_code: str, name: str) -> int | None:
    """Return the value of `EventBody.type_key` for the events of this pixel and name."""
    return digest(pixel_code, name)


def events_named(pixel_code: str, name: str, event_ids: Collection[str]) -> models.Q:
    """Select the events of this pixel and name that have one of these ids, by the unique constraint."""
    return models.Q(type_key=type_key_of(pixel_code, name), event_id__in=event_ids)


def events_with(names: Iterable[tuple[str, str, str]]) -> models.Q:
    """Select the events with these (pixel code, name, event id). No names select no event."""
    event_ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pixel_code, name, event_id in names:
        event_ids[pixel_code, name].append(event_id)
    found = models.Q(pk__in=())
    for type_key, theirs in event_ids.items():
        found |= events_named(*type_key, theirs)
    return found


class State(models.TextChoices):
    """What became of an event on its server channel."""

    WAITING = "waiting", _("waiting")
    AWAITING_CONSENT = "awaiting_consent", _("awaiting consent")
    DELIVERED = "delivered", _("delivered")
    INVALID = "invalid", _("invalid")
    REJECTED = "rejected", _("rejected by TikTok")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")
    BROWSER_ONLY = "browser_only", _("browser only")


FAILED_STATES = (State.INVALID, State.REJECTED, State.EXPIRED)
"""States that a person should look at."""


ERASED = "Erased at the person's request."
"""The note of an event whose personal data was erased."""


class OutboxEvent(EventBody):
    """One event for one pixel: the state of its server channel, and when its pixel call was shown."""

    body = models.OneToOneField(
        EventBody,
        models.CASCADE,
        parent_link=True,
        primary_key=True,
        db_column="id",
        db_constraint=False,
        related_name="event",
    )
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)
    event_time = models.BigIntegerField(_("event time"), help_text=_("Unix seconds, as TikTok gets it."))

    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.WAITING)
    lane = models.PositiveSmallIntegerField(default=0)
    due_at = models.FloatField(null=True, help_text=_("Unix seconds of the next attempt; empty when there is none."))
    # While it is set, the event is not due (`due_at` is empty). So no worker has read it, and its body may still
    # change. A later `due_at` would not do: a worker's clock would decide whether it has come, and clocks are wrong.
    unfinished_since = models.FloatField(
        null=True, help_text=_("Unix seconds since when its object may still be saved; empty once the event is final.")
    )
    note = models.CharField(_("note"), max_length=500, blank=True)

    value = models.DecimalField(_("value"), max_digits=20, decimal_places=6, null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    object_label = ExactCharField(max_length=100, blank=True)
    object_pk = ExactCharField(max_length=64, blank=True)

    match_keys = models.PositiveSmallIntegerField(
        _("matching keys"), default=0, help_text=_("Bits of events.matching.MATCH_KEYS.")
    )
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
        permissions = (
            ("retry_outboxevent", "Can retry events"),
            ("cancel_outboxevent", "Can cancel events"),
            ("export_outboxevent", "Can export events"),
        )
        indexes = (
            PartialIndex(
                fields=("pixel_code", "lane", "due_at"),
                condition=models.Q(due_at__isnull=False),
                name="tiktok_event_due",
            ),
            PartialIndex(
                fields=("state", "created_at"), condition=models.Q(state__in=FAILED_STATES), name="tiktok_event_failed"
            ),
            PartialIndex(
                fields=("created_at",), condition=models.Q(state=State.AWAITING_CONSENT), name="tiktok_event_awaiting"
            ),
            PartialIndex(
                fields=("unfinished_since",),
                condition=models.Q(unfinished_since__isnull=False),
                name="tiktok_event_unfinished",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"

    @property
    def has_warning(self) -> bool:
        """Whether it was delivered with a note: something was left out or is missing, or TikTok gave a warning."""
        return self.state == State.DELIVERED and self.note not in ("", ERASED)

    @property
    def happened_at(self) -> datetime:
        """Return `event_time` as a datetime, for people."""
        return moment(self.event_time)

    @property
    def next_attempt_at(self) -> datetime | None:
        """Return `due_at` as a datetime, for people; None if there is no next attempt."""
        return None if self.due_at is None else moment(self.due_at)

    @property
    def attempt_pks(self) -> list[str]:
        """Return the keys of its attempts, oldest first."""
        return [pk for pk in self.attempt_log.split(",") if pk]
