"""Record conversions that last, from the finished events of the outbox. The worker does it, never a checkout.

- `record_new` reads the events since the last round, and older ones again: soon for transactions that committed out of
  order, hourly for events that awaited consent, daily for everything that still has a body. The daily pass is also the
  backfill of what was recorded before ATTRIBUTION was switched on.
- `record_events` records the events of a range of keys. It may be repeated: a conversion is recorded once for each
  event name and event id, however many pixels have it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from uuid import UUID

from django.db import router, transaction
from django.db.models import Max, Q

from tiktok_attribution import conf
from tiktok_attribution.attribution.days import shop_pixels
from tiktok_attribution.attribution.links import (
    Link,
    attribution_database,
    joining_digests,
    link_all,
    persons_of,
    renumber,
)
from tiktok_attribution.attribution.passes import KeyPass, next_step
from tiktok_attribution.attribution.site_objects import Row, states_of
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.event_search import first_pk_since
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.events import Event
from tiktok_attribution.events.wire import event_of_text
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import (
    ConversionPerson,
    EventBody,
    Heartbeat,
    OutboxEvent,
    RecordedConversion,
    State,
    Touch,
    VisitorSnapshot,
    digest,
    moment,
    snapshots_of,
)
from tiktok_attribution.monitoring.hourly_statistics import DISORDER_SECONDS, epoch_of

STEP_KEYS = 5000
"""Keys of the outbox that one statement looks at."""
MOST_LINES = 100
HOUR, DAY = 3600.0, 86_400.0

READ = "conversions-read"
"""The heartbeat that holds no moment but the first key of the outbox that was not read yet."""
RECENT = KeyPass("conversions-recent", 120)
LATE = KeyPass("conversions-late", HOUR)
WHOLE = KeyPass("conversions-whole", DAY)

LEFT_OUT = (State.INVALID, State.AWAITING_CONSENT, State.CANCELLED)
"""States of events that are no conversion, or none yet. What TikTok refused, or never got, is one of the site's own."""


class Found(NamedTuple):
    """The columns of an event that a conversion keeps."""

    pk: int
    pixel_code: str
    name: str
    event_id: str
    event_time: int
    value: Decimal | None
    currency: str
    object_label: str
    object_pk: str


def record_new(*, until: float, now: float | None = None) -> int:
    """Record conversions from every outbox until `until` (of time.monotonic). Return how many are new.

    Each call does at least one step for each database.
    """
    return sum(_record_new(using, until, now) for using in outbox_databases())


def _record_new(using: str, until: float, now: float | None) -> int:
    now = database_time(using) if now is None else now
    read = int(seen_at(READ, using=using) or 0) or _begin_reading(using, now)
    new = 0
    while True:
        following = _key_at(read, using)
        if following is None:
            break
        last = following + STEP_KEYS
        end = min(last, _end(using))
        # Claimed before it is read. If this process dies now, the next pass over the newest events reads them.
        if Heartbeat.objects.using(using).filter(pk=READ, seen_at=read).update(seen_at=end):
            new += record_events(following, end, using=using, now=now)
        if time.monotonic() >= until:
            break
        read = int(seen_at(READ, using=using) or 0)
    settings = conf.current()
    seconds_of = {
        RECENT: 2 * DISORDER_SECONDS,
        LATE: max(settings.awaiting_consent_hours, 48) * HOUR,
        WHOLE: settings.keep_payload_days * DAY + HOUR,
    }
    for one, seconds in seconds_of.items():
        new += _go_on(one, seconds, using=using, until=until, now=now)
    return new


def _begin_reading(using: str, now: float) -> int:
    """Begin with the newest events. What is older is left to the daily pass, so that it delays no new conversion."""
    first = first_pk_since(moment(now - DISORDER_SECONDS), using=using)
    Heartbeat.objects.using(using).get_or_create(pk=READ, defaults={"seen_at": first})
    return int(seen_at(READ, using=using) or first)


def _go_on(one: KeyPass, seconds: float, *, using: str, until: float, now: float) -> int:
    new = 0
    was_read = is_history_read(using)
    while True:
        step = next_step(
            one,
            using=using,
            now=now,
            keys=STEP_KEYS,
            begin=lambda: first_pk_since(moment(now - seconds), using=using),
            end=lambda: int(seen_at(READ, using=using) or 0),
            above=lambda key: _key_at(key, using),
        )
        if step is None:
            break
        new += record_events(*step, using=using, now=now)
        if time.monotonic() >= until:
            break
    if not was_read and is_history_read(using):
        unknown = RecordedConversion.objects.using(attribution_database()).filter(is_new=None)
        unknown.filter(pk__in=ConversionPerson.objects.values("conversion_id")).update(is_stale=True)
    return new


def is_history_read(using: str | None = None) -> bool:
    """Return whether everything that was there before attribution has been read once, in this or every database."""
    aliases = outbox_databases() if using is None else [using]
    return all(seen_at(WHOLE.name, using=alias) is not None for alias in aliases)


def read_all_again(*, now: float | None = None) -> int:
    """Record every conversion that the outbox still has a body of. Return how many are new. For the command."""
    new = 0
    for using in outbox_databases():
        at = database_time(using) if now is None else now
        if not seen_at(READ, using=using):
            _begin_reading(using, at)
        key, end = _key_at(0, using), _end(using)
        while key is not None and key < end:
            new += record_events(key, key + STEP_KEYS, using=using, now=at)
            key = _key_at(key + STEP_KEYS, using)
        beat(WHOLE.name, using=using, now=at, every=0)
    return new


def _key_at(key: int, using: str) -> int | None:
    """Return the first key of the outbox that is not below this one."""
    return OutboxEvent.objects.using(using).from_key(key).values_list("pk", flat=True).first()


def _end(using: str) -> int:
    last = OutboxEvent.objects.using(using).newest_first().values_list("pk", flat=True).first()
    return 1 if last is None else last + 1


def record_events(low: int, high: int, *, using: str, now: float) -> int:
    """Record the conversions among the events with the keys from `low` to before `high`. Return how many are new."""
    settings = conf.current()
    rows = OutboxEvent.objects.using(using).from_key(low).below_key(high)
    oldest = now - settings.keep_attribution_days * DAY
    rows = rows.filter(unfinished_since__isnull=True, event_time__gte=int(oldest)).exclude(state__in=LEFT_OUT)
    rows = rows.filter(~Q(object_label="") | Q(name__in=settings.attribution.events))
    first: dict[tuple[str, str], Found] = {}
    for values in rows.values_list(*Found._fields):
        one = Found(*values)
        first.setdefault((one.name, one.event_id), one)
    return sum(_record(piece, using, now) for piece in _pieces(list(first.values())))


def _pieces(found: Sequence[Found], size: int = 500) -> Iterable[Sequence[Found]]:
    return (found[at : at + size] for at in range(0, len(found), size))


def _record(found: Sequence[Found], using: str, now: float) -> int:
    known = set(_stored(found).values_list("name", "event_id"))
    new = [one for one in found if (one.name, one.event_id) not in known]
    bodies = EventBody.objects.using(using).filter(pk__in=[one.pk for one in new]).exclude(payload="")
    texts = {pk: (text, key) for pk, text, key in bodies.values_list("pk", "payload", "visitor_key")}
    placed = _placed(new, using)
    rows, persons = [], {}
    digests: set[str] = set()
    for one in new:
        if one.pk not in texts:
            continue
        text, visitor_key = texts[one.pk]
        try:
            event = event_of_text(text)
        except InvalidEvent:
            continue  # cleared meanwhile
        row = _row(one, event, visitor_key, placed.get((one.object_label, one.object_pk)))
        rows.append(row)
        # Limited data use: it counts, and is joined with nothing.
        persons[one.name, one.event_id] = [] if event.limited_data_use else persons_of(event.user)
        digests.update(sha256 for _, sha256 in joining_digests(event.user))
    renumber(digests)
    _forget_withdrawn(rows)
    _describe(rows, using, now)
    return _insert(rows, persons)


def _stored(found: Iterable[Found | RecordedConversion]) -> Any:
    digests = {digest(one.name, one.event_id) for one in found}
    return RecordedConversion.objects.using(attribution_database()).filter(event_digest__in=digests)


def _placed(found: Sequence[Found], using: str) -> dict[tuple[str, str], tuple[int, UUID | None]]:
    """Return by object when its visitor made it (epoch seconds), and with which browser."""
    objects = [(one.object_label, one.object_pk) for one in found if one.object_label]
    rows = VisitorSnapshot.objects.using(using).filter(snapshots_of(objects)) if objects else ()
    return {(row.object_label, row.object_pk): (int(epoch_of(row.created_at)), row.visitor_key) for row in rows}


def _row(
    one: Found, event: Event, visitor_key: UUID | None, placed: tuple[int, UUID | None] | None
) -> RecordedConversion:
    placed_at, placed_by = placed or (None, None)
    return RecordedConversion(
        shop=shop_pixels(one.pixel_code)[0],
        name=one.name,
        event_id=one.event_id,
        object_label=one.object_label,
        object_pk=one.object_pk,
        at=one.event_time,
        placed_at=placed_at,
        value=one.value,
        currency=one.currency,
        lines=json.dumps(_lines(event.properties), separators=(",", ":")),
        visitor_key=None if event.limited_data_use else visitor_key or placed_by,
    )


# Decision: a browser has a key only while it has a touch, and a withdrawal deletes its touches. So a key without one is
# that of a browser that withdrew after its event was sent: the conversion counts, without the key and without a link.
def _forget_withdrawn(rows: Sequence[RecordedConversion]) -> None:
    keys = {row.visitor_key for row in rows if row.visitor_key is not None}
    if not keys:
        return
    touches = Touch.objects.using(router.db_for_write(Touch)).filter(visitor_key__in=keys)
    known = set(touches.values_list("visitor_key", flat=True).distinct())
    for row in rows:
        row.visitor_key = row.visitor_key if row.visitor_key in known else None


def _lines(properties: Mapping[str, Any]) -> list[list[Any]]:
    """Return [content id, quantity, price as text or None] of each item, at most MOST_LINES."""
    contents = properties.get("contents")
    items = [one for one in contents if isinstance(one, Mapping)] if isinstance(contents, list) else []
    found = []
    for item in items[:MOST_LINES]:
        quantity = item.get("quantity")
        number = quantity if isinstance(quantity, int) and not isinstance(quantity, bool) else 1
        found.append([str(item.get("content_id", "")), number, _price(item.get("price"))])
    return found


def _price(given: object) -> str | None:
    try:
        return None if given is None else str(Decimal(str(given)))
    except InvalidOperation:
        return None


def _describe(rows: Sequence[RecordedConversion], using: str, now: float) -> None:
    """Read refund, reversal, newness and voucher code from the objects of new conversions."""
    for row, state in states_of([Row(row, using) for row in rows]):
        row.refunded, row.is_reversed, row.code = state.refunded, state.is_reversed, state.code
        row.declared_new = row.is_new = state.is_first
        row.refunded_at = int(now) if state.refunded or state.is_reversed else None


def _insert(rows: Sequence[RecordedConversion], persons: Mapping[tuple[str, str], Sequence[tuple[str, UUID]]]) -> int:
    """Insert conversions and their persons. Of two workers with the same ones, the second inserts nothing."""
    if not rows:
        return 0
    using = attribution_database()
    with transaction.atomic(using=using):
        last = RecordedConversion.objects.using(using).aggregate(last=Max("pk"))["last"] or 0
        RecordedConversion.objects.using(using).bulk_create(rows, ignore_conflicts=True, batch_size=200)
        stored = {(name, event_id): pk for pk, name, event_id in _stored(rows).values_list("pk", "name", "event_id")}
        theirs = [
            ConversionPerson(conversion_id=pk, identifier=identifier, person=person)
            for key, pk in stored.items()
            for identifier, person in persons.get(key, ())
        ]
        ConversionPerson.objects.using(using).bulk_create(theirs, ignore_conflicts=True, batch_size=200)
        if theirs:
            _mark_later(theirs, using)
    link_all(
        [
            Link(row.visitor_key, identifier, person, row.at)
            for row in rows
            if row.visitor_key is not None
            for identifier, person in _first_of_each(persons[row.name, row.event_id]).items()
        ]
    )
    return sum(1 for pk in stored.values() if pk > last)


def _first_of_each(persons: Iterable[tuple[str, UUID]]) -> dict[str, UUID]:
    found: dict[str, UUID] = {}
    for identifier, person in persons:
        found.setdefault(identifier, person)
    return found


def _mark_later(theirs: Sequence[ConversionPerson], using: str) -> None:
    """Mark as stale what counted as a person's first conversion: an earlier one may have been recorded now."""
    others = ConversionPerson.objects.using(using).filter(person__in={one.person for one in theirs})
    rows = RecordedConversion.objects.using(using).filter(is_new=True, declared_new=None)
    rows.filter(pk__in=list(others.values_list("conversion_id", flat=True))).update(is_stale=True)
