"""Check the settings, the proxy in front of the site, and what runs beside it.

`values` shows each setting, `configuration_results` what Django's checks say. `proxy_results` finds visitors whose
https Django does not know of. `migrations`, `clocks`, `beats` and `broker` check the tables, the clocks, the worker
with beat, and Celery's broker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.conf import settings as django_settings
from django.core.checks import ERROR, CheckMessage, run_checks
from django.db import Error as AnyDatabaseError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from tiktok_attribution import conf, tasks
from tiktok_attribution.conversions.building import SEEN_AS_HTTP
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.turns import LOOP, SWEEP, WORKER, seen_at
from tiktok_attribution.doctor.result import CheckResult, Level, Probe, database_problem
from tiktok_attribution.models import OutboxEvent, moment

TAG = "tiktok_attribution"
SHOWN = (
    *("ENABLED", "PIXEL_CODE", "ACCESS_TOKEN", "MODE", "CONVERSIONS", "SITE_URL", "TEST_EVENT_CODE", "API_URL"),
    *("PIXEL_HOST", "OUTBOX_DATABASES", "LIMITED_DATA_USE", "MAX_AGE_DAYS", "KEEP_EVENT_DAYS"),
)


class Value(NamedTuple):
    """One setting as text, and whether it is the default, because the site's settings don't name it."""

    key: str
    text: str
    is_default: bool


def values() -> list[Value]:
    """Return the settings that help to find a problem. The token itself is never shown."""
    raw = getattr(django_settings, conf.SETTING, {})
    given = set(raw) if isinstance(raw, Mapping) else set()
    settings = conf.current()
    return [Value(key, _text(settings, key), key not in given) for key in SHOWN]


def _text(settings: conf.Settings, key: str) -> str:
    value = getattr(settings, conf.OPTIONS[key].name)
    if key == "ACCESS_TOKEN":
        return _token_text(value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, tuple | Mapping):
        return ", ".join(map(str, value)) or _("not set")
    return str(value) or _("not set")


def _token_text(token: object) -> str:
    if callable(token):
        return _("returned by the site's own code")
    if isinstance(token, Mapping):
        codes = ", ".join(str(code) for code, one in token.items() if one)
        return _("set for %(pixels)s") % {"pixels": codes} if codes else _("not set")
    return _("set") if token else _("not set")


def _once(found: Sequence[CheckMessage]) -> list[CheckMessage]:
    """Remove warnings that are also among the errors, as `check --deploy` reports some problems twice."""
    errors = {message.msg for message in found if message.level >= ERROR}
    return [message for message in found if message.level >= ERROR or message.msg not in errors]


def configuration_results() -> Iterator[CheckResult]:
    """Yield what `manage.py check` says about this app, the middleware order too; one good result if it is silent."""
    if not conf.current().enabled:
        yield CheckResult(
            id="enabled",
            level=Level.WARNING,
            what=_("ENABLED is off."),
            reason=_("Nothing is recorded and nothing is sent."),
            fix=_("Remove ENABLED from the settings, or set it to True."),
        )
    # Without DEBUG this is production, or the step before it. What is missing there keeps events from TikTok.
    found = _once(run_checks(tags=[TAG], include_deployment_checks=not django_settings.DEBUG))
    for message in found:
        level = Level.ERROR if message.level >= ERROR else Level.WARNING
        number = (message.id or "").rpartition(".")[2]
        yield CheckResult(id=f"check-{number}", level=level, what=str(message.msg), fix=str(message.hint or ""))
    if not found:
        yield CheckResult(
            id="settings", level=Level.OK, what=_("Settings, conversions and middleware order are correct.")
        )


NEWEST = 100
"""The number of newest events that are checked, if they are at most a day old."""
DAY = 86_400


def proxy_results() -> Iterator[CheckResult]:
    """Warn if pages of an https site came to Django as http.

    Decision: this looks at requests and not at settings. A missing SECURE_PROXY_SSL_HEADER proves nothing: gunicorn and
    uvicorn can tell Django the same, and a load balancer may leave TLS to them.
    """
    if django_settings.SECURE_PROXY_SSL_HEADER:
        return  # fixed, even if older events say otherwise
    events = OutboxEvent.objects.using(write_database()).newest_first()
    newest = events.values_list("created_at", "note")[:NEWEST]
    count = sum(SEEN_AS_HTTP in note for created_at, note in newest if created_at > moment(time.time() - DAY))
    if count:
        yield CheckResult(
            id="proxy",
            level=Level.WARNING,
            what=_("SITE_URL begins with https://, but Django saw %(count)d of the newest pages as http.")
            % {"count": count},
            reason=_(
                "A proxy ends TLS and Django does not know it. Events are sent with https, as SITE_URL says. But "
                "cookies are not marked as secure, and the site's links and redirects begin with http://."
            ),
            fix=_(
                "Make the proxy set X-Forwarded-Proto, then write SECURE_PROXY_SSL_HEADER = "
                '("HTTP_X_FORWARDED_PROTO", "https"). If visitors really use http: SECURE_SSL_REDIRECT = True.'
            ),
        )


APP = "tiktok_attribution"
LATE_SECONDS = 900.0
CLOCK_SECONDS = 30.0
LOOP_LATE_SECONDS = 180.0
"""The loop writes a sign of life each minute, also while it waits. While it seems alive, no worker is needed."""


def migrations() -> Iterator[CheckResult]:
    """Check in each database with an outbox whether the tables are those of this version."""
    pending, silent = [], []
    for alias in outbox_databases():
        try:
            names = unapplied(alias)
        except AnyDatabaseError as error:
            silent.append(f"{alias}: {type(error).__name__}")
            continue
        pending += [f"{alias}: {', '.join(names)}"] if names else []
    if silent:
        yield database_problem("; ".join(silent))
    elif not pending:
        yield CheckResult(id="migrations", level=Level.OK, what=_("All migrations are applied."))
    if not pending:
        return
    yield CheckResult(
        id="migrations",
        level=Level.ERROR,
        what=_("Migrations are pending: %(names)s") % {"names": "; ".join(pending)},
        reason=_("No event can be recorded or sent until the tables are up to date."),
        fix=_("Run: manage.py migrate tiktok_attribution"),
    )


def unapplied(alias: str) -> list[str]:
    """Return the names of this app's migrations that the database lacks. Raises its error if it can't be reached."""
    executor = MigrationExecutor(connections[alias])
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
    plan = executor.migration_plan(targets)
    return [migration.name for migration, _backwards in plan if migration.app_label == APP]


def clocks(*, now: float | None = None) -> Iterator[CheckResult]:
    """Check whether this machine's clock agrees with the clocks of the databases, which delivery uses."""
    for alias in outbox_databases():
        try:
            ahead = (time.time() if now is None else now) - database_time(alias)
        except AnyDatabaseError:
            continue  # `migrations` reports it
        if abs(ahead) <= CLOCK_SECONDS:
            continue
        words = {"seconds": abs(ahead), "database": alias}
        yield CheckResult(
            id=f"clock-{alias}",
            level=Level.WARNING,
            what=_("This machine's clock is %(seconds)d seconds ahead of that of database '%(database)s'.") % words
            if ahead > 0
            else _("This machine's clock is %(seconds)d seconds behind that of database '%(database)s'.") % words,
            reason=_("Delivery uses the database's clock and goes on. The times of events come from this machine."),
            fix=_("Let both machines get their time from the network (NTP)."),
        )


def beats(*, now: float | None = None) -> Iterator[CheckResult]:
    """Check what sends events: a Celery worker with beat's sweep, or `tiktok_deliver --loop`.

    Decision: signs of life are rows, written at most once a minute by each process. Celery's own inspection asks every
    worker over the broker, which is slow, and useless if the broker is the problem.
    """
    using = write_database()
    now = database_time(using) if now is None else now
    if _loops(now):
        yield CheckResult(id="loop", level=Level.OK, what=_("manage.py tiktok_deliver --loop runs."))
        return
    yield _beat("worker", seen_at(WORKER, using=using), now, _("a Celery worker"), _start_a_worker())
    fix = _("Let beat run tiktok_attribution.sweep each minute. It sends events for which no worker was woken.")
    yield _beat("beat", seen_at(SWEEP, using=using), now, _("the sweep of Celery beat"), fix)


def _start_a_worker() -> str:
    command = tasks.worker_command()
    if not command:
        return _("Start a worker for the queue of this app's tasks, or run: manage.py tiktok_deliver --loop 5")
    return _("Start a worker: %(command)s; or run: manage.py tiktok_deliver --loop 5") % {"command": command}


def _loops(now: float) -> bool:
    seen = seen_at(LOOP, using=write_database())
    return seen is not None and now - seen <= LOOP_LATE_SECONDS


def _beat(name: str, seen: float | None, now: float, who: str, fix: str) -> CheckResult:
    if seen is not None and now - seen <= LATE_SECONDS:
        return CheckResult(id=name, level=Level.OK, what=_("Seen lately: %(who)s.") % {"who": who})
    if seen is None:
        what = _("Never seen: %(who)s.") % {"who": who}
    else:
        what = _("Last seen %(minutes)d minutes ago: %(who)s.") % {"who": who, "minutes": (now - seen) // 60}
    # A site may deliver by cron alone, so silence is no error in itself. Late events are an error.
    return CheckResult(id=name, level=Level.WARNING, what=what, reason=_("Without it, events may wait."), fix=fix)


def broker() -> Iterator[CheckResult]:
    """Check whether Celery's broker answers within two seconds."""
    problem = tasks.broker_problem()
    if problem == tasks.NOT_ASKED:
        yield CheckResult(
            id="broker",
            level=Level.OK,
            what=_("Celery's broker is not asked in a test process, unless SEND_IN_TESTS is True."),
        )
    elif problem:
        yield _unreachable(problem)
    else:
        yield CheckResult(id="broker", level=Level.OK, what=_("Celery's broker answers."))


BROKER = Probe(tasks.broker_problem)


def broker_lately() -> Iterator[CheckResult]:
    """Yield a problem with the broker, as it was seen within the last minute; never waits long. Only if it is used."""
    if tasks.uses_broker() and not _loops(database_time(write_database())):
        problem = BROKER.answer()
        if problem:
            yield _unreachable(problem)


def _unreachable(problem: str) -> CheckResult:
    if problem == tasks.NO_APP:
        return CheckResult(
            id="broker",
            level=Level.WARNING,
            what=_("No Celery app is loaded in this process."),
            reason=_("Without one no worker is woken for new events: they wait for beat or for tiktok_deliver."),
            fix=_(
                "Write a celery.py beside settings.py and import its app in the __init__.py there, as Celery's "
                "documentation on Django shows. Without Celery, run: manage.py tiktok_deliver --loop 5"
            ),
        )
    lack = tasks.lacking()
    if lack is not None:
        return CheckResult(
            id="broker",
            level=Level.WARNING,
            what=_("This process can't connect to Celery's broker: the Python module %(module)s is missing.")
            % {"module": lack.module},
            reason=_("Without it no task is published, and new events wait."),
            fix=_('Run: pip install "%(package)s"; without Celery: manage.py tiktok_deliver --loop 5')
            % {"package": lack.package},
        )
    return CheckResult(
        id="broker",
        level=Level.WARNING,
        what=_("Celery's broker can't be reached: %(problem)s.") % {"problem": problem},
        reason=_("No task runs without it, and new events wait."),
        fix=_("Start the broker, or check Celery's broker_url; without Celery: manage.py tiktok_deliver --loop 5"),
    )
