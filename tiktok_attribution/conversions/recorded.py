"""What became of a fact, as long as its transaction is open: it may still be built again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from tiktok_attribution import tasks
from tiktok_attribution.consent.answer import Reason
from tiktok_attribution.conversions.fact import Fact
from tiktok_attribution.delivery.bodies import forget, write_body
from tiktok_attribution.delivery.dropped import count_dropped
from tiktok_attribution.events import Event
from tiktok_attribution.events.matching import match_bits, search_key
from tiktok_attribution.events.payload import browser_call, browser_call_of_text, event_text
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.signals import event_recorded
from tiktok_attribution.visitor.commitment import Commitment
from tiktok_attribution.visitor.reason import report
from tiktok_attribution.visitor.showing import Showing, identify_keys


@dataclass(kw_only=True, eq=False)
class Recorded:
    """The rows that were new, and their browser half where this visitor's page shows it.

    `settle`, where it is set, gives the fact as it stands at the commit; asked if the contents are `incomplete` still.
    """

    fact: Fact
    event: Event
    rows: list[OutboxEvent]
    commitment: Commitment = field(init=False)
    showing: Showing | None = None
    incomplete: bool = False
    settle: Callable[[], Fact | None] | None = None
    _renewed: bool = False

    def commit(self) -> None:
        """Run by the commit: what is missing still is filled in, then everybody may know."""
        try:
            fact = self.settle() if self.incomplete and self.settle is not None else None
            if fact is not None:
                self.renew(fact)
            elif self._renewed and self.showing is not None:
                self._show_what_is_stored(self.showing)
        except Exception as error:
            report(error, "%s stays as it was", self.fact.event_id)
        for row in self.rows:
            event_recorded.send_robust(OutboxEvent, event=row, using=self.fact.using)
            if row.due_at is not None:
                tasks.hint(row.pixel_code, self.fact.using)

    def renew(self, fact: Fact) -> None:
        """Build again, before anything was sent: lines or a total were saved after the event was recorded."""
        if fact.decision.is_denied:
            self._take_back(fact.decision.reason or Reason.DENIED)
            return
        try:
            with transaction.atomic(using=fact.using):
                built = fact.build()
                event = replace(built.event, event_id=self.event.event_id)
                for row in self.rows:
                    fill(row, event, built.notes)
                    unsent = self._unsent(row).update(
                        event_time=row.event_time,
                        value=row.value,
                        currency=row.currency,
                        note=row.note,
                        match_keys=row.match_keys,
                    )
                    if unsent:
                        write_body(row, row.pk, using=fact.using)
        except Exception as error:
            report(error, "%s stays as it was built first", self.fact.event_id)
            return
        self.event, self.incomplete, self._renewed = event, built.incomplete, True
        if self.showing is not None:
            self.showing.call, self.showing.identify = browser_call(event), identify_keys(event.user)

    def _take_back(self, reason: Reason) -> None:
        """The object has come to say no in the very transaction that recorded it."""
        using = self.fact.using
        with transaction.atomic(using=using):
            for row in self.rows:
                forget(self._unsent(row), [row.pk])
            count_dropped([row.pixel_code for row in self.rows], self.event.name, reason, using=using)
        self.rows = []
        self.commitment.take_back()

    def _unsent(self, row: OutboxEvent) -> QuerySet[OutboxEvent]:
        return OutboxEvent.objects.using(self.fact.using).filter(pk=row.pk, attempts=0)

    def _show_what_is_stored(self, showing: Showing) -> None:
        """A savepoint may have taken a renewal back; the row knows."""
        payload = self._unsent(self.rows[0]).values_list("payload", flat=True).first()
        if payload:
            showing.call = browser_call_of_text(payload)


def fill(row: OutboxEvent, event: Event, notes: list[str]) -> None:
    """What the built event says of itself in its row."""
    row.name, row.event_id, row.event_time = event.name, event.event_id, event.event_time
    row.payload = event_text(event)
    value = event.properties.get("value")
    row.value = Decimal(str(value)) if value is not None else None
    row.currency = event.properties.get("currency", "")
    row.note = " ".join(f"{note.rstrip('.')}." for note in notes)[:500]
    row.match_keys = match_bits(event.user)
    row.email_key = search_key(event.user.email[0] if event.user.email else "")
