"""A test code that was forgotten in the settings of a live site costs it no conversion, whoever sends."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from tests.delivery.conftest import Configure
from tests.delivery.samples import PIXEL, FakeClient, states, store
from tests.delivery.samples import row as outbox_row
from tiktok_attribution import conf, tasks
from tiktok_attribution.delivery import pixel_sender
from tiktok_attribution.doctor import pixels
from tiktok_attribution.management.commands import tiktok_deliver

pytestmark = [pytest.mark.hostile, pytest.mark.django_db(transaction=True)]

CODE = "TEST12345"
SOURCE = Path(__file__).parents[2] / "tiktok_attribution"


@pytest.fixture(autouse=True)
def _fresh_process(configure: Configure) -> None:
    conf._tell_of_unused_code.cache_clear()
    configure(TEST_EVENT_CODE=CODE)


def waiting(count: int = 1) -> None:
    import time  # noqa: PLC0415 -- the worker's own clock

    now = time.time()
    store(outbox_row(number, due_at=now - 1, event_time=int(now) - 60) for number in range(count))


def codes(client: FakeClient) -> list[str | None]:
    return [json.loads(body).get("test_event_code") for body in client.bodies]


def by_worker() -> None:
    tasks.deliver.apply((PIXEL, "default"), throw=True)


def by_command() -> None:
    call_command(tiktok_deliver.Command(), skip_checks=True)


def by_hand() -> None:
    pixel_sender.deliver_all()


SENDERS = [by_worker, by_command, by_hand]


@pytest.mark.parametrize("send_them", SENDERS)
@pytest.mark.parametrize(
    ("debug", "allowed", "expected"),
    [(False, False, None), (False, True, CODE), (True, False, CODE), (True, True, CODE)],
)
def test_the_code_is_sent_only_where_it_may(  # noqa: PLR0917 -- fixtures
    send_them: Any, debug: bool, allowed: bool, expected: str | None, client: FakeClient, configure: Configure
) -> None:
    configure(TEST_EVENT_CODE_IN_PRODUCTION=allowed)
    waiting()
    with override_settings(DEBUG=debug):
        send_them()
    assert codes(client) == [expected]
    assert states() == {"delivered": 1}


def test_it_is_logged_once_a_process(
    client: FakeClient, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    configure(BATCH_SIZE=1)
    waiting(3)
    by_worker()
    by_worker()
    assert len(client.bodies) == 3
    assert [one.levelname for one in caplog.records if "TEST_EVENT_CODE" in one.getMessage()] == ["ERROR"]


def test_a_deployment_with_a_code_is_refused() -> None:
    with pytest.raises(SystemCheckError, match="sent without it"):
        call_command("check", tags=["tiktok_attribution"], deploy=True)


def test_the_diagnosis_sends_a_code_that_somebody_types(
    client: FakeClient, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is meant: without its code that event would count."""
    monkeypatch.setattr(pixels, "Client", client)
    configure(ACCESS_TOKEN="f" * 40)
    pixels.send_test_event(PIXEL, "TEST777")
    assert codes(client) == ["TEST777"]


def test_nobody_reads_the_setting_past_the_rule() -> None:
    """Whoever sends asks `sent_test_code`."""
    reading = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "test_event_code":
                reading.add(path.relative_to(SOURCE).as_posix())
    assert {one for one in reading if not one.startswith("testing/")} == {"conf.py", "checks.py"}
