"""Where a moment lies in the outbox, without an index over moments: keys and `created_at` grow together."""

from __future__ import annotations

from datetime import datetime

from tiktok_attribution.models import OutboxEvent


def first_pk_since(moment: datetime, *, using: str) -> int:
    """The key of the first event recorded at that moment or later; one above the highest where there is none.

    Bisection over the primary key, about log2 of the table in look-ups. Transactions that commit out of order make it
    wrong by as many rows, so who needs it exact starts a while earlier and compares `created_at`.
    """
    rows = OutboxEvent.objects.using(using)
    first = rows.order_by("pk").values_list("pk", flat=True).first()
    last = rows.order_by("-pk").values_list("pk", flat=True).first()
    if first is None or last is None:
        return 1
    low, high = first, last + 1
    while low < high:
        middle = (low + high) // 2
        near = rows.filter(pk__gte=middle).order_by("pk").values_list("pk", "created_at")[:1]
        pk, created_at = near[0] if near else (high, None)
        if created_at is None or created_at >= moment:
            high = middle
        else:
            low = pk + 1
    return high
