"""The outbox: one event for one pixel, in two rows, and conditions that find events by their names.

`EventBody` is written once: the event's text and what it is found by. `OutboxEvent` inherits from it and holds the
state of the server event, which changes with each attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex, moment
from tiktok_attribution.models.queries import FAILED_STATES, MAY_CHANGE, Objects, State, events_named, events_of


# Decision: one event, two channels. The stored text (`payload`) is the body of the server event, and the browser's
# call is made from the same properties. Both channels use TikTok's current names (`Purchase`, not `CompletePayment`),
# because the name is part of TikTok's de-duplication key.
#
# Decision: an event is two rows. A database copies a changed row whole and enters the copy into every index of its
# table. So what changes with each attempt is in a narrow row beside this one (docs/measurements.md has both measured).
# Pixel and name are one digest in the unique constraint; object and e-mail hash are 8 bytes each.
class EventBody(models.Model):
    """The body of an event, and the columns that find it. `OutboxEvent` inherits from this table."""

    type_key = DigestField(of=("pixel_code", "name"))
    event_id = ExactCharField(_("event id"), max_length=128)
    payload = models.TextField(_("payload"), blank=True)
    object_digest = DigestField(of="object_pk")
    email_key = models.BigIntegerField(null=True, help_text=_("First 8 bytes of its hashed e-mail, to find it by."))
    visitor_key = models.UUIDField(null=True, help_text=_("The key of the browser that landings gave it, see Touch."))

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


ERASED = "Erased at the person's request."
"""The note of an event whose personal data was erased."""


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    """The outbox's questions. Each method adds a condition that an index serves, as its name says."""

    def with_keys(self, pks: Iterable[int]) -> OutboxQuerySet:
        """Keep the events with these primary keys."""
        return self.filter(pk__in=list(pks))

    def from_key(self, pk: int) -> OutboxQuerySet:
        """Keep this key and those above it, lowest first: in the order in which events were recorded."""
        return self.filter(pk__gte=pk).order_by("pk")

    def below_key(self, pk: int) -> OutboxQuerySet:
        """Keep the keys below this one."""
        return self.filter(pk__lt=pk)

    def newest_first(self) -> OutboxQuerySet:
        """Order by key, the event that was recorded last first."""
        return self.order_by("-pk")

    def named(self, pixel_code: str, name: str, event_ids: Collection[str]) -> OutboxQuerySet:
        """Keep the events of this pixel and name with one of these ids."""
        return self.filter(events_named(pixel_code, name, event_ids))

    def of_objects(self, objects: Objects) -> OutboxQuerySet:
        """Keep the events of these objects (label, key)."""
        return self.filter(events_of(objects))

    def in_state(self, *states: str) -> OutboxQuerySet:
        """Keep the events in one of these states."""
        return self.filter(state=states[0]) if len(states) == 1 else self.filter(state__in=states)

    def failed_since(self, moment: datetime) -> OutboxQuerySet:
        """Keep the invalid, rejected and expired events that were recorded since then."""
        return self.filter(state__in=FAILED_STATES, created_at__gte=moment)

    def untried(self) -> OutboxQuerySet:
        """Keep the events that no worker has sent."""
        return self.filter(attempts=0)

    def queued(self, pixel_code: str | None = None) -> OutboxQuerySet:
        """Keep the events that have a next attempt, of every pixel or of one."""
        found = self.filter(due_at__isnull=False)
        return found if pixel_code is None else found.filter(pixel_code=pixel_code)

    def in_lane(self, pixel_code: str, lane: int) -> OutboxQuerySet:
        """Keep the events of one lane of a pixel."""
        return self.filter(pixel_code=pixel_code, lane=lane)

    def due_in(self, pixel_code: str, lane: int, *, now: float) -> OutboxQuerySet:
        """Keep the events of a lane that may be sent now (epoch seconds)."""
        return self.in_lane(pixel_code, lane).filter(due_at__lte=now, state=State.WAITING)

    def settled(self) -> OutboxQuerySet:
        """Keep the events that have no next attempt."""
        return self.filter(due_at__isnull=True)

    def still_built(self, pks: Iterable[int]) -> OutboxQuerySet:
        """Of these keys, keep the events that are not finished. No worker has read them, so their body may change.

        Not one that a person cancelled, and another sent again: that one is due.
        """
        unfinished = self.with_keys(pks).filter(unfinished_since__isnull=False, due_at__isnull=True)
        return unfinished.in_state(*MAY_CHANGE)

    def unfinished_before(self, moment: float) -> OutboxQuerySet:
        """Keep the events whose object may be saved again since before this moment (epoch seconds)."""
        return self.filter(unfinished_since__lte=moment)

    def with_pixel_call(self) -> OutboxQuerySet:
        """Keep the events whose pixel call may be shown: they want one, have a body and await no consent."""
        return self.filter(wants_browser=True).exclude(payload="").exclude(state=State.AWAITING_CONSENT)


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
        _("matching keys"), default=0, help_text=_("Bits of events.hashing.MATCH_KEYS.")
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

    objects = OutboxQuerySet.as_manager()  # type: ignore[misc]  # the base model has the ordinary one

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
