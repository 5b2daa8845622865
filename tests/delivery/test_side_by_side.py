from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from tests.delivery.conftest import Configure
from tiktok_attribution.delivery.side_by_side import side_by_side


def thread_of(number: int) -> tuple[int, str]:
    connection.ensure_connection()
    return number, threading.current_thread().name


@pytest.mark.django_db
def test_inside_a_transaction_lanes_go_one_after_another() -> None:
    here = threading.current_thread().name
    assert side_by_side(thread_of, [3, 1, 2], using="default") == [(3, here), (1, here), (2, here)]


@pytest.mark.on_engine("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_lanes_meet_in_threads_of_their_own(configure: Configure) -> None:
    configure(LANES_AT_ONCE=2)
    both = threading.Barrier(2, timeout=10)

    def meet(number: int) -> str:
        connection.ensure_connection()
        both.wait()
        return threading.current_thread().name

    names = side_by_side(meet, [0, 1], using="default")
    assert len(set(names)) == 2
    assert all(name.startswith("tiktok-lane") for name in names)


@pytest.mark.on_engine("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_what_a_lane_raises_is_raised(configure: Configure) -> None:
    configure(LANES_AT_ONCE=2)

    def fail(number: int) -> Any:
        raise OSError(f"lane {number}")

    with pytest.raises(OSError, match="lane 0"):
        side_by_side(fail, [0, 1], using="default")
