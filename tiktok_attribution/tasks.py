"""Celery tasks: deliver, sweep, backfill, background jobs and pruning. The only module that uses Celery.

Tasks carry a pixel code and a database alias, never a payload, and call plain functions of `delivery` and `monitoring`.
`wake_worker` publishes a delivery task for new events from a thread (`delivery.wakeup`). A wake-up may be lost: `sweep`
finds every event that is due.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import metadata
from importlib.util import find_spec
from typing import Any, NamedTuple

from celery import Task, current_app, shared_task

from tiktok_attribution import in_tests
from tiktok_attribution.delivery import manual, pixel_sender, repair, retention, turns
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.delivery.wakeup import WakeUps
from tiktok_attribution.failures import describe, missing_module
from tiktok_attribution.monitoring import alerts, hourly_statistics

logger = logging.getLogger("tiktok_attribution")

PRUNE_MOST = 50_000  # rows of each type and database that one task deletes
SWEEP_SECONDS = 60
NO_APP = "no Celery app is loaded in this process"
NOT_ASKED = "this is a test process"


@shared_task(name="tiktok_attribution.deliver", ignore_result=True)
def deliver(pixel_code: str, using: str = "default", holder: str = "") -> None:
    """Send what is due for one pixel, for DELIVERY_SECONDS. A later task goes on with this one's turn."""
    _alive(turns.WORKER)
    if current_app.conf.task_always_eager:  # a countdown would not wait, and there is no worker to keep free
        pixel_sender.deliver(pixel_code, using=using)
        return
    more = turns.take_turn(pixel_code, using=using, holder=holder)
    if more is not None:
        _publish(deliver, pixel_code, using, more.holder, countdown=more.seconds)


@shared_task(name="tiktok_attribution.sweep", ignore_result=True)
def sweep() -> None:
    """Find due events that no wake-up announced, and publish one task for each pixel. For Celery beat, every minute."""
    repair.repair_everywhere()
    retention.drop_unanswered()
    turns.run_chore(turns.FINISH)
    for using, pixel_code in pixel_sender.work_everywhere():
        _publish(deliver, pixel_code, using)
    for using in manual.waiting_databases():
        # The next sweep asks again. A task that no worker has taken by then would only add to the queue.
        _publish(bulk, using, expires=SWEEP_SECONDS)
    if turns.chore_is_due(turns.BACKFILL):
        _publish(backfill, expires=SWEEP_SECONDS)
    _alive(turns.SWEEP, turns.WORKER)
    hourly_statistics.refresh_all()
    if turns.chore_is_due(turns.ATTRIBUTION):
        turns.run_chore(turns.ATTRIBUTION)
    alerts.notify_all()


@shared_task(name="tiktok_attribution.backfill", ignore_result=True)
def backfill() -> None:
    """Record the conversions of the last BACKFILL_HOURS that no signal reported. The sweep asks for it every hour."""
    _alive(turns.WORKER)
    turns.run_chore(turns.BACKFILL)


@shared_task(name="tiktok_attribution.bulk", ignore_result=True)
def bulk(using: str = "default") -> None:
    """Go on with the background jobs of one database, for less than the time between two sweeps."""
    _alive(turns.WORKER)
    _, pixel_codes = manual.work(using)
    for pixel_code in sorted(pixel_codes):
        wake_worker(pixel_code, using)


@shared_task(name="tiktok_attribution.prune", ignore_result=True)
def prune() -> None:
    """Clear bodies and delete old rows, in as many short tasks as that takes. For Celery beat, once a day."""
    done = retention.prune_all(most=PRUNE_MOST)
    if retention.has_more(done, PRUNE_MOST):
        _publish(prune)  # without it, a site with more new events a day would grow for ever


_alive_at: dict[str, float] = {}


def _alive(*names: str) -> None:
    """Note signs of life, without a database query for each task. Raises nothing."""
    now = time.monotonic()
    try:
        for name in names:
            if now - _alive_at.get(name, -turns.EVERY_SECONDS) >= turns.EVERY_SECONDS:
                _alive_at[name] = now
                turns.beat(name, using=write_database())
    except Exception as error:
        logger.warning("tiktok: the heartbeat was not stored (%s)", describe(error))


def uses_broker() -> bool:
    """Return True if this process wakes workers for new events."""
    return not current_app.conf.task_always_eager and _has_celery() and _may_reach_broker()


def _may_reach_broker() -> bool:
    """Return False in a test process that has not asked for it. Celery's broker in memory ends with the process."""
    return not in_tests.keeps_inside() or _broker_is_in_memory()


def _broker_is_in_memory() -> bool:
    return _transport() == "memory"


def _transport() -> str:
    """Return the scheme of the broker's URL; of the first URL if there are several to fall back on."""
    written: Any = current_app.conf.broker_write_url or current_app.conf.broker_url or ""
    return str(written[0] if isinstance(written, list) else written).partition(":")[0]


def _publish(task: Task[..., Any], *arguments: str, **options: Any) -> None:
    """Publish a task. Every task that a task of this app leads to is published here; an eager one needs no broker."""
    if current_app.conf.task_always_eager or _may_reach_broker():
        task.apply_async(arguments, ignore_result=True, **options)


def broker_problem(seconds: int = 2) -> str:
    """Return why the broker can't be reached in `seconds`; "" if it can. Names no address: it contains a password."""
    if not _has_celery():
        return NO_APP
    if not _may_reach_broker():
        return NOT_ASKED
    try:
        # A broker may also accept the connection and then say nothing.
        limits = {"socket_connect_timeout": seconds, "socket_timeout": seconds}
        with current_app.connection_for_read(transport_options=limits) as connection:
            connection.connect_timeout = seconds
            connection.ensure_connection(max_retries=0, timeout=seconds)
    except Exception as error:  # any error of the transport's library
        return describe(error)
    return ""


class Lacking(NamedTuple):
    """A Python module that this process lacks to use the broker, and the package to install for it."""

    module: str
    package: str


def lacking() -> Lacking | None:
    """Return what is missing to speak the broker's protocol; None if nothing is. Makes no connection."""
    transport = _transport()
    if transport.startswith(("redis", "sentinel")):  # rediss over TLS
        # Searched by name: without `redis`, kombu 5.7 fails on the attribute of a None and names no module.
        missing = [name for name in ("redis", "packaging") if find_spec(name) is None]
        return Lacking(missing[0], "django-tiktok-attribution[redis]") if missing else None
    try:
        _ = current_app.connection_for_read().transport
    except ImportError as error:
        extras = metadata("celery").get_all("Provides-Extra") or []  # most of its transports have an extra
        module = missing_module(error) or transport
        return Lacking(module, f"celery[{transport}]" if transport in extras else module)
    except Exception:  # an unknown transport or an unreadable URL: another problem
        return None
    return None


def queues() -> list[str]:
    """Return the names of the queues for this app's tasks, by the project's routes. Makes no connection."""
    names = set()
    for task in (deliver, sweep, backfill, bulk, prune):
        route = current_app.amqp.router.route({}, task.name, (), {})
        queue = route.get("queue")
        names.add(str(getattr(queue, "name", queue) or current_app.conf.task_default_queue))
    return sorted(names)


def worker_command() -> str:
    """Return the command that starts a worker for this app's tasks; "" if the project's routes can't be read."""
    if not _has_celery():
        return ""
    try:
        return f"celery -A {current_app.main or 'PROJECT'} worker -Q {','.join(queues())}"
    except Exception as error:  # a router of the site's own code
        logger.info("tiktok: the queue of this app's tasks is not known (%s)", describe(error))
        return ""


def wake_worker(pixel_code: str, using: str) -> None:
    """Ask a worker to deliver soon. Returns at once and raises nothing. Call it after the commit."""
    try:
        # Celery looks its settings up in several layers, so `will_publish` is asked first: a busy process needs no
        # lookup. An eager task would make the POST in this process.
        if not _wake_ups.will_publish(pixel_code, using) and uses_broker():
            _wake_ups.wake(pixel_code, using)
    except Exception as error:  # Celery's settings can't be read, or no thread can be started
        logger.warning("tiktok: no worker was woken (%s); the sweep will deliver", describe(error))


@lru_cache(maxsize=1)
def _has_celery() -> bool:
    """Return True if the project has a Celery app. Celery's substitute would look for RabbitMQ on this machine."""
    if current_app.main != "default" or current_app.conf.broker_url:
        return True
    logger.info("tiktok: no Celery app is loaded here, so no worker is woken; tiktok_deliver or the sweep delivers")
    return False


class _Broker:
    """The connection for wake-ups. Connections of Celery's pool would be shared with the children of a fork."""

    def __init__(self) -> None:
        self._connection: Any = None

    def publish(self, pixel_code: str, using: str) -> None:
        """Publish a delivery task. A kept connection that has gone stale is replaced once.

        Raises any error of the broker's library, or ModuleNotFoundError with the package to install.
        """
        if self._connection is not None:
            with suppress(Exception):
                return self._send(pixel_code, using)
            self._drop()
        try:
            self._connection = current_app.connection_for_write()
            self._send(pixel_code, using)
        except Exception as error:
            self._drop()
            lack = lacking()
            if lack is not None:
                raise ModuleNotFoundError(f"install {lack.package}", name=lack.module) from error
            raise

    def _send(self, pixel_code: str, using: str) -> None:
        options: dict[str, Any] = {"connection": self._connection, "retry": False, "ignore_result": True}
        deliver.apply_async((pixel_code, using), **options)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        with suppress(Exception):
            connection.release()


_wake_ups = WakeUps(_Broker().publish)


def _after_fork() -> None:
    """Replace the publisher in a forked child: it has no threads, its locks may be in any state, its sockets shared."""
    global _wake_ups
    _wake_ups = WakeUps(_Broker().publish)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
