from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.samples import DAY, NOW, PIXEL, row, store
from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.figures import PixelFigures, figures
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, Outcome, State, moment

pytestmark = pytest.mark.django_db


def the_pixel(code: str = PIXEL) -> PixelFigures:
    (one,) = [one for one in figures(now=NOW) if one.pixel_code == code]
    return one


def attempt(key: str, outcome: str, events: int, *, ago: float = 60) -> None:
    Attempt.objects.create(id=key, pixel_code=PIXEL, started_at=moment(NOW - ago), event_count=events, outcome=outcome)


def settled(number: int, state: str, *, ago: float = 60) -> None:
    row(number, state=state, due_at=None, created_at=moment(NOW - ago)).save()


def test_a_configured_pixel_with_nothing_to_tell_is_listed() -> None:
    one = the_pixel()
    assert (one.waiting, one.due, one.oldest_due_seconds, one.stopped) == (0, 0, 0.0, "")


def test_waiting_and_due_rows_and_the_age_of_the_oldest() -> None:
    row(1, due_at=NOW - 90).save()
    row(2, due_at=NOW - 5).save()
    row(3, due_at=NOW + 60).save()
    settled(4, State.DELIVERED)
    one = the_pixel()
    assert (one.waiting, one.due, one.oldest_due_seconds) == (3, 2, 90.0)


def test_an_event_that_is_due_later_has_no_age() -> None:
    row(1, due_at=NOW + 60).save()
    assert the_pixel().oldest_due_seconds == 0.0


def test_rates_of_the_last_hour() -> None:
    attempt("a", Outcome.DELIVERED, 900)
    attempt("b", Outcome.DELIVERED, 100)
    attempt("c", Outcome.RETRY, 50)
    attempt("old", Outcome.DELIVERED, 7, ago=3700)
    one = the_pixel()
    assert (one.delivered_last_hour, one.posts_last_hour, one.failed_posts_last_hour) == (1000, 3, 1)


def test_problem_of_the_last_day() -> None:
    settled(1, State.INVALID)
    settled(2, State.REJECTED)
    settled(3, State.REJECTED)
    settled(4, State.EXPIRED)
    settled(5, State.REJECTED, ago=DAY + 60)
    one = the_pixel()
    assert (one.invalid_last_day, one.rejected_last_day, one.expired_last_day) == (1, 2, 1)


def test_a_stopped_pixel_says_why() -> None:
    pixels.stop("default", PIXEL, Answer(code=40105, message="Access token is incorrect"), token="old")
    assert the_pixel().stopped == "40105 Access token is incorrect"


def test_a_pixel_that_is_not_configured_any_more_is_listed_while_something_waits() -> None:
    row(1, pixel_code="C0GONE", due_at=NOW - 1).save()
    assert the_pixel("C0GONE").waiting == 1


def test_the_cost_does_not_grow_with_the_pixels(django_assert_num_queries: Any) -> None:
    store([row(number, pixel_code=f"C0{number}") for number in range(5)])
    with django_assert_num_queries(6):
        assert len(list(figures(now=NOW))) == 6
