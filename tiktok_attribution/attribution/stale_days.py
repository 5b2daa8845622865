"""Remember which days of which shop have to be rolled up again, and give each to one worker at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date

from django.db import transaction
from django.db.models import F

from tiktok_attribution.models import StaleDay

Day = tuple[date, str]
"""A day and a shop (pixel)."""
LEASE_SECONDS = 300.0


def mark_days(days: Collection[Day], *, using: str) -> None:
    """Mark days to be computed again. Call it in the transaction of the change, so that none is computed before it."""
    rows = StaleDay.objects.using(using)
    for day, shop in sorted(days):  # in one order, so that two workers never wait for each other
        if rows.filter(day=day, shop=shop).update(version=F("version") + 1):
            continue
        if not rows.get_or_create(day=day, shop=shop)[1]:
            rows.filter(day=day, shop=shop).update(version=F("version") + 1)


def next_stale_day(*, using: str, now: float, but: Collection[int] = ()) -> StaleDay | None:
    """Lease the day that has been marked for longest; None if none is left but those with the keys `but`.

    `now` is the database's epoch seconds.
    """
    rows = StaleDay.objects.using(using)
    # A lease that ends later than any lease does was written by a wrong clock.
    free = rows.exclude(leased_until__gt=now, leased_until__lte=now + LEASE_SECONDS).order_by("pk")
    for found in free.exclude(pk__in=but)[:20]:
        leased = now + LEASE_SECONDS
        if rows.filter(pk=found.pk, leased_until=found.leased_until, version=found.version).update(leased_until=leased):
            found.leased_until = leased
            return found
    return None


@contextmanager
def finishing(stale: StaleDay, *, using: str) -> Iterator[bool]:
    """Open the transaction that stores a computed day. Yield False if another worker has taken the day over.

    Afterwards the day is no longer stale, unless it was marked again while it was computed.
    """
    rows = StaleDay.objects.using(using).filter(pk=stale.pk)
    with transaction.atomic(using=using):
        is_ours = bool(rows.filter(leased_until=stale.leased_until).update(leased_until=0))
        yield is_ours
        if is_ours:
            rows.filter(version=stale.version).delete()
