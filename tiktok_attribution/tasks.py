"""Celery's door to delivery. Tasks carry a pixel code and a database alias, never a payload.

A hint is only that: whatever no task announces is found by `sweep`. It is published by a thread of its own, so that a
broker that is down or slow costs the shopper's request nothing, and a thousand orders in a second are a few tasks.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any

from celery import current_app, shared_task

from tiktok_attribution.delivery import bulk as jobs
from tiktok_attribution.delivery import chores, heartbeat, housekeeping, send
from tiktok_attribution.delivery.announcer import Announcer
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.notices import telling
from tiktok_attribution.tallies import refresh

logger = logging.getLogger("tiktok_attribution")

PRUNE_MOST = 50_000  # rows of a kind and database in one task
SWEEP_SECONDS = 60
NO_APP = "no Celery app is loaded in this process"


@shared_task(name="tiktok_attribution.deliver", ignore_result=True)
def deliver(pixel_code: str, using: str = "default") -> None:
    """Send what is due for one pixel."""
    _alive(heartbeat.WORKER)
    send.deliver(pixel_code, using=using)


@shared_task(name="tiktok_attribution.sweep", ignore_result=True)
def sweep() -> None:
    """For Celery beat, about once a minute: find what no hint announced, one task a pixel."""
    housekeeping.drop_unanswered()
    chores.run(chores.FINISH)
    for using, pixel_code in send.work_everywhere():
        deliver.apply_async((pixel_code, using), ignore_result=True)
    for using in jobs.waiting_databases():
        # The next sweep asks again, so what no worker has taken by then would only pile up.
        bulk.apply_async((using,), ignore_result=True, expires=SWEEP_SECONDS)
    if chores.is_due(chores.BACKFILL):
        backfill.apply_async((), ignore_result=True, expires=SWEEP_SECONDS)
    _alive(heartbeat.SWEEP, heartbeat.WORKER)
    refresh.refresh_all()
    telling.notify_all()


@shared_task(name="tiktok_attribution.backfill", ignore_result=True)
def backfill() -> None:
    """Record conversions of the last BACKFILL_HOURS that no signal saw; the sweep asks for it every hour."""
    _alive(heartbeat.WORKER)
    chores.run(chores.BACKFILL)


@shared_task(name="tiktok_attribution.bulk", ignore_result=True)
def bulk(using: str = "default") -> None:
    """Go on with what the admin asked for over whole filters, for less than the time between two sweeps."""
    _alive(heartbeat.WORKER)
    _, pixel_codes = jobs.work(using)
    for pixel_code in sorted(pixel_codes):
        hint(pixel_code, using)


@shared_task(name="tiktok_attribution.prune", ignore_result=True)
def prune() -> None:
    """For Celery beat, about once a day: clear payloads and delete old rows, in as many short tasks as that takes."""
    done = housekeeping.prune_all(most=PRUNE_MOST)
    if housekeeping.has_more(done, PRUNE_MOST):
        prune.apply_async((), ignore_result=True)  # else a site with more events a day than that would grow for ever


_alive_at: dict[str, float] = {}


def _alive(*names: str) -> None:
    """Signs of life, without a look at the database for each task. Never raises."""
    now = time.time()
    try:
        for name in names:
            if now - _alive_at.get(name, 0.0) >= heartbeat.EVERY_SECONDS:
                _alive_at[name] = now
                heartbeat.beat(name, using=write_database(), now=now)
    except Exception as error:
        logger.warning("tiktok: no sign of life was noted (%s)", type(error).__name__)


def uses_broker() -> bool:
    """Whether this process would tell workers of new events."""
    return not current_app.conf.task_always_eager and _has_celery()


def broker_trouble(seconds: int = 2) -> str:
    """Why Celery's broker can't be reached within that time, "" when it can. Names no address: it holds a password."""
    if not _has_celery():
        return NO_APP
    try:
        # A broker may also take the connection and say nothing.
        limits = {"socket_connect_timeout": seconds, "socket_timeout": seconds}
        with current_app.connection_for_read(transport_options=limits) as connection:
            connection.connect_timeout = seconds
            connection.ensure_connection(max_retries=0, timeout=seconds)
    except Exception as error:  # whatever the transport's library raises
        return type(error).__name__
    return ""


def hint(pixel_code: str, using: str) -> None:
    """Ask for delivery soon. Returns at once and never raises; call it after the commit."""
    try:
        # Celery's settings are looked up in several layers, so the busy are spared that. Eager tasks would put the
        # network call into this process.
        if not _announcer.will_publish(pixel_code, using) and uses_broker():
            _announcer.announce(pixel_code, using)
    except Exception as error:  # Celery's settings can't be read, or no thread can be started
        logger.warning("tiktok: no hint was given (%s); the sweep will deliver", type(error).__name__)


@lru_cache(maxsize=1)
def _has_celery() -> bool:
    """Whether the project has a Celery app. Celery's stand-in for one would look for RabbitMQ on this machine."""
    if current_app.main != "default" or current_app.conf.broker_url:
        return True
    logger.info("tiktok: no Celery app is loaded here, so no hints are given; tiktok_deliver or the sweep delivers")
    return False


class _Broker:
    """The hints' own connection: those of Celery's pool would be shared with the children of a fork."""

    def __init__(self) -> None:
        self._connection: Any = None

    def publish(self, pixel_code: str, using: str) -> None:
        """Raises what the broker's library raises. A kept connection that has gone stale is replaced once."""
        if self._connection is not None:
            with suppress(Exception):
                return self._send(pixel_code, using)
            self._drop()
        self._connection = current_app.connection_for_write()
        try:
            self._send(pixel_code, using)
        except Exception:
            self._drop()
            raise

    def _send(self, pixel_code: str, using: str) -> None:
        options: dict[str, Any] = {"connection": self._connection, "retry": False, "ignore_result": True}
        deliver.apply_async((pixel_code, using), **options)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        with suppress(Exception):
            connection.release()


_announcer = Announcer(_Broker().publish)


def _after_fork() -> None:
    """A forked child has none of its parent's threads, may have its locks in any state, and shares its sockets."""
    global _announcer
    _announcer = Announcer(_Broker().publish)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
