"""The fixed SQL text of waiting events finds and marks what the ORM's form would."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from tests.delivery.samples import PIXEL, row, store
from tiktok_attribution.browser import stored_calls
from tiktok_attribution.browser.pending_cookie import Key
from tiktok_attribution.models import OutboxEvent, State, events_of, events_with

pytestmark = pytest.mark.django_db

NAMES, CODES = ("Purchase", "Lead", "Contact"), (PIXEL, "C0OTHER", "c0other")


@pytest.fixture(params=range(5))
def keys(request: pytest.FixtureRequest) -> list[Key]:
    """Some of many events in every state, shown and confirmed at several times; and some that are not there."""
    dice, now = random.Random(request.param), timezone.now()
    moments = (None, now, now - timedelta(seconds=200), now - timedelta(hours=1))
    made, found = [], []
    for number in range(60):
        one = row(
            number,
            pixel_code=dice.choice(CODES),
            event_id=f"{dice.choice(('order', 'ORDER'))}-{number // 2}-{number}",
            state=dice.choice(State.values),
            due_at=None,
            event_time=dice.randrange(5),
            wants_browser=dice.random() < 0.8,
            browser_at=dice.choice(moments),
            browser_confirmed_at=dice.choice((None, None, now)),
        )
        one.name = dice.choice(NAMES)
        one.payload = dice.choice((one.payload, one.payload, ""))
        made.append(one)
        if dice.random() < 0.5:
            found.append(Key(one.pixel_code, one.name, one.event_id))
    store(made)
    return [*found, Key(PIXEL, "Lead", "gone"), Key("C0GONE", "Purchase", found[0].event_id)]


def by_orm(condition: Q) -> list[stored_calls.Row]:
    wanted = OutboxEvent.objects.with_pixel_call().filter(condition)
    ordered = wanted.order_by("event_time", "name", "event_id", "pk")
    return [stored_calls.Row(*one) for one in ordered.values_list(*stored_calls.Row._fields)]


def test_it_finds_the_same_in_the_same_order(keys: list[Key]) -> None:
    since = timezone.now() - timedelta(seconds=stored_calls.SHOWN_AGAIN_SECONDS)
    unseen = Q(browser_at__isnull=True) | Q(browser_at__gte=since, browser_confirmed_at__isnull=True)
    ours = stored_calls._rows_of_keys(keys, "default")
    assert ours
    assert ours == by_orm(events_with(keys) & unseen)


def test_it_finds_the_same_of_objects(keys: list[Key]) -> None:
    for number, one in enumerate(OutboxEvent.objects.order_by("pk")):
        one.object_label, one.object_pk = ("shop.Order", "shop.User")[number % 2], str(number % 3)
        one.save()
    objects = [("shop.Order", "1"), ("shop.User", "1"), ("shop.Order", "0"), ("shop.Order", "gone")]
    ours = stored_calls._rows_of_objects(objects, "default")
    assert ours
    assert ours == by_orm(events_of(objects) & Q(browser_at__isnull=True))


@pytest.mark.parametrize("column", ["browser_at", "browser_confirmed_at"])
def test_it_marks_the_same_and_no_moment_twice(keys: list[Key], column: str) -> None:
    before = dict(OutboxEvent.objects.values_list("pk", column))
    empty = set(
        OutboxEvent.objects.filter(events_with(keys), **{f"{column}__isnull": True}).values_list("pk", flat=True)
    )
    begun = timezone.now() - timedelta(seconds=1)
    (stored_calls.note_shown if column == "browser_at" else stored_calls.note_confirmed)(keys)
    after = dict(OutboxEvent.objects.values_list("pk", column))
    changed = {pk for pk, moment in after.items() if moment != before[pk]}
    assert changed == empty
    assert changed
    assert all(begun <= after[pk] <= timezone.now() + timedelta(seconds=1) for pk in changed)


HOSTILE = ["x' OR '1'='1", 'x" OR 1=1 --', "x`; DROP TABLE y; --", "%s", "%(a)s", "x\\' OR 1=1 #", "a') OR ('1'='1"]


@pytest.mark.hostile
@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_key_holds_is_never_sql(text: str) -> None:
    store([row(1, wants_browser=True), row(2, wants_browser=True, event_id=text)])
    mine = Key(PIXEL, "Purchase", text)
    assert [one.event_id for one in stored_calls._rows_of_keys([mine], "default")] == [text]
    assert stored_calls._rows_of_keys([Key(text, text, text)], "default") == []
    assert stored_calls._rows_of_objects([(text, text)], "default") == []
    stored_calls.note_shown([mine])
    assert [one.event_id for one in OutboxEvent.objects.filter(browser_at__isnull=False)] == [text]


def test_without_keys_nothing_is_asked(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        stored_calls.note_shown([])
        assert stored_calls.of_keys([]) == []
