"""Turns of Celery's tasks: each sends for a few seconds, and at most DELIVERY_TASKS of a pixel at once.

So a backlog keeps no worker process of the site for longer than a turn, and never more of them than the setting says.
A task that has more to send hands its turn on to a later one; until that comes, the turn stays taken, so that the
wake-ups of new events start no others beside it.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes, pixels
from tiktok_attribution.delivery.clock import SLACK_SECONDS, Clock, clock_of
from tiktok_attribution.delivery.pixel_sender import PixelRun
from tiktok_attribution.delivery.post import lease_seconds
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.models import Turn

MOST_WAIT_SECONDS = 60.0
"""A longer pause is left to the sweep, which comes as often."""


class Next(NamedTuple):
    """A turn that is handed on: whose it is now, and in how many seconds it goes on."""

    holder: str
    seconds: float


@errors_without_values
def take_turn(pixel_code: str, *, using: str, holder: str = "", clock: Clock | None = None) -> Next | None:
    """Send what is due for DELIVERY_SECONDS. What to go on with, None where nothing is left for this task.

    `holder` names the turn that was handed on to this task. Without it, it takes a free one or returns at once.
    """
    settings = conf.current()
    token = pixels.token_to_send_with(using, pixel_code) if settings.enabled else ""
    if not token:
        return None
    clock = clock or clock_of(using)
    seconds = settings.delivery_seconds + lease_seconds(settings)
    was_idle = False
    while True:
        turn = _take(using, pixel_code, holder, now=clock(), seconds=seconds, most=settings.delivery_tasks)
        if turn is None:
            return None
        holder = turn.holder
        run = PixelRun(
            pixel_code, token, using=using, clock=clock, stopping=lambda: False, seconds=settings.delivery_seconds
        )
        try:
            next_at = run.deliver()
        except BaseException:
            _keep(turn, using, until=0.0)
            raise
        wait = 0.0 if next_at is None else max(next_at - clock(), 0.0)
        if next_at is not None and wait <= MOST_WAIT_SECONDS:
            _keep(turn, using, until=clock() + wait + seconds)
            return Next(holder, wait)
        _keep(turn, using, until=0.0)
        if next_at is not None or not any(lanes.lanes_with_work(using, pixel_code, clock())):
            return None
        # Committed after the last look at its lane: the task that was to send it found the turn taken, and went away.
        # Or the lane is another process's, which then looks again itself.
        is_idle = not run.counts
        if is_idle and was_idle:
            return None
        holder, was_idle = "", is_idle


def _take(using: str, pixel_code: str, holder: str, *, now: float, seconds: float, most: int) -> Turn | None:
    """The turn of this holder, or a free one, for so long. A turn that reaches further was written by a wrong clock."""
    turns = Turn.objects.using(using)
    known = {turn.number: turn for turn in turns.filter(pixel_code=pixel_code, number__lt=most)}
    for number in range(most):
        turn = known.get(number) or turns.get_or_create(pixel_code=pixel_code, number=number)[0]
        is_taken = now < turn.leased_until <= now + MOST_WAIT_SECONDS + seconds + SLACK_SECONDS
        if holder != turn.holder if holder else is_taken:
            continue
        same = turns.filter(pk=turn.pk, holder=turn.holder, leased_until=turn.leased_until)
        fresh = secrets.token_urlsafe(16)
        if same.update(holder=fresh, leased_until=now + seconds):
            turn.holder = fresh
            return turn
    return None


def _keep(turn: Turn, using: str, *, until: float) -> None:
    """Until then for its holder; 0 for anybody."""
    Turn.objects.using(using).filter(pk=turn.pk, holder=turn.holder).update(
        holder=turn.holder if until else "", leased_until=until
    )
