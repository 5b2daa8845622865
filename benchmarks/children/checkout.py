"""A web process: so many checkouts, one after another, each with its milliseconds and those of one more hint alone."""

from __future__ import annotations

import sys
import time

import django

from benchmarks.children.process import when_told

PAUSE_SECONDS = 0.01


def checkouts(number: int) -> list[tuple[float, float]]:
    """The very first order is one that the app doesn't know: it opens the connection to the database.

    The broker is that of the environment.
    """
    from benchmarks import celery_app, rows  # noqa: F401, PLC0415 -- needs Django set up
    from benchmarks.shop.models import Order, PlainOrder  # noqa: PLC0415
    from tiktok_attribution import tasks  # noqa: PLC0415

    rows.place_order(PlainOrder, rows.shopper_request())
    milliseconds: list[tuple[float, float]] = []
    for _ in range(number):
        request = rows.shopper_request()
        started = time.perf_counter()
        rows.place_order(Order, request)
        done = time.perf_counter()
        tasks.wake_worker(rows.PIXEL, "default")
        milliseconds.append(((done - started) * 1000, (time.perf_counter() - done) * 1000))
        time.sleep(PAUSE_SECONDS)
    return milliseconds


if __name__ == "__main__":
    django.setup()
    when_told(lambda: checkouts(int(sys.argv[1])))
