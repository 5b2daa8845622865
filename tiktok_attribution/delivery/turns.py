"""Limit the turns of Celery tasks, note signs of life, and run the registered background work.

- `take_turn` sends for a few seconds. At most DELIVERY_TASKS tasks of a pixel do so at once. A backlog blocks a worker
  process of the site for one turn at most. A task that has more to send hands its turn to a later task.
- `beat` notes in a heartbeat row that a process is alive, and gives periodic work to one process at a time.
- `register` takes background work of higher floors by name when Django starts. The sweep and
  `tiktok_deliver --loop` run it, so neither tasks nor delivery need to know about conversions.
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
UNTAGGED = "no-tag:"  # prefix of the name of a view whose page was sent without the tag
_MOST_CHARACTERS = 32  # the length of `Heartbeat.name`


# Decision: signs of life are rows, written at most once a minute by each process. Celery's own inspection asks every
# worker through the broker. That is slow, and useless when the broker itself is broken.
def beat(name: str, *, using: str, now: float | None = None, every: float = EVERY_SECONDS) -> bool:
    """Note that `name` is alive, at most once in `every` seconds. Return True for the one caller that noted it.

    `now` is epoch seconds of the database's clock; without it the database is asked. With clocks of their own, two
    machines an hour apart would each take every turn.

    It reads before it writes, and outside of a transaction. An UPDATE takes SQLite's write lock even where no row
    matches, and `tiktok_deliver --loop` calls this three times a round. It raises nothing: a sign of life must not
    stop a delivery.
    """
    try:
        now = database_time(using) if now is None else now
        last = seen_at(name, using=using)
        if last is None:
            return Heartbeat.objects.using(using).get_or_create(pk=name, defaults={"seen_at": now})[1]
        if now - every < last <= now + every:  # a moment further ahead was written by a wrong clock
            return False
        return bool(Heartbeat.objects.using(using).filter(pk=name, seen_at=last).update(seen_at=now))
    except AnyDatabaseError as error:
        logger.warning("tiktok: the heartbeat was not stored (%s)", describe(error))
        return False


def seen_at(name: str, *, using: str) -> float | None:
    """Return the epoch seconds of the last sign of life; None if there never was one."""
    return Heartbeat.objects.using(using).filter(pk=name).values_list("seen_at", flat=True).first()


def untagged_name(view: str) -> str:
    """Return the name of the note that a page of this view lacks the tag. Of a long name, the end is kept."""
    most = _MOST_CHARACTERS - len(UNTAGGED)
    return UNTAGGED + (view if len(view) <= most else f"…{view[1 - most :]}")


def untagged_since(moment: float, *, using: str) -> list[str]:
    """Return the noted views whose page lacked the tag since `moment` (epoch seconds)."""
    beats = Heartbeat.objects.using(using).filter(pk__startswith=UNTAGGED, seen_at__gte=moment)
    return [name.removeprefix(UNTAGGED) for name in beats.order_by("pk").values_list("pk", flat=True)]


MOST_WAIT_SECONDS = 60.0
"""A longer pause is left to the sweep, which runs as often."""


class Next(NamedTuple):
    """A turn that is handed on: its new holder, and in how many seconds it goes on."""

    holder: str
    seconds: float


# Decision: a Celery task has a turn. It sends for DELIVERY_SECONDS; then a later task goes on with the same turn. Until
# that task starts, the turn stays taken, so that wake-ups for new events start no other tasks. Turns go by the
# database's clock. A turn that is leased further ahead than the settings allow was written by a wrong clock, so it
# counts as free.
@errors_without_values
def take_turn(pixel_code: str, *, using: str, holder: str = "", clock: Clock | None = None) -> Next | None:
    """Send the due events of a pixel for DELIVERY_SECONDS. Return the turn to go on with, or None if nothing remains.

    `holder` names the turn that was handed to this task. Without it, the task takes a free turn or returns at once.
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
        # Either an event was committed after the last look at its lane: its own task found the turn taken and ended.
        # Or another process has the lane; that process looks at it again by itself.
        is_idle = not run.counts
        if is_idle and was_idle:
            return None
        holder, was_idle = "", is_idle


def _take(using: str, pixel_code: str, holder: str, *, now: float, seconds: float, most: int) -> Turn | None:
    """Lease this holder's turn, or a free one, for `seconds`. A turn that is leased for longer counts as free."""
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
    """Keep the turn for its holder until then (epoch seconds); 0 frees it."""
    Turn.objects.using(using).filter(pk=turn.pk, holder=turn.holder).update(
        holder=turn.holder if until else "", leased_until=until
    )


FINISH, BACKFILL, ATTRIBUTION = "finish", "backfill", "attribution"

Chore = Callable[[], object]
_chores: dict[str, tuple[Chore, Callable[[], bool]]] = {}


def register_chore(name: str, chore: Chore, *, is_due: Callable[[], bool] = lambda: True) -> None:
    """Register background work by name; the last registration of a name counts. `is_due` is True for one process."""
    _chores[name] = chore, is_due


def chore_is_due(name: str) -> bool:
    """Return True if this work must run now; False if that can't be determined."""
    try:
        return name in _chores and _chores[name][1]()
    except Exception:
        logger.exception("tiktok: can't tell whether %s is due", name)
        return False


@errors_without_values
def run_chore(name: str) -> None:
    """Run the registered work of this name. Raises nothing: a failure here must not stop the sending of events."""
    try:
        if name in _chores:
            _chores[name][0]()
    except Exception:
        logger.exception("tiktok: %s failed; the next round tries again", name)
