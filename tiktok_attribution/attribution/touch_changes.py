"""Notice touches that come late, and forget the touches of browsers that withdrew.

- `mark_late_touches` reads the touches since the last round and marks the conversions that they may have led to. A
  landing that a page reports, or that waited for consent, may be stored after the conversion that it led to.
- `forget_browsers` deletes touches and links after a withdrawal.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import router, transaction

from tiktok_attribution import conf
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.delivery.turns import seen_at
from tiktok_attribution.models import (
    ConversionPerson,
    ConversionTouch,
    Heartbeat,
    RecordedConversion,
    Touch,
    VisitorLink,
)

READ = "touches-read"
"""The heartbeat that holds no moment but the first key of the touches that was not read yet."""
PAGE_ROWS = 1000


# Decision: the worker looks for late touches, so that a landing stays one INSERT. Each touch is one statement in
# autocommit, so keys are committed in their order but for milliseconds, and the newest ones are not read twice.
def mark_late_touches(*, until: float) -> int:
    """Mark conversions that a new touch may have led to as stale. Return how many touches were read."""
    using = router.db_for_write(Touch)
    read = int(seen_at(READ, using=using) or 0)
    if not read:
        Heartbeat.objects.using(using).get_or_create(pk=READ, defaults={"seen_at": 1})
        read = 1
    count = 0
    rows = Touch.objects.using(using).order_by("pk")
    while True:
        page = list(rows.filter(pk__gte=read).only("pk", "visitor_key", "at")[:PAGE_ROWS])
        if not page:
            return count
        _mark(page)
        count += len(page)
        following = page[-1].pk + 1
        Heartbeat.objects.using(using).filter(pk=READ, seen_at=read).update(seen_at=following)
        if time.monotonic() >= until:
            return count
        read = following


def _mark(touches: Sequence[Touch]) -> None:
    landings = defaultdict(list)
    for touch in touches:
        landings[touch.visitor_key].append(touch.at)
    using, widest = attribution_database(), conf.current().attribution.widest
    since = min(touch.at for touch in touches)
    rows = RecordedConversion.objects.using(using).filter(at__gte=since, is_stale=False)
    reached = [
        (pk, at, key)
        for pk, at, key in rows.filter(visitor_key__in=landings).values_list("pk", "at", "visitor_key")
        if key is not None
    ]
    links = VisitorLink.objects.using(router.db_for_write(VisitorLink)).filter(visitor_key__in=landings)
    for person, key in links.values_list("person", "visitor_key") if conf.current().attribution.join else ():
        theirs = ConversionPerson.objects.using(using).filter(person=person).values("conversion_id")
        reached += [(pk, at, key) for pk, at in rows.filter(pk__in=theirs).values_list("pk", "at")]
    late = {pk for pk, at, key in reached if any(landed <= at <= landed + widest for landed in landings[key])}
    rows.filter(pk__in=late).update(is_stale=True)


def forget_browsers(visitor_keys: Collection[UUID]) -> int:
    """Delete the touches and links of browsers that withdrew their consent. Return how many touches were deleted.

    Conversions that they led to lose these touches and the browser's key, and are computed again.
    """
    using = attribution_database()
    touches = Touch.objects.using(router.db_for_write(Touch)).filter(visitor_key__in=visitor_keys)
    links = VisitorLink.objects.using(router.db_for_write(VisitorLink)).filter(visitor_key__in=visitor_keys)
    persons = list(links.values_list("person", flat=True))
    deleted = touches.delete()[0]
    links.delete()
    with transaction.atomic(using=using):
        rows = RecordedConversion.objects.using(using)
        own = list(rows.filter(visitor_key__in=visitor_keys).values_list("pk", flat=True))
        # All of them: copies of touches whose originals are deleted don't say which browser they came from.
        ConversionTouch.objects.using(using).filter(conversion__in=own).delete()
        theirs = ConversionPerson.objects.using(using).filter(person__in=persons)
        rows.filter(pk__in=own).update(visitor_key=None)
        rows.filter(pk__in=[*own, *theirs.values_list("conversion_id", flat=True)]).update(is_stale=True)
    return deleted
