"""Models of the outbox, the attempts, the pixels and lanes, the visitor snapshots, and the monitoring.

Moments that machines compare (`due_at`, `leased_until`, `event_time`, …) are epoch seconds. Moments that people read
are ordinary datetimes.
"""

from tiktok_attribution.models.attribution import (
    AttributionReport,
    ChangedObject,
    Clock,
    ConversionPerson,
    ConversionTouch,
    DailyAttribution,
    LandingCount,
    RecordedConversion,
    StaleDay,
    Touch,
    Traffic,
    VisitorLink,
)
from tiktok_attribution.models.delivery import (
    Attempt,
    BulkJob,
    BulkState,
    BulkVerb,
    Diagnosis,
    Lane,
    Outcome,
    PixelStatus,
    Turn,
)
from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex, digest, moment
from tiktok_attribution.models.monitoring import Alert, AlertKind, Heartbeat, HourlyStatistics, Overview
from tiktok_attribution.models.outbox import ERASED, EventBody, OutboxEvent, OutboxQuerySet
from tiktok_attribution.models.queries import (
    FAILED_STATES,
    MAY_CHANGE,
    State,
    events_named,
    events_of,
    events_of_key,
    events_with,
    snapshots_of,
    type_key_of,
)
from tiktok_attribution.models.spend import AdSpend, Level, SpendImport
from tiktok_attribution.models.visitor import SuppressedCount, VisitorSnapshot
from tiktok_attribution.models.vouchers import DailyCode, VoucherCode, folded_code

__all__ = [
    "ERASED",
    "FAILED_STATES",
    "MAY_CHANGE",
    "AdSpend",
    "Alert",
    "AlertKind",
    "Attempt",
    "AttributionReport",
    "BulkJob",
    "BulkState",
    "BulkVerb",
    "ChangedObject",
    "Clock",
    "ConversionPerson",
    "ConversionTouch",
    "DailyAttribution",
    "DailyCode",
    "Diagnosis",
    "DigestField",
    "EventBody",
    "ExactCharField",
    "Heartbeat",
    "HourlyStatistics",
    "LandingCount",
    "Lane",
    "Level",
    "OutboxEvent",
    "OutboxQuerySet",
    "Outcome",
    "Overview",
    "PartialIndex",
    "PixelStatus",
    "RecordedConversion",
    "SpendImport",
    "StaleDay",
    "State",
    "SuppressedCount",
    "Touch",
    "Traffic",
    "Turn",
    "VisitorLink",
    "VisitorSnapshot",
    "VoucherCode",
    "digest",
    "events_named",
    "events_of",
    "events_of_key",
    "events_with",
    "folded_code",
    "moment",
    "snapshots_of",
    "type_key_of",
]
