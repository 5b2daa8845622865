"""What one transaction waits for in another, over the two tables of an event."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from tests.delivery.samples import NOW, fill, states
from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.outbox import clear_bodies
from tiktok_attribution.models import EventBody, OutboxEvent, State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.on_engine("postgres", "mariadb")]
SECONDS = 10
"""Until a test that waits for a lock in vain gives up."""


@contextmanager
def open_transaction(change: Callable[[], object], *, until: threading.Event) -> Iterator[None]:
    """Another connection has made this change, and commits it when the event is set, or too late."""
    made = threading.Event()

    def hold() -> bool:
        try:
            with transaction.atomic():
                change()
                made.set()
                return until.wait(SECONDS)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert made.wait(SECONDS)
        yield
        assert held.result(), "it waited for the other's lock"


@pytest.mark.parametrize("verb", [manual.retry, manual.cancel])
def test_manual_actions_locks_events_alone_as_their_order_before_the_bodies_keeps_from_deadlocks(
    verb: Callable[..., manual.ManualResult],
) -> None:
    fill(3, due_at=NOW + 900)
    done = threading.Event()

    with open_transaction(lambda: EventBody.objects.update(object_digest=None), until=done):
        outcome = verb(OutboxEvent.objects.using("default"), now=NOW)
        done.set()

    assert len(outcome.changed) == 3


def test_what_is_cleared_at_this_moment_is_not_sent_again() -> None:
    fill(2, state=State.REJECTED, due_at=None)
    first = OutboxEvent.objects.order_by("pk")[0].pk
    committed = threading.Event()

    def clear() -> None:
        list(OutboxEvent.objects.filter(pk=first).select_for_update())
        clear_bodies([first], using="default")

    with open_transaction(clear, until=committed):
        threading.Timer(0.3, committed.set).start()
        outcome = manual.retry(OutboxEvent.objects.using("default"), now=NOW)

    assert outcome.refused == {manual.SkipReason.CLEARED: [first]}
    assert states() == {State.REJECTED: 1, State.WAITING: 1}
