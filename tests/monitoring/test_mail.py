"""The e-mail to ADMINS: once, without anything personal, and never in the way of delivery."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connections
from django.utils import translation

from tests.admin.samples import PIXEL, stored_event, with_settings
from tests.monitoring.test_telling import stop
from tiktok_attribution import tasks
from tiktok_attribution.delivery import pixels
from tiktok_attribution.models import Alert, AlertKind
from tiktok_attribution.monitoring import alerts
from tiktok_attribution.monitoring.alerts import notify_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("admins")]
Sweep = Callable[[float], None]


class FailingBackend(BaseEmailBackend):
    """A mail server that is down, and says whom it was to write to."""

    tried = 0

    def send_messages(self, email_messages: Any) -> int:
        type(self).tried += 1
        raise OSError(f"no route for {email_messages[0].to}")


@pytest.fixture
def failing(mail_server: Callable[..., None]) -> type[FailingBackend]:
    mail_server(f"{__name__}.FailingBackend")
    FailingBackend.tried = 0
    return FailingBackend


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox]


def test_it_says_what_is_so_what_it_means_and_where_to_look(minutes_later: Sweep) -> None:
    stop()
    minutes_later(0)
    (message,) = mail.outbox
    assert message.to == ["ann@shop.example"]
    assert message.subject == f"[Django] TikTok: Pixel {PIXEL} is stopped (TikTok's code 40105)."
    assert message.body.splitlines() == [
        f"Pixel {PIXEL} is stopped (TikTok's code 40105).",
        "TikTok refused its token or permission. Its events wait and are not lost.",
        f"https://shop.example/admin/tiktok_attribution/pixelstatus/{PIXEL}/change/",
        "",
        "Everything at a glance: https://shop.example/admin/tiktok_attribution/overview/",
    ]


def test_it_comes_once_and_once_when_all_is_well(minutes_later: Sweep) -> None:
    stop()
    for minute in range(20):
        minutes_later(minute)
    pixels.resume("default", PIXEL)
    for minute in range(20, 40):
        minutes_later(minute)
    assert [subject.partition("TikTok: ")[2] for subject in subjects()] == [
        f"Pixel {PIXEL} is stopped (TikTok's code 40105).",
        f"Pixel {PIXEL} may send again.",
    ]


def test_a_problem_that_comes_and_goes_is_not_mailed_each_time(minutes_later: Sweep) -> None:
    for minute in range(0, 8, 2):
        stop()
        minutes_later(minute)
        pixels.resume("default", PIXEL)
        minutes_later(minute + 1)
    assert len(mail.outbox) == 1


def test_many_problems_are_one_letter(minutes_later: Sweep, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PIXEL_CODE": ["C0A", "C0B"]}
    stored_event(pixel_code="C0A", age=7200)
    stored_event(pixel_code="C0B", age=3600)
    minutes_later(0)
    (message,) = mail.outbox
    assert message.subject == "[Django] TikTok: 2 alerts"
    assert "Pixel C0A: events wait, the oldest for 120 minutes." in message.body
    assert "Pixel C0B: events wait, the oldest for 60 minutes." in message.body


@pytest.mark.parametrize("alert_kind", AlertKind)
@pytest.mark.parametrize("is_open", [True, False])
def test_every_problem_has_its_words(alert_kind: AlertKind, is_open: bool) -> None:
    alert = Alert(pixel_code=PIXEL, alert_kind=alert_kind, is_open=is_open, figure=34)
    subject, text = alerts.written([alert], database="orders")
    assert PIXEL in subject
    assert "%" not in text.replace("34 %", "")
    assert text.endswith("Database: orders\n")


@pytest.mark.privacy
def test_it_holds_neither_personal_data_nor_the_token_nor_tiktoks_words(minutes_later: Sweep, settings: Any) -> None:
    token = settings.TIKTOK_ATTRIBUTION["ACCESS_TOKEN"]
    event = stored_event(age=7200, note="ann@buyer.example")
    pixels.stop("default", PIXEL, notices_answer(f"{token} of ann@buyer.example"), token=token)
    minutes_later(0)
    pixels.resume("default", PIXEL)
    minutes_later(20)
    text = "".join(message.subject + message.body for message in mail.outbox)
    assert len(mail.outbox) >= 2
    assert not [secret for secret in (token, "ann@buyer.example", event.event_id) if secret in text]
    assert not re.search(r"[0-9a-f]{32}", text)


def notices_answer(message: str) -> Any:
    return pixels.Answer(code=40105, message=message)


def test_without_the_sites_address_there_is_no_link(minutes_later: Sweep, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="")
    stop()
    minutes_later(0)
    assert "/admin/" not in mail.outbox[0].body


def test_a_site_without_admin_is_told_too(minutes_later: Sweep, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.doctor.site"
    stop()
    minutes_later(0)
    assert "://" not in mail.outbox[0].body


def test_it_is_in_the_sites_language(minutes_later: Sweep, settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"
    stop()
    with translation.override("fr"):
        minutes_later(0)
        assert translation.get_language() == "fr"
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("change", [{"ADMINS": []}, {"TIKTOK_ATTRIBUTION": {"MAIL_ADMINS": False}}])
def test_it_can_be_switched_off(minutes_later: Sweep, settings: Any, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(settings, name, with_settings(**value) if isinstance(value, dict) else value)
    stop()
    minutes_later(0)
    assert mail.outbox == []
    assert Alert.objects.get(alert_kind=AlertKind.STOPPED).is_open


@pytest.mark.faults
def test_a_mail_server_that_is_down_is_tried_again_after_longer_and_longer_pauses(
    failing: type[FailingBackend],
    minutes_later: Sweep,
    mail_server: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop()
    for minute in range(60):
        minutes_later(minute)
    assert failing.tried == 4  # after 0, 5, 15 and 35 minutes
    assert "could not be mailed (OSError)" in caplog.text
    assert "ann@shop.example" not in caplog.text
    mail_server()
    minutes_later(120)
    assert len(mail.outbox) == 1


@pytest.mark.faults
def test_what_was_over_before_the_mail_server_came_back_is_not_told(
    failing: type[FailingBackend], minutes_later: Sweep, mail_server: Callable[..., None]
) -> None:
    stop()
    minutes_later(0)
    pixels.resume("default", PIXEL)
    mail_server()
    minutes_later(60)
    assert mail.outbox == []


@pytest.mark.faults
def test_a_mail_server_that_hangs_does_not_keep_the_sweep(
    mail_server: Callable[..., None], monkeypatch: pytest.MonkeyPatch, minutes_later: Sweep
) -> None:
    monkeypatch.setattr(alerts, "PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        host, port = silent.getsockname()
        mail_server("django.core.mail.backends.smtp.EmailBackend", host=host, port=port)
        stop()
        began = time.monotonic()
        tasks.sweep()
        for minute in (10, 20, 30):
            minutes_later(minute)
        took = time.monotonic() - began
        hanging = [thread for thread in threading.enumerate() if thread.name == "tiktok-alerts"]
        silent.accept()[0].close()
        for thread in hanging:
            thread.join(10)
    assert took < 3
    assert len(hanging) == 1


@pytest.mark.faults
def test_many_workers_send_one_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "beat", lambda *arguments, **named: True)
    monkeypatch.setattr(alerts, "_is_busy", lambda: False)
    stop()
    barrier = threading.Barrier(6)
    now = time.time()

    def work() -> None:
        barrier.wait()
        try:
            notify_all(now=now)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert len(mail.outbox) == 1


@pytest.mark.faults
def test_what_a_process_took_with_it_is_sent_by_another(monkeypatch: pytest.MonkeyPatch, minutes_later: Sweep) -> None:
    stop()
    with monkeypatch.context() as patch:
        patch.setattr(alerts, "_start", lambda letter: None)  # killed after it had claimed the notice
        minutes_later(0)
    minutes_later(4)
    assert mail.outbox == []
    minutes_later(6)
    assert len(mail.outbox) == 1
