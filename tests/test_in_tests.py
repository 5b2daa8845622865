"""What would leave a process stays inside while tests run there, unless a test asks for more."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
from celery import Celery
from django.core import mail
from django.core.management import call_command
from django.test import utils

from tests.delivery.samples import row, states, store
from tests.shop.models import Order
from tiktok_attribution import in_tests, tasks
from tiktok_attribution.conf import Settings
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.pixel_sender import deliver_all
from tiktok_attribution.delivery.wakeup import WakeUps
from tiktok_attribution.doctor import environment as running
from tiktok_attribution.doctor.pixels import send_test_event
from tiktok_attribution.models import Attempt, State

PIXEL, TOKEN = "C0EXAMPLE0000000000", "0" * 40
TIKTOK = Settings().api_url
OK = {"code": 0, "message": "OK", "request_id": "R1", "data": {}}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The broker of a developer's machine, which every process of the site is configured with."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        monkeypatch.setattr(tasks, "current_app", Celery("shop", set_as_current=False, broker=url))
        yield server


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What would be published by the thread, and is not."""
    found: list[tuple[str, str]] = []
    fresh = WakeUps(tasks._Broker().publish)
    monkeypatch.setattr(fresh, "wake", lambda pixel_code, using: found.append((pixel_code, using)))
    monkeypatch.setattr(tasks, "_wake_ups", fresh)
    return found


@pytest.fixture
def shop(settings: Any) -> None:
    conversions = {"shop.Order": {"event": "Purchase", "when": {"status": "paid"}, "value": "total"}}
    settings.TIKTOK_ATTRIBUTION = {
        **settings.TIKTOK_ATTRIBUTION,
        "DEFAULT_CURRENCY": "EUR",
        "SITE_URL": "https://shop.example",
        "CONVERSIONS": conversions,
    }


def ask(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "SEND_IN_TESTS": True}


def was_reached(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


# Which process is one -------------------------------------------------------------------------------------------------


def test_each_mark_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_tests, "_under_pytest", False)
    assert in_tests.is_test_process()  # by what pytest-django asked of Django, as `manage.py test` does
    monkeypatch.delattr(utils._TestState, "saved_data")
    assert not in_tests.is_test_process()
    monkeypatch.setattr(in_tests, "_under_pytest", True)
    assert in_tests.is_test_process()


ALONE = """
import django; django.setup()
from django.core import mail
from tiktok_attribution import in_tests
print(in_tests.is_test_process())
mail.outbox = []  # as the locmem backend does
print(hasattr(mail, "outbox"), in_tests.is_test_process())
"""


def test_what_a_test_starts_is_no_test_process_and_neither_is_a_site_that_keeps_its_mail_in_memory() -> None:
    root = Path(__file__).parents[1]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(root)}
    command = [sys.executable, "-W", "ignore", "-c", ALONE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines() == ["False", "True False"], done.stderr


# Wake-ups -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("asks", [False, True])
def test_an_order_of_a_test_wakes_no_worker_unless_the_test_asks_for_it(
    shop: None, broker: socket.socket, announced: list[tuple[str, str]], settings: Any, asks: bool
) -> None:
    if asks:
        ask(settings)
    Order.objects.create(status="paid", total="9.90")
    assert states() == {State.WAITING: 1}
    assert announced == [(PIXEL, "default")] * asks


@pytest.mark.django_db
def test_a_sweep_in_a_test_publishes_nothing(broker: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    store([row(1, event_time=int(time.time()))])
    monkeypatch.setattr(tasks.deliver, "apply_async", lambda *a, **k: pytest.fail("a task was published"))
    tasks.sweep()
    assert not was_reached(broker)


def test_a_broker_in_memory_is_published_to(announced: list[tuple[str, str]]) -> None:
    tasks.wake_worker(PIXEL, "default")
    assert announced == [(PIXEL, "default")]


def test_the_doctor_does_not_ask_for_the_broker(broker: socket.socket) -> None:
    (result,) = running.broker()
    assert "is not asked in a test process" in result.what
    assert list(running.broker_lately()) == []
    assert not was_reached(broker)


# TikTok ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api_url", [TIKTOK, "https://business-api.TikTok.com/x/", "https://analytics.tiktokw.us/"])
def test_nothing_is_posted_to_tiktok(api_url: str) -> None:
    """Beyond this test, `tests.loopback` would see the attempt."""
    with Client(api_url, 5) as client:
        answer = client.post(TOKEN, b"{}")
    assert (answer.message, answer.unreachable) == (in_tests.SENT_ONLY_IF_ASKED, True)


@pytest.mark.django_db(transaction=True)
def test_what_a_test_delivers_to_tiktok_waits_and_says_why() -> None:
    store([row(1, event_time=int(time.time()))])
    call_command("tiktok_deliver")
    assert states() == {State.WAITING: 1}
    assert Attempt.objects.get().message == in_tests.SENT_ONLY_IF_ASKED


def test_a_test_event_stays_inside_too() -> None:
    assert send_test_event(PIXEL, "TEST1").message == in_tests.SENT_ONLY_IF_ASKED


@pytest.mark.django_db(transaction=True)
def test_a_test_that_asks_for_it_sends(settings: Any) -> None:
    ask(settings)
    store([row(1, event_time=int(time.time()))])
    with responses.RequestsMock() as tiktok:
        tiktok.post(TIKTOK, json=OK)
        deliver_all()
    assert states() == {State.DELIVERED: 1}


@pytest.mark.parametrize("host", ["tiktok.com.example.net", "nottiktok.com", "127.0.0.1", "", None])
def test_another_host_is_not_taken_for_tiktoks(host: str | None) -> None:
    assert not in_tests.is_tiktoks(host)


# E-mail ---------------------------------------------------------------------------------------------------------------


def test_letters_stay_in_memory_by_djangos_own_means() -> None:
    mail.send_mail("Hello", "", None, ["ann@example.com"])
    assert [letter.subject for letter in mail.outbox] == ["Hello"]
