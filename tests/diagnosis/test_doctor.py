"""tiktok_doctor: each thing that keeps events from TikTok is found, with its cause and its mending."""

from __future__ import annotations

import json
import socket
import time
from io import StringIO
from typing import Any

import pytest
from celery import Celery
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import translation

from tests.admin.samples import PIXEL, stored_event, with_settings
from tests.diagnosis import site
from tests.engines.server import free_port
from tiktok_attribution import tasks
from tiktok_attribution.delivery import heartbeat, pixels
from tiktok_attribution.delivery.outcomes import Answer
from tiktok_attribution.diagnosis import pixel_state, run
from tiktok_attribution.models import Heartbeat, HourTally

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def front_page(settings: Any) -> None:
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
    heartbeat.beat(heartbeat.WORKER, using="default", now=time.time())
    heartbeat.beat(heartbeat.SWEEP, using="default", now=time.time())
    findings = json.loads(doctor("--json"))
    assert {one["level"] for one in findings} == {"ok"}


def test_it_is_read_by_people() -> None:
    assert "The page https://testserver/ carries the tag." in doctor()


def test_a_stopped_pixel_is_an_error() -> None:
    pixels.stop("default", PIXEL, Answer(code=40105, message="Access token is incorrect"), token="old")
    assert f"FAILED 1 to be mended: stopped-{PIXEL}" in doctor()


def test_events_that_are_late_are_an_error() -> None:
    stored_event(age=1850)
    assert "the oldest for 30\xa0minutes" in found(f"late-{PIXEL}")["what"]


def test_a_worker_that_was_never_seen_is_told() -> None:
    assert found("worker")["level"] == "warning"


def test_a_worker_that_fell_silent_is_told() -> None:
    Heartbeat.objects.create(name=heartbeat.WORKER, seen_at=time.time() - 7200)
    assert found("worker")["what"] == "Last seen 120 minutes ago: a Celery worker."


def test_the_loop_needs_no_worker() -> None:
    Heartbeat.objects.create(name=heartbeat.LOOP, seen_at=time.time())
    assert found("loop")["level"] == "ok"


def test_a_loop_that_has_ended_is_missed_soon() -> None:
    heartbeat.beat(heartbeat.LOOP, using="default", now=time.time() - 300)
    told = found("loop")
    assert (told["level"], told["what"]) == ("warning", "Last seen 5 minutes ago: manage.py tiktok_deliver --loop.")


def test_a_site_that_went_over_to_celery_is_told_of_its_worker() -> None:
    heartbeat.beat(heartbeat.LOOP, using="default", now=time.time() - 300)
    heartbeat.beat(heartbeat.WORKER, using="default", now=time.time())
    assert found("worker")["level"] == "ok"


@pytest.mark.parametrize("loop_runs", [True, False])
def test_where_no_celery_app_is_there_its_making_is_told(monkeypatch: pytest.MonkeyPatch, loop_runs: bool) -> None:
    monkeypatch.setattr(tasks, "_has_celery", lambda: False)
    if loop_runs:
        heartbeat.beat(heartbeat.LOOP, using="default", now=time.time())
    text = doctor()
    assert ("Make a celery.py" in text) is not loop_runs
    assert "Start the broker" not in text


def test_tasks_are_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_alive_at", {})
    tasks.sweep()
    assert set(Heartbeat.objects.values_list("pk", flat=True)) >= {heartbeat.WORKER, heartbeat.SWEEP}


def test_a_sign_of_life_costs_a_task_nothing_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(tasks, "_alive_at", {})
    tasks._alive(heartbeat.WORKER)
    with django_assert_num_queries(0):
        tasks._alive(heartbeat.WORKER)


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
        trouble = tasks.broker_trouble(seconds=1)
    assert trouble
    assert time.monotonic() - started < 8


def test_a_page_without_the_tag_is_an_error(settings: Any) -> None:
    settings.ROOT_URLCONF = site.WITHOUT_TAG
    told = found("tag")
    assert (told["level"], "{% tiktok_pixel %}" in told["mend"]) == ("error", True)


@pytest.mark.parametrize(("front", "level"), [(site.WITH_TAG, "ok"), (site.WITHOUT_TAG, "error")])
def test_the_tag_without_inline_code_is_seen_too(settings: Any, front: Any, level: str) -> None:
    settings.ROOT_URLCONF = front
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver", PAGE_SCRIPT=True)
    assert found("tag")["level"] == level


def test_a_host_that_django_refuses_is_named(settings: Any, capfd: pytest.CaptureFixture[str]) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://www.example.com")
    told = found("tag")
    assert "Add 'www.example.com' to ALLOWED_HOSTS" in told["mend"]
    assert "Traceback" not in capfd.readouterr().err


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
    # What else asks those tables would fail for the same reason.
    assert not {"worker", "loop", "database"} & {
        one["id"] for one in json.loads(doctor("--json").partition("FAILED")[0])
    }


def test_a_database_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_halves_that_no_page_shows_are_told_without_asking_for_a_page() -> None:
    site.seen.clear()
    HourTally.objects.create(hour=int(time.time()) - 3600, pixel_code=PIXEL, name="Purchase", wanted=9)
    assert "tag" in {finding.id for finding in run.quick([])}
    assert site.seen == []


def test_last_success_and_failure_of_a_pixel_are_known() -> None:
    (state,) = pixel_state.states(using="default")
    assert (state.pixel_code, state.has_token, state.last_success) == (PIXEL, True, None)
