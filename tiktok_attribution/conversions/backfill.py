"""Find and record conversions that no signal reported: `QuerySet.update`, `bulk_create`, downtime, a failed outbox.

`backfill` searches the objects of one declaration; the command `tiktok_backfill` calls it. `backfill_recent` does the
same every hour over the last hours. Both are safe to repeat: event ids come from the object, and the outbox takes each
id once.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from time import time
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import router
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import VISITOR, Conversion
from tiktok_attribution.conversions.event_source import EventSource
from tiktok_attribution.conversions.maker import first_visitor, of_first
from tiktok_attribution.conversions.objects import heal, record_object, source_of
from tiktok_attribution.conversions.recorder import channels_now
from tiktok_attribution.conversions.suppression import may_have_refused
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import known_event_ids, outbox_databases, write_database
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.times import epoch_seconds
from tiktok_attribution.failures import report
from tiktok_attribution.models import OutboxEvent, State, moment
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.visitor.snapshot import NOBODY, Signals, recall_many

logger = logging.getLogger("tiktok_attribution")

PAGE_ROWS = 500


@errors_without_values
def backfill(
    conversion: Conversion,
    *,
    using: str,
    since_seconds: float | None = None,
    dry: bool = False,
    recent: bool = False,
    unknown_consent: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Record what happened within the last `since_seconds` (at most MAX_AGE_DAYS) and is not in the outbox.

    With `recent`, only objects are read that a query finds by their time. `stopping` is called before each page.

    Returns counts under these keys:

    - "recorded", "known" (in the outbox already), "old", "undated", "invalid"
    - "refused": by its visitor, a veto or `paused()`, or because no one was asked
    - "with unknown consent": it may have been refused in an outage. With `unknown_consent` it is recorded instead
    - "without visitor": the declaration counts only what a visitor made
    - "unreadable": the condition raised an error

    An object without a time of its own is skipped. To send it as if it had happened now would be a false conversion.
    """
    counts: Counter[str] = Counter()
    to_server, _ = channels_now(conversion.channels, conversion.event)
    if not to_server:
        return counts  # a browser-only event is skipped: no page would show it any more
    most = _most_seconds()
    oldest = time() - min(most if since_seconds is None else since_seconds, most)
    candidates = conversion.recent(moment(oldest)) if recent else conversion.candidates_since(moment(oldest))
    if candidates is None:
        return counts
    for page in _pages(_without_children(conversion, candidates.using(using))):
        if stopping():
            break
        sources = _sources(conversion, page, using, counts)
        known, invalid = _known(sources, using), _invalid(conversion, sources, using)
        # Read after the objects, and only if one of them is to be recorded. An outage is noted right after its orders.
        known_outages = lru_cache(maxsize=1)(partial(outages.known, using))
        for obj, source in sources:
            if known.issuperset(_keys(source)):
                counts["known"] += 1
                continue
            since = invalid.get((source.object_pk, source.event_id))
            if (reason := _skip_reason(conversion, source, since)) is not None:
                counts[reason] += 1
                continue
            when = _when(conversion, obj, since, oldest)
            is_open = when == RECENT and since is None and not unknown_consent
            if is_open and may_have_refused(conversion, obj, source.signals, known_outages, using=using):
                when = UNKNOWN
            elif when == RECENT:
                when = "recorded" if dry else _record(conversion, obj, source, since)
            counts[when] += 1
    return counts


def _most_seconds() -> float:
    """Return how far back to look. Older objects are skipped: a refusal, a veto and the marks of `paused()` are stored
    only as long as snapshots are (SNAPSHOT_DAYS)."""
    settings = conf.current()
    return min(settings.max_age_seconds, settings.snapshot_days * 86_400)


def _without_children(conversion: Conversion, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Exclude objects of a child model that declares the same event: they count by the child's declaration."""
    for child in registry.overriding(conversion):
        link = child.model._meta.get_ancestor_link(conversion.model)
        if link is not None:
            children = child.model._base_manager.filter(**{link.attname: OuterRef("pk")})
            rows = rows.exclude(Exists(children))
    return rows


def _skip_reason(conversion: Conversion, source: EventSource, since: int | None) -> str | None:
    """Return why the object is skipped, None to record it.

    An event that stands as invalid (`since`) was found to be a visitor's when it was made.
    """
    is_anyones = conversion.made_by == VISITOR and not source.signals.by_visitor and since is None
    if is_anyones and not source.decision.is_refusal:
        return "without visitor"
    return "refused" if source.decision.is_denied else None


def _record(conversion: Conversion, obj: Any, source: EventSource, since: int | None) -> str:
    if since is not None:
        recorded = heal(conversion, obj, using=source.using)
    else:
        recorded = record_object(conversion, obj, using=source.using, unknown_consent=True)  # asked above already
    if recorded is None:  # another process was quicker, or it can't be built
        return "known" if _known([(obj, source)], source.using).issuperset(_keys(source)) else "invalid"
    return "recorded"


def _pages(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield pages by primary key. A cursor would hold an old snapshot of the database open, and slow every worker."""
    rows = rows.order_by("pk")
    after = rows
    while page := list({obj.pk: obj for obj in after[:PAGE_ROWS]}.values()):
        yield page
        after = rows.filter(pk__gt=page[-1].pk)


def _sources(
    conversion: Conversion, page: Sequence[Any], using: str, counts: Counter[str]
) -> list[tuple[Any, EventSource]]:
    """Return the objects that happened, each with its event source: name, id and pixels."""
    found = []
    happened = []
    for obj in page:
        try:
            if conversion.happened(obj):
                happened.append(obj)
        except Exception as error:
            if not counts["unreadable"]:
                report(error, "can't tell whether %r happened", conversion)
            counts["unreadable"] += 1
    signals = recall_many(conversion.model._meta.label, [obj.pk for obj in happened], using=using)
    made = [(obj, signals.get(object_key(obj.pk), NOBODY)) for obj in happened]
    for obj, maker in _with_first_visitors(conversion, made, using):
        found.append((obj, source_of(conversion, obj, maker, using=using)))
    return found


def _with_first_visitors(
    conversion: Conversion, made: list[tuple[Any, Signals]], using: str
) -> Iterator[tuple[Any, Signals]]:
    """Give objects without a visitor the one of the object that `visitor_of` names. One statement for each model."""
    wanted: dict[Any, tuple[str, str]] = {}
    for obj, own in made if conversion.visitor_models else ():
        try:
            first = first_visitor(conversion, obj, own)
        except Exception as error:
            report(error, "%r is recorded without the signals of its visitor", conversion)
            continue
        if first is not None:
            wanted[obj.pk] = first
    kept = {
        (label, key): signals
        for label in {label for label, _ in wanted.values()}
        for key, signals in recall_many(label, [key for of, key in wanted.values() if of == label], using=using).items()
    }
    for obj, own in made:
        first = wanted.get(obj.pk)
        yield obj, own if first is None else of_first(own, kept.get(first, NOBODY))


def _keys(source: EventSource) -> set[tuple[str, str]]:
    """Return pixel and event id of each row of the event; nothing for one that was made in a shop without a pixel."""
    if not source.pixel_codes and source.signals.pixel_codes != ():
        return {("", source.event_id)}
    return {(code, source.event_id) for code in source.pixel_codes}


def _known(sources: Sequence[tuple[Any, EventSource]], using: str) -> set[tuple[str, str]]:
    """Return the keys that are in the outbox. One statement for each pixel."""
    wanted = defaultdict(set)
    for _, source in sources:
        for code, event_id in _keys(source):
            wanted[code, source.name].add(event_id)
    return {
        (code, event_id)
        for (code, name), ids in wanted.items()
        for event_id in known_event_ids(code, name, ids, using=using)
    }


def _invalid(
    conversion: Conversion, sources: Sequence[tuple[Any, EventSource]], using: str
) -> dict[tuple[str, str], int]:
    """Return the times of invalid events in the outbox, by the object's key and event id. One statement."""
    if not sources:
        return {}
    rows = OutboxEvent.objects.using(using).of_objects((source.object_label, source.object_pk) for _, source in sources)
    moments = {
        (pk, event_id): since
        for pk, event_id, since in rows.filter(name=conversion.event, state=State.INVALID).values_list(
            "object_pk", "event_id", "event_time"
        )
    }
    for obj, source in sources:  # it may have failed because it had no id of its own
        since = moments.get((source.object_pk, conversion.default_event_id(obj)))
        if since is not None:
            moments.setdefault((source.object_pk, source.event_id), since)
    return moments


RECENT, UNKNOWN = "recent", "with unknown consent"


def _when(conversion: Conversion, obj: Any, since: int | None, oldest: float) -> str:
    """Return RECENT, "old" or "undated". An invalid event has at least the time of its row."""
    now = time()
    try:
        declared = conversion.event_time(obj)
        happened = since if declared is None else declared
        if happened is None:
            return "undated"
        seconds = epoch_seconds(
            happened, now=now, default_timezone=timezone.get_default_timezone(), max_age_seconds=int(now)
        )
    except Exception:
        return RECENT  # the outbox reports what is wrong with the time
    return RECENT if seconds >= oldest else "old"


EVERY_SECONDS = 3600.0
DONE, FIRST = "backfill", "backfill-first"


def is_due(*, now: float | None = None) -> bool:
    """Return whether the hourly backfill is due, to one process only. The first call ever returns False."""
    settings = conf.current()
    if not settings.enabled or settings.backfill_hours is None:
        return False
    using = write_database()
    now = database_time(using) if now is None else now
    done = seen_at(DONE, using=using)
    if done is not None and now - EVERY_SECONDS < done <= now:
        return False  # only read here: the loop asks every few seconds, and on SQLite a write would lock out the site
    is_first = seen_at(FIRST, using=using) is None
    if is_first:
        beat(FIRST, using=using, now=now)
    is_ours = beat(DONE, using=using, now=now, every=EVERY_SECONDS)
    if is_ours:
        for alias in outbox_databases():
            outages.prepare(alias)
    return is_ours and not is_first


@errors_without_values
def backfill_recent(*, now: float | None = None, stopping: Callable[[], bool] = lambda: False) -> Counter[str]:
    """Record what no signal reported in the last BACKFILL_HOURS.

    It costs four statements for 500 objects of those hours, and two more for each declaration.
    """
    # Decision: the hourly backfill starts with its own first run. A site that installs the app may have sent
    # yesterday's orders to TikTok by other means. `tiktok_backfill` looks further back. A declaration that no query
    # narrows by time is skipped, because a table of orders must not be read every hour.
    counts: Counter[str] = Counter()
    settings = conf.current()
    if not settings.enabled or settings.backfill_hours is None:
        return counts
    now = database_time(write_database()) if now is None else now
    since = min(settings.backfill_hours * 3600, now - _first(now))
    for conversion in registry.every() if since > 0 else ():
        if stopping():
            break
        using = router.db_for_write(conversion.model)
        try:
            counts += backfill(conversion, using=using, since_seconds=since, recent=True, stopping=stopping)
        except AnyDatabaseError as error:
            logger.warning("tiktok: the backfill could not read %r (%s)", conversion, type(error).__name__)
    if counts["recorded"]:
        logger.info("tiktok: the backfill recorded %s conversions that no signal saw", counts["recorded"])
    return counts


def _first(now: float) -> float:
    """Return when the hourly backfill ran for the first time, in epoch seconds."""
    using = write_database()
    first = seen_at(FIRST, using=using)
    if first is None:
        beat(FIRST, using=using, now=now)
    return now if first is None else first
