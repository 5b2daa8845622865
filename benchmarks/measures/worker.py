"""P15: from the commit of an order to TikTok, with a real Celery worker and few orders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles

from benchmarks import rows
from benchmarks.children.process import ROOT
from benchmarks.measured import Measured
from benchmarks.setup import Setup

PER_SECOND = 20
POSTS_MUST, POSTS_AIM = 0.8, 0.3
"""POSTs an event."""
DELAY_SECONDS = 0.1
WAIT_SECONDS = 30


def commit_to_tiktok(setup: Setup) -> Measured:
    """Milliseconds until the event's POST begins, the 95th percentile; POSTs an event are a condition beside it."""
    orders = max(100, setup.scale.orders // 5)
    rows.empty()
    with _celery_worker():
        _place(20)  # the first ones connect the worker to everything
        first = len(_waited(20))
        setup.sink.reset(DELAY_SECONDS)
        _place(orders)
        waited = _waited(first + orders)[first:]
    posts = setup.sink.stats().posts / orders
    percentile = quantiles(waited, n=20)[-1]
    return Measured(
        ours=percentile,
        yardstick=DELAY_SECONDS * 1000,
        ratios=[percentile],
        must_also=posts <= POSTS_MUST,
        aim_also=posts <= POSTS_AIM,
        note=f"{orders} orders at {PER_SECOND}/s, answers after {DELAY_SECONDS * 1000:.0f} ms; median "
        f"{median(waited):.0f} ms; {posts:.2f} POSTs an event (must ≤ {POSTS_MUST}, aim ≤ {POSTS_AIM})",
    )


def _place(orders: int) -> None:
    from benchmarks.shop.models import Order  # noqa: PLC0415 -- measures are imported when Django is set up

    request, begun = rows.shopper_request(), time.monotonic()
    for number in range(orders):
        time.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
        rows.place_order(Order, request)


def _waited(orders: int) -> list[float]:
    """Milliseconds from recording to the POST, in order of recording, once so many are delivered."""
    from tiktok_attribution.models import OutboxEvent, State  # noqa: PLC0415

    end = time.monotonic() + WAIT_SECONDS
    delivered = OutboxEvent.objects.filter(state=State.DELIVERED)
    while delivered.count() < orders:
        if time.monotonic() > end:
            raise AssertionError(f"{delivered.count()} of {orders} events were delivered")
        time.sleep(0.05)
    moments = delivered.order_by("pk").values_list("created_at", "last_attempt__started_at")
    return [(done - made).total_seconds() * 1000 for made, done in moments if done is not None]


@contextmanager
def _celery_worker() -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.celery_app", "worker"]
    command += ["--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    running = subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(timeout=20)
