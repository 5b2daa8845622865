"""Lanes of a pixel at the same time: while one waits for TikTok, another reads or marks. A lane has its own lease, so
nothing is shared between them but the work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

from tiktok_attribution import conf

Result = TypeVar("Result")


def side_by_side(work: Callable[[int], Result], numbers: Iterable[int], *, using: str) -> list[Result]:
    """`work` for each lane, PARALLEL_LANES of them, in any order; what it raises is raised when the others have ended.

    This thread works too; each other one has a connection of its own for all its lanes, for opening one costs about as
    much as a batch. One after another on SQLite, which has one writer, and inside a transaction, which no other
    connection can see.
    """
    waiting = deque(numbers)
    threads = min(conf.current().parallel_lanes, len(waiting))
    alone = threads < 2 or connections[using].vendor == "sqlite" or connections[using].in_atomic_block

    def some() -> list[Result]:
        done = []
        while waiting:
            try:
                number = waiting.popleft()
            except IndexError:  # another thread was quicker
                break
            done.append(work(number))
        return done

    def apart() -> list[Result]:
        try:
            return some()
        finally:
            connections[using].close()

    if alone:
        return some()
    with ThreadPoolExecutor(threads - 1, thread_name_prefix="tiktok-lane") as pool:
        others = [pool.submit(apart) for _ in range(threads - 1)]
        done = some()
    return [result for more in (done, *(other.result() for other in others)) for result in more]
