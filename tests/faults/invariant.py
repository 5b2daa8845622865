"""What holds after every fault."""

from __future__ import annotations

from collections import Counter

from tests.faults.site import ATTEMPT, Row, Site

GIVEN_UP = ("rejected", "expired", "invalid")


def every_event_is_counted_once_or_says_why_not(site: Site, committed: int) -> Counter[str]:
    """How many events are in which state; fails unless each is counted exactly once, or its state tells why not."""
    rows = site.rows()
    counted = {row.event_id: row.counted for row in site.standin.ledger.events()}
    wrong = [f"{row}, counted {counted.get(row.event_id, 0)} times" for row in rows if not _is_right(row, counted)]

    assert len({row.event_id for row in rows}) == len(rows) == committed, "an event has vanished, or is there twice"
    assert counted.keys() <= {row.event_id for row in rows}, "TikTok counts an event that nobody committed"
    assert not wrong, f"{len(wrong)} of {committed}: {wrong[:5]}\n{site.told()}"
    return Counter(row.state for row in rows)


def repeats(site: Site) -> int:
    """How many events came to the stand-in more often than once, by so many times."""
    return sum(row.repeats for row in site.standin.ledger.events())


def what_attempts_came_to(site: Site) -> str:
    """A line for each kind of end that a POST had, then the processes' log: why something was sent again."""
    ends = site.sql(
        "SELECT outcome, message, count(*), sum(event_count), max(duration_seconds) "  # noqa: S608 -- a constant
        f"FROM {ATTEMPT} GROUP BY outcome, message ORDER BY outcome"
    )
    lines = [
        f"{outcome}: {posts} POSTs of {events} events, {seconds} s at most; {message}"
        for outcome, message, posts, events, seconds in ends
    ]
    return "\n".join([*lines, site.told()])


def _is_right(row: Row, counted: dict[str, int]) -> bool:
    times = counted.get(row.event_id, 0)
    if row.state == "delivered" or times:
        return times == 1
    return bool(row.note) if row.state in GIVEN_UP else row.state == "waiting" and bool(row.told)
