"""The goals: what is measured, what must be reached and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which way is good."""

    MORE = "≥"
    LESS = "≤"

    def reached(self, figure: float, goal: float) -> bool:
        return figure >= goal if self is Better.MORE else figure <= goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`measure` is the dotted path of a function of a Setup that returns a Measured.

    `by_ratio`: must and aim are said of ours/yardstick; else of ours alone, in the unit. An `aim` of None is one that
    only the run can tell: the noise that the figure is to vanish in.
    """

    id: str
    what: str
    unit: str
    better: Better
    must: float
    aim: float | None
    measure: str
    by_ratio: bool = True


_MEASURES = "benchmarks.measures."

GOALS = (
    Goal(
        id="P1",
        what="outbox to delivered at 0 ms, against a raw two-write lease",
        unit="events/s",
        better=Better.MORE,
        must=1.1,
        aim=1.7,
        measure=_MEASURES + "throughput.against_raw_lease",
    ),
    Goal(
        id="P2",
        what="the same, against TikTok's SDK and save() per event",
        unit="events/s",
        better=Better.MORE,
        must=50,
        aim=85,
        measure=_MEASURES + "throughput.against_sdk_and_save",
    ),
    Goal(
        id="P3",
        what="one worker at 100 ms, against (events in a POST) / RTT",
        unit="events/s",
        better=Better.MORE,
        must=0.65,
        aim=0.95,
        measure=_MEASURES + "delayed.one_worker",
    ),
    Goal(
        id="P4",
        what="4 workers at 100 ms on one table, against TikTok's SDK one by one",
        unit="events/s",
        better=Better.MORE,
        must=1500,
        aim=3000,
        measure=_MEASURES + "delayed.four_workers",
    ),
    Goal(
        id="P5",
        what="order and event, against the order alone",
        unit="ms",
        better=Better.LESS,
        must=1.6,
        aim=1.4,
        measure=_MEASURES + "enqueue.order_and_event",
    ),
    Goal(
        id="P5A",
        what="a whole checkout in gunicorn, against a Celery task on commit",
        unit="flows/s",
        better=Better.MORE,
        must=0.75,
        aim=0.95,
        measure=_MEASURES + "served.checkout",
    ),
    Goal(
        id="P5B",
        what="statements that the app adds to a checkout's POST, whatever the lines",
        unit="statements",
        better=Better.LESS,
        must=6,
        aim=3,
        by_ratio=False,
        measure=_MEASURES + "flow.statements",
    ),
    Goal(
        id="P5C",
        what="Python calls that the app adds to a checkout's POST with 3 lines",
        unit="calls",
        better=Better.LESS,
        must=1800,
        aim=1000,
        by_ratio=False,
        measure=_MEASURES + "flow.calls",
    ),
    Goal(
        id="P6",
        what="claim of 1000, slowest against fastest table size",
        unit="ms",
        better=Better.LESS,
        must=1.5,
        aim=1.25,
        measure=_MEASURES + "claiming.by_table_size",
    ),
    Goal(
        id="P7",
        what="admin list of 10^6 rows, against 10^3 rows",
        unit="ms",
        better=Better.LESS,
        must=2,
        aim=1.3,
        measure=_MEASURES + "admin_list.by_table_size",
    ),
    Goal(
        id="P8",
        what="base-code tag, against django-analytical's Facebook head tag",
        unit="µs",
        better=Better.LESS,
        must=0.5,
        aim=0.2,
        measure=_MEASURES + "tag.against_django_analytical",
    ),
    Goal(
        id="P9",
        what="time the middleware adds to an ordinary request",
        unit="µs",
        better=Better.LESS,
        must=1,
        aim=None,
        by_ratio=False,
        measure=_MEASURES + "middleware.ordinary_request",
    ),
    Goal(
        id="P10",
        what="memory growth over 20 batches of 1000",
        unit="MB",
        better=Better.LESS,
        must=12,
        aim=6,
        by_ratio=False,
        measure=_MEASURES + "memory.twenty_batches",
    ),
    Goal(
        id="P11",
        what="statements for claim and mark of one batch",
        unit="statements",
        better=Better.LESS,
        must=4,
        aim=3,
        by_ratio=False,
        measure=_MEASURES + "statements.one_batch",
    ),
    Goal(
        id="P12",
        what="time a broker that is down adds to a checkout",
        unit="ms",
        better=Better.LESS,
        must=1,
        aim=None,
        by_ratio=False,
        measure=_MEASURES + "checkout.broker_down",
    ),
    Goal(
        id="P13",
        what="slowest function on 8,000 characters of a visitor's text, which may grow 12-fold from 1,000",
        unit="ms",
        better=Better.LESS,
        must=5,
        aim=2,
        by_ratio=False,
        measure=_MEASURES + "visitor_text.slowest_reader",
    ),
    Goal(
        id="P15",
        what="commit of an order to its POST to TikTok at 20 orders/s, 95th percentile",
        unit="ms",
        better=Better.LESS,
        must=500,
        aim=300,
        by_ratio=False,
        measure=_MEASURES + "worker.commit_to_tiktok",
    ),
    Goal(
        id="P17",
        what="4 workers at 100 ms by default settings, against raw lane leases",
        unit="events/s",
        better=Better.MORE,
        must=0.9,
        aim=1.1,
        measure=_MEASURES + "delayed.four_workers_and_raw",
    ),
)
