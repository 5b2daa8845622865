"""Send the due events of a pixel, several lanes at once.

`side_by_side` runs the lanes in threads: one lane waits for TikTok while another uses the database. `PixelRun` goes
through a pixel once, at the pace of the rate limit, unless its circuit breaker is open. `deliver` repeats that until
nothing is due; `deliver_all` does it for every pixel in every database. Threads share only the list of lanes to do.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import NamedTuple, TypeVar

from django.db import Error as AnyDatabaseError
from django.db import connections

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes, pixels
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.clock import Clock, clock_of
from tiktok_attribution.delivery.lane_sender import End, LaneSender
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.pixels import Breaker
from tiktok_attribution.delivery.post import SendContext, lease_seconds, most_pace_seconds
from tiktok_attribution.delivery.results import Counts
from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")

Result = TypeVar("Result")


# Decision: one worker sends PARALLEL_LANES lanes at once, two by default. So the database work of one lane goes on
# during the POST of another. Each lane has its own lease, so the threads need no lock.
def side_by_side(work: Callable[[int], Result], numbers: Iterable[int], *, using: str) -> list[Result]:
    """Call `work` for each lane number, PARALLEL_LANES at a time, and return the results in any order.

    This thread works too. Each other thread has one connection for all its lanes, because opening one costs about as
    much as a batch. Lanes run one after another on SQLite, which has one writer, and inside a transaction, which no
    other connection can see. An error of `work` is raised when the other threads have ended.
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


class LaneEnd(NamedTuple):
    """The result of one lane's run. `next_at`: epoch seconds from which the rate limit lets the lane go on."""

    number: int
    end: End
    next_at: float
    counts: Counts


class PixelRun:
    """Send what is due for one pixel, without ever sleeping.

    `clock` returns epoch seconds. `stopping` is called before each POST. No POST begins after `seconds`. `counts`
    holds how many events ended in which state.
    """

    @errors_without_values
    def __init__(
        self,
        pixel_code: str,
        token: str,
        *,
        using: str,
        clock: Clock,
        stopping: Callable[[], bool],
        seconds: float = math.inf,
    ) -> None:
        self._pixel_code, self._using = pixel_code, using
        self._token, self._clock, self._stopping = token, clock, stopping
        self._settings = conf.current()
        self._breaker = Breaker(using, pixel_code)
        self._paused = Event()
        self._deadline = time.monotonic() + seconds
        self.counts: Counts = Counter()

    def deliver(self) -> float | None:
        """Send until nothing is due or there is a reason to wait. Return when to go on, in epoch seconds.

        Returns None if nothing more is due, or if another process decides when to go on.
        """
        waiting = list(lanes.lanes_with_work(self._using, self._pixel_code, self._clock()))
        if not waiting:
            return None
        if not self._breaker.may_pass(now=self._clock(), seconds=lease_seconds(self._settings)):
            return self._breaker.opens_at
        for number in waiting:
            if self._breaker.is_probing and not self._ends():
                self._round([number])
        while waiting and not self._breaker.is_probing and not self._ends():
            paced = [lane for lane in self._round(waiting) if lane.end is End.PACED]
            waiting = [lane.number for lane in paced]
            next_at = min((lane.next_at for lane in paced), default=0.0)
            if next_at > self._clock():
                return next_at
        if self._paused.is_set() or self._stopping() or not self._is_over():
            return None
        return self._clock()

    def _round(self, numbers: Sequence[int]) -> list[LaneEnd]:
        """Send each of these lanes once."""
        ends = side_by_side(self._turn, numbers, using=self._using)
        for lane in ends:
            self.counts += lane.counts
        return ends

    def _turn(self, number: int) -> LaneEnd:
        if self._paused.is_set():
            return LaneEnd(number, End.PIXEL_PAUSED, 0.0, Counter())
        with Client(self._settings.api_url, self._settings.timeout_seconds) as client:
            lane = self._send_lane(number, self._context(client))
        if lane.end is End.PIXEL_PAUSED:
            self._paused.set()
        return lane

    def _context(self, client: Client) -> SendContext:
        return SendContext(
            client=client,
            settings=self._settings,
            token=self._token,
            clock=self._clock,
            stopping=self._ends,
            breaker=self._breaker,
        )

    def _send_lane(self, number: int, context: SendContext) -> LaneEnd:
        counts: Counts = Counter()
        while True:
            lease = lanes.lease(
                self._using,
                self._pixel_code,
                number,
                now=self._clock(),
                seconds=context.lease_seconds,
                most_pace_seconds=most_pace_seconds(context.settings),
            )
            if lease is None:
                return LaneEnd(number, End.EMPTY, 0.0, counts)
            try:
                end = LaneSender(lease, context, counts).run()
            except lanes.LeaseLost as lost:
                logger.warning("tiktok: %s; what became of the last batch is noted by that worker", lost)
                return LaneEnd(number, End.PAUSED, 0.0, counts)
            finally:
                lease.release()
            # An event that was committed after the last look at the lane found it leased, so its worker went away.
            if end is not End.EMPTY or not lanes.has_work(self._using, self._pixel_code, number, self._clock()):
                return LaneEnd(number, end, lease.next_at, counts)

    def _ends(self) -> bool:
        return self._paused.is_set() or self._stopping() or self._is_over()

    def _is_over(self) -> bool:
        return time.monotonic() >= self._deadline


GLANCE_SECONDS = 0.2  # how long a pause may delay a process that is asked to end
MOST_WAIT_SECONDS = 5.0  # a longer pause is TikTok's, unless the rate limit is very low; the next round tries again


def _never() -> bool:
    return False


def deliver_all(*, clock: Clock | None = None, stopping: Callable[[], bool] = _never) -> Counts:
    """Send what is due, for every pixel in every database.

    A failure of one pixel is logged and counted under "failed"; the others go on. `stopping` is called before each
    POST.
    """
    counts: Counts = Counter()
    for using, pixel_code in work_everywhere(counts):
        try:
            counts += deliver(pixel_code, using=using, clock=clock, stopping=stopping)
        except Exception:
            logger.exception("tiktok pixel %s: its events in %r could not be sent and wait", pixel_code, using)
            counts["failed"] += 1
    return counts


def work_everywhere(failures: Counts | None = None) -> Iterator[tuple[str, str]]:
    """Yield database alias and pixel code wherever an event waits. Log a database that can't be read and skip it."""
    for using in outbox_databases():
        try:
            codes = list(lanes.pixels_with_work(using))
        except AnyDatabaseError as error:
            logger.warning(
                "tiktok: the outbox in database %r can't be read (%s). Run migrate for it, or let a router's "
                "allow_migrate say that it holds no table of tiktok_attribution.",
                *(using, type(error).__name__),
            )
            if failures is not None and using == write_database():
                failures["failed"] += 1
            continue
        yield from ((using, code) for code in codes)


@errors_without_values
def deliver(
    pixel_code: str, *, using: str, clock: Clock | None = None, stopping: Callable[[], bool] = _never
) -> Counts:
    """Send what is due for one pixel, and wait where the rate limit demands it.

    For a process that does nothing else. Lanes that another worker holds are left to it. `clock` returns epoch
    seconds; by default it is the database's clock.
    """
    token = pixels.token_to_send_with(using, pixel_code) if conf.current().enabled else ""
    if not token:
        return Counter()
    clock = clock or clock_of(using)
    most_wait = max(MOST_WAIT_SECONDS, most_pace_seconds(conf.current()))
    counts: Counts = Counter()
    while True:
        run = PixelRun(pixel_code, token, using=using, clock=clock, stopping=stopping)
        next_at = run.deliver()
        counts += run.counts
        if next_at is None or next_at - clock() > most_wait or stopping():
            return counts
        _wait(next_at, clock, stopping)
        if clock() < next_at:
            return counts  # asked to end, or the clock stands still: the next round tries again


def _wait(until: float, clock: Clock, stopping: Callable[[], bool]) -> None:
    """Wait until then, or until this process is asked to end."""
    end = time.monotonic() + max(until - clock(), 0.0)
    while (left := end - time.monotonic()) > 0 and not stopping():
        time.sleep(min(left, GLANCE_SECONDS))
