"""The outbox's questions have names; each finds what its name says, and nobody spells one out elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

import tiktok_attribution
from tests.delivery.samples import NOW, PIXEL, row, store
from tiktok_attribution.models import OutboxEvent, OutboxQuerySet, State

PACKAGE = Path(tiktok_attribution.__file__).parent
DIRECT = re.compile(r"OutboxEvent\.objects(?:\.using\((?:[^()]|\([^()]*\))*\))?\.filter\((.*)")
WITH_A_CONDITION_OF_ITS_OWN = {
    "delivery/event_search.py": "self.condition",  # an event filter of the admin
    "delivery/manual.py": "filter_of(job).condition",
    "delivery/outbox.py": "pk=OuterRef",  # inside a subquery
    "browser/stored_calls.py": "still_empty",  # a column by its name
}


def test_no_room_spells_a_question_out() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), condition)
        for path in PACKAGE.rglob("*.py")
        for condition in DIRECT.findall(path.read_text(encoding="utf-8"))
        if path.parent.name not in ("models", "migrations")
    }
    assert {place for place, _ in found} <= set(WITH_A_CONDITION_OF_ITS_OWN)
    assert all(condition.startswith(WITH_A_CONDITION_OF_ITS_OWN[place]) for place, condition in found), found


@pytest.fixture
def _events() -> None:
    store(
        [
            row(1, due_at=NOW),
            row(2, due_at=NOW + 60, lane=1),
            row(3, state=State.DELIVERED, due_at=None, attempts=1),
            row(4, state=State.REJECTED, due_at=None, attempts=1),
            row(5, state=State.AWAITING_CONSENT, due_at=None, wants_browser=True),
            row(6, due_at=None, unfinished_since=NOW, wants_browser=True),
            row(7, pixel_code="C0OTHER", due_at=NOW),
        ]
    )


Question = Callable[[OutboxQuerySet], OutboxQuerySet]


@pytest.mark.django_db
@pytest.mark.usefixtures("_events")
@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        (lambda events: events.queued(), {1, 2, 7}),
        (lambda events: events.queued(PIXEL), {1, 2}),
        (lambda events: events.in_lane(PIXEL, 1), {2}),
        (lambda events: events.due_in(PIXEL, 0, now=NOW), {1}),
        (lambda events: events.due_in(PIXEL, 1, now=NOW), set()),
        (lambda events: events.settled(), {3, 4, 5, 6}),
        (lambda events: events.untried(), {1, 2, 5, 6, 7}),
        (lambda events: events.in_state(State.DELIVERED), {3}),
        (lambda events: events.in_state(State.DELIVERED, State.REJECTED), {3, 4}),
        (lambda events: events.failed_since(timezone.now().replace(year=2000)), {4}),
        (lambda events: events.still_built(events.values_list("pk", flat=True)), {6}),
        (lambda events: events.with_pixel_call(), {6}),
        (lambda events: events.newest_first()[:1], {7}),
        (lambda events: events.from_key(events.newest_first()[1].pk), {6, 7}),
        (lambda events: events.below_key(events.order_by("pk")[1].pk), {1}),
        (lambda events: events.with_keys([]), set()),
    ],
)
def test_each_finds_what_its_name_says(question: Question, numbers: set[int]) -> None:
    named = {one.event_id: number for number, one in enumerate(OutboxEvent.objects.order_by("pk"), 1)}
    assert {named[one.event_id] for one in question(OutboxEvent.objects.all())} == numbers
