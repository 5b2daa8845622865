"""What runs beside the site: migrations applied, worker and beat alive, the broker within reach."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import Error as DatabaseTrouble
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from tiktok_attribution import tasks
from tiktok_attribution.delivery.heartbeat import LOOP, SWEEP, WORKER, seen_at
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.diagnosis.finding import Finding, Level
from tiktok_attribution.diagnosis.probe import Probe

APP = "tiktok_attribution"
LATE_SECONDS = 900.0
LOOP_LATE_SECONDS = 180.0  # it shows itself each minute, and no task of it waits in a queue


def migrations() -> Iterator[Finding]:
    """Whether the tables are those of this version, in each database that holds an outbox."""
    pending = []
    for alias in outbox_databases():
        try:
            executor = MigrationExecutor(connections[alias])
        except DatabaseTrouble as error:
            pending.append(f"{alias}: {type(error).__name__}")
            continue
        targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
        plan = executor.migration_plan(targets)
        names = [migration.name for migration, _backwards in plan if migration.app_label == APP]
        pending += [f"{alias}: {', '.join(names)}"] if names else []
    if not pending:
        yield Finding(id="migrations", level=Level.OK, what=_("All migrations are applied."))
        return
    yield Finding(
        id="migrations",
        level=Level.ERROR,
        what=_("Migrations are pending: %(names)s") % {"names": "; ".join(pending)},
        why=_("Events can't be recorded or sent until the tables fit."),
        mend=_("Run: manage.py migrate tiktok_attribution"),
    )


def beats(*, now: float | None = None) -> Iterator[Finding]:
    """Who sends: a Celery worker together with beat's sweep, or `tiktok_deliver --loop`."""
    now = time.time() if now is None else now
    using = write_database()
    if _loops(now):
        yield Finding(id="loop", level=Level.OK, what=_("manage.py tiktok_deliver --loop runs."))
        return
    loop, worker, sweep = (seen_at(name, using=using) for name in (LOOP, WORKER, SWEEP))
    if loop is not None and worker is sweep is None:
        mend = _("Start it again, or a Celery worker and beat.")
        yield _beat("loop", loop, now, "manage.py tiktok_deliver --loop", mend, late_seconds=LOOP_LATE_SECONDS)
        return
    mend = _("Start a worker for the queue of this app's tasks, or run: manage.py tiktok_deliver --loop 5")
    yield _beat("worker", worker, now, _("a Celery worker"), mend)
    mend = _("Let beat run tiktok_attribution.sweep each minute: whatever a lost hint left waits for it.")
    yield _beat("beat", sweep, now, _("the sweep of Celery beat"), mend)


def _loops(now: float) -> bool:
    seen = seen_at(LOOP, using=write_database())
    return seen is not None and now - seen <= LOOP_LATE_SECONDS


def _beat(
    name: str, seen: float | None, now: float, who: str, mend: str, *, late_seconds: float = LATE_SECONDS
) -> Finding:
    if seen is not None and now - seen <= late_seconds:
        return Finding(id=name, level=Level.OK, what=_("Seen lately: %(who)s.") % {"who": who})
    if seen is None:
        what = _("Never seen: %(who)s.") % {"who": who}
    else:
        what = _("Last seen %(minutes)d minutes ago: %(who)s.") % {"who": who, "minutes": (now - seen) // 60}
    # A site may deliver by cron alone, so silence is no error by itself; events that are late are.
    return Finding(id=name, level=Level.WARNING, what=what, why=_("Without it, events may wait."), mend=mend)


def broker() -> Iterator[Finding]:
    """Whether Celery's broker answers within two seconds; nothing where the loop does its work without Celery."""
    trouble = tasks.broker_trouble()
    if trouble and not (trouble == tasks.NO_APP and _loops(time.time())):
        yield _unreachable(trouble)
    elif not trouble:
        yield Finding(id="broker", level=Level.OK, what=_("Celery's broker answers."))


BROKER = Probe(tasks.broker_trouble)


def broker_lately() -> Iterator[Finding]:
    """The same as it was seen within the last minute, without waiting; only trouble, and only where it matters."""
    if tasks.uses_broker() and not _loops(time.time()):
        trouble = BROKER.answer()
        if trouble:
            yield _unreachable(trouble)


def _unreachable(trouble: str) -> Finding:
    if trouble == tasks.NO_APP:
        mend = _("Make a celery.py and import its app in the project's __init__.py, or run tiktok_deliver --loop 5.")
    else:
        mend = _("Start the broker, or compare Celery's broker_url; without Celery: manage.py tiktok_deliver --loop 5")
    return Finding(
        id="broker",
        level=Level.WARNING,
        what=_("Celery's broker can't be reached: %(trouble)s.") % {"trouble": trouble},
        why=_("No task runs without it, and new events wait."),
        mend=mend,
    )
