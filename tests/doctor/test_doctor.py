"""tiktok_doctor: each thing that keeps events from TikTok is found, with its cause and its fixing."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from io import StringIO
from typing import Any
from unittest.mock import Mock

import pytest
from celery import Celery
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import translation

from tests.admin.samples import PIXEL, stored_event, with_settings
from tests.doctor import site
from tests.engines.server import free_port
from tiktok_attribution import in_tests, tasks
from tiktok_attribution.conversions.building import SEEN_AS_HTTP
from tiktok_attribution.delivery import outages, pixels, turns
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.doctor import environment, run
from tiktok_attribution.doctor import pixels as pixel_state
from tiktok_attribution.management.commands import tiktok_deliver
from tiktok_attribution.models import ERASED, Heartbeat, HourlyStatistics, State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def front_page(settings: Any, immediate: None) -> None:
    settings.ROOT_URLCONF = site.WITH_TAG
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver")


def doctor(*arguments: str) -> str:
    """What it writes, whether it is content or not."""
    out = StringIO()
    try:
        call_command("tiktok_doctor", *arguments, stdout=out, no_color=True)
    except CommandError as error:
        out.write(f"FAILED {error.returncode} {error}")
    return out.getvalue()


def found(name: str) -> dict[str, str]:
    text = doctor("--json").partition("FAILED")[0]
    (one,) = [one for one in json.loads(text) if one["id"] == name]
    return dict(one)


def test_a_site_that_is_well_is_no_error() -> None:
    turns.beat(turns.WORKER, using="default", now=time.time())
    turns.beat(turns.SWEEP, using="default", now=time.time())
    results = json.loads(doctor("--json"))
    assert {one["level"] for one in results} == {"ok"}


@pytest.mark.parametrize(("seconds_ago", "level"), [(60, "error"), (7200, "warning")])
def test_a_time_in_which_rows_were_refused_is_found(seconds_ago: float, level: str) -> None:
    moment = int(time.time() - seconds_ago)
    Heartbeat.objects.create(name=f"outage:{moment - 600}", seen_at=moment)
    one = found("outage")
    assert one["level"] == level
    assert f"{outages.utc(moment - 600)} to {outages.utc(moment)}" in one["what"]
    assert "Refusals of visitors may be lost" in one["reason"]
    assert "tiktok_backfill --unknown-consent" in one["fix"]


def test_only_the_newest_of_many_outages_are_named() -> None:
    for hours in range(1, 9):
        moment = int(time.time()) - hours * 3600
        Heartbeat.objects.create(name=f"outage:{moment}", seen_at=moment)
    assert found("outage")["what"].count(" UTC to ") == 5


def test_it_is_read_by_people() -> None:
    assert "The page https://testserver/ carries the tag." in doctor()


def test_delivered_purchases_without_their_value_are_found() -> None:
    note = "Purchase without value and currency: TikTok counts it, but not in revenue and ROAS."
    stored_event(state=State.DELIVERED, name="Purchase", value=None, currency="", note=note)
    one = found("value")
    assert one["level"] == "warning"
    assert one["what"] == f"Delivered without their value: 1 of the newest events. {note}"
    assert "Set DEFAULT_CURRENCY" in one["fix"]


@pytest.mark.parametrize(
    "row",
    [
        {"state": State.DELIVERED, "note": "description was cut to 1000 characters."},
        {"state": State.DELIVERED, "note": ERASED, "value": None},
        {"state": State.INVALID, "note": "value: an amount can't be negative", "value": None},
    ],
)
def test_other_notes_are_no_result(row: dict[str, Any]) -> None:
    stored_event(**row)
    assert "Delivered without their value" not in doctor()


def test_a_stopped_pixel_is_an_error() -> None:
    pixels.stop("default", PIXEL, Answer(code=40105, message="Access token is incorrect"), token="old")
    assert f"FAILED 1 to be fixed: stopped-{PIXEL}" in doctor()


@pytest.mark.parametrize("code", [40105, 40400])
def test_whoever_fixes_a_stopped_pixel_knows_what_lets_it_go_on(code: int) -> None:
    pixels.stop("default", PIXEL, Answer(code=code, message="no"), token="old")
    fix = found(f"stopped-{PIXEL}")["fix"]
    assert "With a new token it resumes by itself. After any other change choose Resume" in fix
    assert "permission" not in fix


def test_events_that_are_late_are_an_error() -> None:
    stored_event(age=1850)
    assert "the oldest for 30\xa0minutes" in found(f"late-{PIXEL}")["what"]


def test_a_worker_that_was_never_seen_is_told() -> None:
    assert found("worker")["level"] == "warning"


def test_a_worker_that_fell_silent_is_told() -> None:
    Heartbeat.objects.create(name=turns.WORKER, seen_at=time.time() - 7200)
    assert found("worker")["what"] == "Last seen 120 minutes ago: a Celery worker."


def test_the_loop_needs_no_worker() -> None:
    Heartbeat.objects.create(name=turns.LOOP, seen_at=time.time())
    assert found("loop")["level"] == "ok"


def test_a_loop_that_was_ended_hides_nobody_for_long() -> None:
    Heartbeat.objects.create(name=turns.LOOP, seen_at=time.time() - 200)
    assert (found("worker")["level"], found("beat")["level"]) == ("warning", "warning")


def test_a_loop_with_long_pauses_gives_signs_of_life_in_them() -> None:
    pauses: list[float] = []
    ending = Mock()
    ending.wait.side_effect = pauses.append
    tiktok_deliver._wait(ending, 150.0)
    assert pauses == [60.0, 60.0, 30.0]
    assert found("loop")["level"] == "ok"


def test_a_loop_that_is_asked_to_end_in_a_long_pause_ends() -> None:
    ending = threading.Event()
    ending.set()
    tiktok_deliver._wait(ending, 150.0)
    assert not Heartbeat.objects.filter(pk=turns.LOOP).exists()


def test_tasks_are_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_alive_at", {})
    tasks.sweep()
    assert set(Heartbeat.objects.values_list("pk", flat=True)) >= {turns.WORKER, turns.SWEEP}


def test_a_sign_of_life_costs_a_task_nothing_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(tasks, "_alive_at", {})
    tasks._alive(turns.WORKER)
    with django_assert_num_queries(0):
        tasks._alive(turns.WORKER)


def test_a_broker_that_is_down_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    connection_for_read = Celery.connection_for_read
    url = f"redis://:sesame@127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(Celery, "connection_for_read", lambda self, **more: connection_for_read(self, url, **more))
    started = time.monotonic()
    told = found("broker")
    assert told["level"] == "warning"
    assert "sesame" not in json.dumps(told)
    assert time.monotonic() - started < 10


def test_a_broker_that_takes_connections_and_says_nothing_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    connection_for_read = Celery.connection_for_read
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        monkeypatch.setattr(Celery, "connection_for_read", lambda self, **more: connection_for_read(self, url, **more))
        started = time.monotonic()
        trouble = tasks.broker_problem(seconds=1)
    assert trouble
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    ("url", "hidden", "said", "package"),
    [
        ("redis://:sesame@127.0.0.1:1/0", "packaging", "packaging", "django-tiktok-attribution[redis]"),
        ("rediss://127.0.0.1:1/0", "redis", "redis", "django-tiktok-attribution[redis]"),
        ("sqs://", "botocore", "botocore", "celery[sqs]"),
    ],
)
def test_a_missing_package_is_named_and_not_the_broker_blamed(
    monkeypatch: pytest.MonkeyPatch, url: str, hidden: str, said: str, package: str
) -> None:
    monkeypatch.setattr(tasks, "current_app", Celery("shop", set_as_current=False, broker=url))
    monkeypatch.setattr(in_tests, "keeps_inside", lambda: False)
    monkeypatch.setitem(sys.modules, hidden, None)
    told = found("broker")
    assert told["level"] == "warning"
    assert told["what"].startswith("This process can't connect to Celery's broker: ")
    assert said in told["what"]
    assert told["fix"] == f'Run: pip install "{package}"; without Celery: manage.py tiktok_deliver --loop 5'
    assert "sesame" not in json.dumps(told)


@pytest.mark.parametrize(
    ("routes", "queues"),
    [
        (None, "celery"),
        ({"tiktok_attribution.*": {"queue": "tiktok"}}, "tiktok"),
        ({"tiktok_attribution.prune": {"queue": "slow"}}, "celery,slow"),
        ({"tiktok_attribution.backfill": {"queue": "hourly"}}, "celery,hourly"),
    ],
    ids=str,
)
def test_the_queues_that_a_worker_must_serve_are_named(
    monkeypatch: pytest.MonkeyPatch, routes: dict[str, dict[str, str]] | None, queues: str
) -> None:
    project = Celery("shop", set_as_current=False, broker="memory://")
    project.conf.task_routes = routes
    monkeypatch.setattr(tasks, "current_app", project)
    assert found("worker")["fix"].startswith(f"Start a worker: celery -A shop worker -Q {queues}; or run: ")


def test_a_default_queue_of_the_sites_own_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    project = Celery("shop", set_as_current=False, broker="memory://")
    project.conf.task_default_queue = "shop"
    monkeypatch.setattr(tasks, "current_app", project)
    assert "-Q shop;" in found("worker")["fix"]


def test_a_router_that_fails_costs_the_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    project = Celery("shop", set_as_current=False, broker="memory://")
    project.conf.task_routes = lambda name, *rest, **more: 1 / 0
    monkeypatch.setattr(tasks, "current_app", project)
    assert found("worker")["fix"].startswith("Start a worker for the queue of this app's tasks")


def test_a_project_without_a_celery_app_is_not_told_to_start_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_has_celery", lambda: False)
    told = found("broker")
    assert (told["level"], told["what"]) == ("warning", "No Celery app is loaded in this process.")
    assert "celery.py" in told["fix"]
    assert "__init__.py" in told["fix"]
    assert "tiktok_deliver --loop 5" in told["fix"]
    assert "broker" not in told["fix"]


def test_a_page_without_the_tag_is_an_error(settings: Any) -> None:
    settings.ROOT_URLCONF = site.WITHOUT_TAG
    told = found("tag")
    assert (told["level"], "{% tiktok_pixel %}" in told["fix"]) == ("error", True)


def test_a_page_without_inline_code_carries_the_tag_too(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver", PAGE_SCRIPT=True)
    assert found("tag")["what"] == "The page https://testserver/ carries the tag."


@pytest.mark.parametrize(("page_script", "mark"), [(False, "TiktokAnalyticsObject"), (True, "tiktok-attribution")])
def test_what_to_look_for_is_what_the_page_would_hold(settings: Any, page_script: bool, mark: str) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver", PAGE_SCRIPT=page_script)
    with translation.override("en"):
        page = Client(headers={"host": "testserver"}).get("/").content.decode()
    settings.ROOT_URLCONF = site.BROKEN
    told = found("tag")["fix"]
    assert told == f"Open a page of the site and look for {mark} in its source."
    assert mark in page


@pytest.mark.parametrize("is_debug", [False, True])
def test_a_host_that_django_refuses_is_named_without_a_traceback(
    settings: Any, caplog: pytest.LogCaptureFixture, is_debug: bool
) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = is_debug, [] if is_debug else ["other.example"]
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://Shop.example:8443")
    told = found("tag")
    assert (told["level"], "shop.example is not in ALLOWED_HOSTS" in told["what"]) == ("warning", True)
    assert "SITE_URL" in told["fix"]
    assert "DisallowedHost" not in caplog.text


@pytest.mark.parametrize(
    ("is_debug", "allowed", "address"),
    [
        (True, [], "http://localhost:8000"),
        (True, [], "http://[::1]:8000"),
        (False, [".shop.example"], "https://www.shop.example"),
        (False, ["*"], "https://shop.example"),
    ],
)
def test_a_host_that_django_takes_is_asked(settings: Any, is_debug: bool, allowed: list[str], address: str) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = is_debug, allowed
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL=address)
    assert found("tag")["level"] == "ok"


@pytest.mark.parametrize("address", ["http://testserver", "https://testserver"])
def test_the_front_page_is_asked_for_as_the_site_is_reached(settings: Any, address: str) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL=address)
    site.seen.clear()
    assert found("tag")["what"] == f"The page {address}/ carries the tag."
    assert [request.scheme for request in site.seen] == [address.partition(":")[0]]


@pytest.mark.parametrize(
    ("age", "header", "is_told"), [(60, None, True), (90_000, None, False), (60, ("X", "y"), False)]
)
def test_pages_that_came_as_http_are_told(settings: Any, age: float, header: Any, is_told: bool) -> None:
    settings.SECURE_PROXY_SSL_HEADER = header
    stored_event(age=age, state=State.DELIVERED, due_at=None, note=f"{SEEN_AS_HTTP}.")
    told = [one for one in json.loads(doctor("--json").partition("FAILED")[0]) if one["id"] == "proxy"]
    assert len(told) == is_told
    assert [one.id for one in run.quick([]) if one.id == "proxy"] == ["proxy"] * is_told
    for one in told:
        assert "SECURE_PROXY_SSL_HEADER" in one["fix"]


def test_pages_that_came_as_they_are_say_nothing() -> None:
    stored_event(age=60, state=State.DELIVERED, due_at=None)
    assert "proxy" not in doctor("--json")


@pytest.mark.parametrize(("debug", "level"), [(False, "error"), (True, "warning")])
def test_a_missing_token_is_told_once(settings: Any, debug: bool, level: str) -> None:
    settings.DEBUG = debug
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver", ACCESS_TOKEN="")
    told = [one for one in json.loads(doctor("--json").partition("FAILED")[0]) if "ACCESS_TOKEN" in one["what"]]
    assert [one["level"] for one in told] == [level]


def test_a_redirect_is_followed_inside_the_site(settings: Any) -> None:
    settings.ROOT_URLCONF = site.MOVED
    assert found("tag")["level"] == "ok"


def test_a_page_that_fails_is_told_without_what_it_said(settings: Any) -> None:
    settings.ROOT_URLCONF = site.BROKEN
    assert "HTTP 500" in found("tag")["what"]
    assert "secret" not in doctor()


def test_the_front_page_is_asked_for_as_nobody() -> None:
    site.seen.clear()
    doctor()
    (request,) = site.seen
    assert (request.method, request.COOKIES) == ("GET", {})


def test_the_language_of_who_looks_stays() -> None:
    with translation.override("en"):
        doctor()
        assert translation.get_language() == "en"


def test_a_missing_middleware_is_an_error(settings: Any) -> None:
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "tiktok" not in path]
    assert "is not in MIDDLEWARE" in found("check-E005")["what"]


def test_pending_migrations_are_an_error() -> None:
    ((app, newest),) = MigrationLoader(connection).graph.leaf_nodes("tiktok_attribution")
    MigrationRecorder(connection).record_unapplied(app, newest)
    assert newest in found("migrations")["what"]


def test_tables_that_do_not_fit_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ((app, newest),) = MigrationLoader(connection).graph.leaf_nodes("tiktok_attribution")
    MigrationRecorder(connection).record_unapplied(app, newest)
    asked = failing_tables(monkeypatch)
    told = json.loads(doctor("--json").partition("FAILED")[0])
    assert [one["id"] for one in told if one["level"] == "error"] == ["migrations"]
    assert asked == []


def test_a_database_that_is_down_is_told_once_and_not_as_pending_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MigrationExecutor", Mock(side_effect=OperationalError("no route")))
    asked = failing_tables(monkeypatch)
    told = json.loads(doctor("--json").partition("FAILED")[0])
    wrong = [one["what"] for one in told if one["level"] == "error"]
    assert wrong == ["The database could not be read: default: OperationalError."]
    assert asked == []


def failing_tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As where they are missing. Fills with who looked into them all the same."""
    asked: list[str] = []

    def fails() -> Any:
        asked.append("looked")
        raise OperationalError("no such table")

    kept = tuple(look for look in run.ALL if look not in run.STORED)
    monkeypatch.setattr(run, "STORED", (fails,))
    monkeypatch.setattr(run, "ALL", (*kept[:1], fails, *kept[1:]))
    return asked


def test_a_database_that_fails_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise DatabaseError("no such table")

    monkeypatch.setattr(run, "ALL", (fails,))
    assert found("database")["level"] == "error"


def test_switched_off_is_said(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ENABLED=False)
    assert found("enabled")["level"] == "warning"


def test_the_token_is_never_told(settings: Any) -> None:
    token = settings.TIKTOK_ATTRIBUTION["ACCESS_TOKEN"]
    assert token not in doctor() + doctor("--json")


def test_channels_that_no_page_shows_are_told_without_asking_for_a_page() -> None:
    site.seen.clear()
    HourlyStatistics.objects.create(hour=int(time.time()) - 3600, pixel_code=PIXEL, name="Purchase", wanted=9)
    assert "tag" in {result.id for result in run.quick([])}
    assert site.seen == []


def test_last_success_and_failure_of_a_pixel_are_known() -> None:
    (state,) = pixel_state.states(using="default")
    assert (state.pixel_code, state.has_token, state.last_success) == (PIXEL, True, None)
