"""Lanes of a pixel at the same time: while one waits for TikTok, another reads or marks. A lane has its own lease, so
nothing is shared between them but the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

from tiktok_attribution import conf

Result = TypeVar("Result")


def side_by_side(work: Callable[[int], Result], numbers: Iterable[int], *, using: str) -> list[Result]:
    """`work` for each lane, LANES_AT_ONCE of them in threads with a connection each; what it raises is raised.

    One after another on SQLite, which has one writer, and inside a transaction, which no other connection can see.
    """
    waiting = list(numbers)
    threads = min(conf.current().lanes_at_once, len(waiting))
    if threads < 2 or connections[using].vendor == "sqlite" or connections[using].in_atomic_block:
        return [work(number) for number in waiting]

    def apart(number: int) -> Result:
        try:
            return work(number)
        finally:
            connections[using].close()

    with ThreadPoolExecutor(threads, thread_name_prefix="tiktok-lane") as pool:
        return list(pool.map(apart, waiting))
