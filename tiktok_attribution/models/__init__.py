"""What is remembered: the outbox, every attempt, each pixel's state, and who a shopper was.

Moments that machines compare (`due_at`, `leased_until`, …) are epoch seconds: no time zone, no summer time, the same
under USE_TZ=False. Moments that people read are ordinary datetimes.
"""

from tiktok_attribution.models.attempt import Attempt, Outcome
from tiktok_attribution.models.body import EventBody, events_named, events_with, kind_of
from tiktok_attribution.models.bulk import BulkJob, BulkState, BulkVerb
from tiktok_attribution.models.event import ERASED, TROUBLE, OutboxEvent, State
from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex, digest, moment
from tiktok_attribution.models.notice import Notice, Trouble
from tiktok_attribution.models.objects import events_of, events_of_key, snapshots_of
from tiktok_attribution.models.pixel import Diagnosis, Lane, PixelStatus, Turn
from tiktok_attribution.models.tally import Heartbeat, HourTally, Overview
from tiktok_attribution.models.visitor import SuppressedCount, VisitorSnapshot

__all__ = [
    "ERASED",
    "TROUBLE",
    "Attempt",
    "BulkJob",
    "BulkState",
    "BulkVerb",
    "Diagnosis",
    "DigestField",
    "EventBody",
    "ExactCharField",
    "Heartbeat",
    "HourTally",
    "Lane",
    "Notice",
    "OutboxEvent",
    "Outcome",
    "Overview",
    "PartialIndex",
    "PixelStatus",
    "State",
    "SuppressedCount",
    "Trouble",
    "Turn",
    "VisitorSnapshot",
    "digest",
    "events_named",
    "events_of",
    "events_of_key",
    "events_with",
    "kind_of",
    "moment",
    "snapshots_of",
]
