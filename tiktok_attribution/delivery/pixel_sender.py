"""One pixel, once through: its lanes side by side, at the pace of the rate limit, unless its breaker is open."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from threading import Event
from typing import NamedTuple

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes
from tiktok_attribution.delivery.breaker import Breaker
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.clock import Clock
from tiktok_attribution.delivery.lane_sender import End, LaneSender
from tiktok_attribution.delivery.post import SendContext, lease_seconds, most_pace_seconds
from tiktok_attribution.delivery.results import Counts
from tiktok_attribution.delivery.side_by_side import side_by_side
from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")


class LaneEnd(NamedTuple):
    """What a lane's turn came to; `next_at` is when the rate limit lets it go on."""

    number: int
    end: End
    next_at: float
    counts: Counts


class PixelRun:
    """Sends what is due for one pixel and never sleeps. `clock` gives epoch seconds; `stopping` is asked before each
    POST; after `seconds` no other POST begins. `tally` says how many events ended in which state.
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
        """Send until nothing is due or there is a reason to wait. Returns the epoch seconds from which there is more to
        send, None where nothing is, or where its time is another process's matter.
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
        """A turn for each of these lanes."""
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
            # A row that was committed after the last look at the lane found it leased, and its worker went away.
            if end is not End.EMPTY or not lanes.has_work(self._using, self._pixel_code, number, self._clock()):
                return LaneEnd(number, end, lease.next_at, counts)

    def _ends(self) -> bool:
        return self._paused.is_set() or self._stopping() or self._is_over()

    def _is_over(self) -> bool:
        return time.monotonic() >= self._deadline
