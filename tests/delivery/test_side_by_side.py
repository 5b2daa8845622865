from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from tests.delivery.conftest import Configure
from tiktok_attribution.delivery.pixel_sender import side_by_side


def thread_of(number: int) -> tuple[int, str]:
    connection.ensure_connection()
    return number, threading.current_thread().name


@pytest.mark.django_db
def test_inside_a_transaction_lanes_go_one_after_another() -> None:
    here = threading.current_thread().name
    assert side_by_side(thread_of, [3, 1, 2], using="default") == [(3, here), (1, here), (2, here)]


@pytest.mark.on_engine("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_lanes_meet_in_this_thread_and_others(configure: Configure) -> None:
    configure(PARALLEL_LANES=2)
    both = threading.Barrier(2, timeout=10)

    def meet(number: int) -> str:
        connection.ensure_connection()
        both.wait()
        return threading.current_thread().name

    here, other = side_by_side(meet, [0, 1], using="default")
    assert here == threading.current_thread().name
    assert other.startswith("tiktok-lane")


@pytest.mark.on_engine("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_a_thread_keeps_its_connection_for_all_its_lanes(configure: Configure) -> None:
    configure(PARALLEL_LANES=2)
    opened: list[object] = []

    def note(sender: object, connection: object, **kwargs: Any) -> None:
        opened.append(connection)

    connection.ensure_connection()
    both = threading.Barrier(2, timeout=10)

    def meet(number: int) -> None:
        connection.ensure_connection()
        both.wait()

    connection_created.connect(note)
    try:
        side_by_side(meet, range(8), using="default")
    finally:
        connection_created.disconnect(note)
    assert len(opened) == 1


@pytest.mark.on_engine("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_what_a_lane_raises_is_raised(configure: Configure) -> None:
    configure(PARALLEL_LANES=2)

    def fail(number: int) -> Any:
        raise OSError(f"lane {number}")

    with pytest.raises(OSError, match="lane"):
        side_by_side(fail, [0, 1], using="default")
