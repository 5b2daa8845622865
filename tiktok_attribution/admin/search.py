"""Search over the events: by event id, by the number of the object, by TikTok's request id. Each through an index.

Exact, for what is typed here is copied from an order, a log or a letter of TikTok's support; anything fuzzy would
read the whole table.
"""

from __future__ import annotations

from django.db.models import Q

from tiktok_attribution.admin import known
from tiktok_attribution.admin.paging import MOST
from tiktok_attribution.models import Attempt, OutboxEvent, events_of
from tiktok_attribution.visitor.object_key import object_key

MOST_ATTEMPTS = 20


def matching(term: str, *, using: str) -> list[int]:
    """Keys of the events that a search term means, at most `MOST`."""
    rows = OutboxEvent.objects.using(using)
    pixels = known.pixels()
    ways = [
        Q(pixel_code__in=["", *pixels], name__in=known.names(["", *pixels]), event_id=term),
        events_of((label, object_key(term)) for label in known.labels()),
    ]
    attempts = Attempt.objects.using(using).filter(request_id=term).order_by("-started_at")
    ways += [sent_by(attempt) for attempt in attempts[:MOST_ATTEMPTS]]
    found: dict[int, None] = {}
    for way in ways:
        # One statement a way: an OR over different indexes makes some engines read the table instead.
        found.update(dict.fromkeys(rows.filter(way).order_by("-pk").values_list("pk", flat=True)[:MOST]))
    return list(found)[:MOST]


def sent_by(attempt: Attempt) -> Q:
    """The events that were in this attempt, also those that have been tried again since."""
    stretch = Q(pk__gte=attempt.first_event or 0, pk__lte=attempt.last_event or 0)
    return stretch & (Q(last_attempt=attempt.pk) | Q(attempt_log__contains=f"{attempt.pk},"))
