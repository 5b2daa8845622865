"""Signs of life of what runs by itself, and turns that one process takes at a time.

Turns of Celery's tasks: each sends for a few seconds, and at most DELIVERY_TASKS of a pixel at once.

So a backlog keeps no worker process of the site for longer than a turn, and never more of them than the setting says.
A task that has more to send hands its turn on to a later one; until that comes, the turn stays taken, so that the
wake-ups of new events start no others beside it.

What higher floors do in the background, by name: registered when Django starts, run by the sweep and the loop.

So a task needs to know nothing of conversions, as delivery does not.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import NamedTuple

from django.db import Error as AnyDatabaseError

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes, pixels
from tiktok_attribution.delivery.clock import SLACK_SECONDS, Clock, clock_of, database_time
from tiktok_attribution.delivery.pixel_sender import PixelRun
from tiktok_attribution.delivery.post import lease_seconds
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Heartbeat, Turn

logger = logging.getLogger("tiktok_attribution")

WORKER, SWEEP, LOOP = "worker", "sweep", "deliver-loop"
EVERY_SECONDS = 60.0
UNTAGGED = "no-tag:"  # before the name of a view whose page went out without the tag
_MOST_CHARACTERS = 32  # of `Heartbeat.name`


def beat(name: str, *, using: str, now: float | None = None, every: float = EVERY_SECONDS) -> bool:
    """Note that `name` is alive, at most once in `every` seconds. True for the one caller that noted it. `now`: epoch
    seconds of the database's clock, which is asked where the caller did not: two machines an hour apart would each
    take every turn.

    It looks before it writes, and outside of a transaction: an UPDATE takes SQLite's write lock even where no row
    fits, and `tiktok_deliver --loop` comes here three times a round. Raises nothing: a sign of life is not worth a
    delivery.
    """
    try:
        now = database_time(using) if now is None else now
        last = seen_at(name, using=using)
        if last is None:
            return Heartbeat.objects.using(using).get_or_create(pk=name, defaults={"seen_at": now})[1]
        if now - every < last <= now + every:  # further ahead: by a clock that was wrong
            return False
        return bool(Heartbeat.objects.using(using).filter(pk=name, seen_at=last).update(seen_at=now))
    except AnyDatabaseError as error:
        logger.warning("tiktok: the heartbeat was not stored (%s)", describe(error))
        return False


def seen_at(name: str, *, using: str) -> float | None:
    """Epoch seconds of the last sign of life; None where there never was one."""
    return Heartbeat.objects.using(using).filter(pk=name).values_list("seen_at", flat=True).first()


def untagged_name(view: str) -> str:
    """Under which name it is noted that a page of this view lacks the tag; the end of a long one counts."""
    most = _MOST_CHARACTERS - len(UNTAGGED)
    return UNTAGGED + (view if len(view) <= most else f"…{view[1 - most :]}")


def untagged_since(moment: float, *, using: str) -> list[str]:
    """Views, as far as they are noted, whose page lacked the tag since then (epoch seconds)."""
    beats = Heartbeat.objects.using(using).filter(pk__startswith=UNTAGGED, seen_at__gte=moment)
    return [name.removeprefix(UNTAGGED) for name in beats.order_by("pk").values_list("pk", flat=True)]


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


FINISH, BACKFILL = "finish", "backfill"

Chore = Callable[[], object]
_registered: dict[str, tuple[Chore, Callable[[], bool]]] = {}


def register(name: str, chore: Chore, *, is_due: Callable[[], bool] = lambda: True) -> None:
    """`is_due` says True to one process that asks. The last one of a name counts."""
    _registered[name] = chore, is_due


def is_due(name: str) -> bool:
    """Whether to run it now. False where it can't be told."""
    try:
        return name in _registered and _registered[name][1]()
    except Exception:
        logger.exception("tiktok: can't tell whether %s is due", name)
        return False


@errors_without_values
def run(name: str) -> None:
    """Raises nothing: what fails here must keep no event from being sent."""
    try:
        if name in _registered:
            _registered[name][0]()
    except Exception:
        logger.exception("tiktok: %s failed; the next round tries again", name)
