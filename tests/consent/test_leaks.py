"""A hunt for marked values: they may be in the shop's own tables, and nowhere else."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.views.decorators.debug import sensitive_variables

from tests.browser.site import html
from tests.shop.models import Order
from tiktok_attribution.events.hashing import MATCH_KEYS, email_sha256
from tiktok_attribution.models import (
    Attempt,
    ConversionTouch,
    DailyAttribution,
    LandingCount,
    OutboxEvent,
    PixelStatus,
    RecordedConversion,
    Touch,
    VisitorLink,
    VisitorSnapshot,
)
from tiktok_attribution.testing.server import StandIn

EXAMPLE = Path(__file__).parents[2] / "example_project"
EMAIL, PHONE, NAME = "marked.person@example.com", "+4915112345678", "Markedname"
TOKEN = "f" * 39 + "7"
MARKS = (EMAIL, "marked.person", PHONE, PHONE[1:], PHONE[3:], NAME, TOKEN)
OWN_TABLES = re.compile(r"shop_|auth_user|django_session|django_admin_log|pretendpay_")


@sensitive_variables()
def sold() -> Order:
    order = Order(total=5, email=EMAIL, phone=PHONE, customer_id=NAME, status="paid")
    order.save()
    return order


def buy(request: HttpRequest) -> HttpResponse:
    sold()
    if "fail" in request.GET:
        raise RuntimeError("the site's own trouble")
    return HttpResponse(html(request))


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(html(request))


urlpatterns = [path("", home), path("buy/", buy)]

PURCHASE = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "description": lambda order: f"for {order.email}, {order.phone}",
    "user": {
        "email": "email",
        "phone": "phone",
        "external_id": "customer_id",
        "first_name": "customer_id",
        "last_name": "customer_id",
    },
}

STAGES = [
    "",
    "tiktok_attribution.touches.recording.read_landing",
    "tiktok_attribution.touches.storing.insert",
    "tiktok_attribution.touches.counting._add",
    "tiktok_attribution.visitor.matching.hash_many",
    "tiktok_attribution.conversions.objects.build_event",
    "tiktok_attribution.conversions.recorded.event_text",
    "tiktok_attribution.conversions.recorder.outbox.add",
    "tiktok_attribution.conversions.recorder.Commitment",
    "tiktok_attribution.conversions.recorder.identify_keys",
    "tiktok_attribution.browser.stored_calls.user_of_text",
    "tiktok_attribution.browser.tags.once_call",
    "tiktok_attribution.browser.pending_cookie.signing.dumps",
    "tiktok_attribution.delivery.lane_sender.due_rows",
    "tiktok_attribution.delivery.post.request_body",
    "requests.adapters.HTTPAdapter.send",
]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Everything that was logged, tracebacks too; but for the shop's own statements."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)

    def told() -> str:
        format_ = logging.Formatter().format
        own = [
            one for one in caplog.records if one.name.startswith("django.db") and OWN_TABLES.search(one.getMessage())
        ]
        return "\n".join(format_(one) for one in caplog.records if one not in own)

    return told


@pytest.mark.privacy
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    # Not STRICT with DEBUG: then our errors reach Django's debug page, which shows every local, marked or not.
    ("debug", "strict"),
    [(True, False), (False, False), (False, True)],
    ids=["DEBUG", "production", "strict"],
)
@pytest.mark.parametrize("stage", STAGES)
def test_nothing_leaks_whatever_fails(  # noqa: PLR0917 -- fixtures
    debug: bool,
    strict: bool,
    stage: str,
    settings: Any,
    told: Callable[[], str],
    tiktok_standin: StandIn,
    tiktok_deliver: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.DEBUG = debug
    settings.ROOT_URLCONF = __name__
    own = {"ACCESS_TOKEN": TOKEN, "STRICT": strict, "SITE_URL": "https://shop.example", "ATTRIBUTION": True}
    settings.TIKTOK_ATTRIBUTION = {
        **settings.TIKTOK_ATTRIBUTION,
        **own,
        "CONVERSIONS": {"shop.Order": PURCHASE},
    }

    def forced(*args: object, **kwargs: object) -> None:
        raise RuntimeError("forced")

    if stage:
        monkeypatch.setattr(stage, forced)
    client = Client(raise_request_exception=False)
    seen = []
    tags = f"utm_campaign={EMAIL}&utm_content=%2B{PHONE[1:]}&utm_term=for+{EMAIL}"
    for address in (f"/?ttclid=E.C.P.click&{tags}", "/buy/", "/buy/?fail=1", "/", "/nowhere/"):
        response = client.get(address, HTTP_USER_AGENT="Mozilla/5.0")
        seen += [response.content.decode(), str(response.headers), str(response.cookies)]
    for _ in range(2):
        try:
            tiktok_deliver()
        except Exception:  # what a worker would log
            logging.getLogger("worker").exception("delivery failed")
    call_command("tiktok_status", "--max-age", "99999999")
    seen += [told(), *capsys.readouterr()]
    for model in (OutboxEvent, VisitorSnapshot, Attempt, PixelStatus):
        seen.append(serializers.serialize("json", model.objects.all()))
    of_attribution = (Touch, LandingCount, VisitorLink, RecordedConversion, ConversionTouch, DailyAttribution)
    kept = [serializers.serialize("json", model.objects.all()) for model in of_attribution]
    seen += kept
    if not stage:
        assert tiktok_standin.ledger.arrivals("server")
        assert Touch.objects.count() == 1
    assert email_sha256(EMAIL) not in "".join(kept)  # which stands in bodies alone
    for text in seen:
        for mark in MARKS:
            at = text.find(mark)
            assert at < 0, text[max(0, at - 300) : at + 100]


SETTINGS = """
from example.settings import *

CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": str(VAR_DIR / "everything.log")}},
    "root": {"handlers": ["file"], "level": "DEBUG"},
    "loggers": {name: {"level": "DEBUG", "handlers": ["file"]} for name in ("django", "django.db.backends")},
}
"""


@pytest.fixture(params=["1", "0"], ids=["DEBUG", "production"])
def marked_stage(request: Any, valkey_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example with its broker and results in Valkey, every logger at DEBUG, and a marked token."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    processes = importlib.import_module("demo.processes")
    (tmp_path / "leaky_settings.py").write_text(SETTINGS)

    class Marked(processes.Stage):  # type: ignore[misc, name-defined]
        @property
        def environment(self) -> dict[str, str]:
            own = {
                "DJANGO_SETTINGS_MODULE": "leaky_settings",
                "PYTHONPATH": os.pathsep.join([str(tmp_path), str(EXAMPLE)]),
                "SHOP_BROKER": f"{valkey_server}/9",
                "SHOP_DEBUG": request.param,
                "TIKTOK_ACCESS_TOKEN": TOKEN,
                "PRETENDPAY_DELAY_SECONDS": "0.5",
            }
            return {**super().environment, **own}

    stage = Marked(tmp_path, processes.free_port(0), processes.free_port(0))
    try:
        stage.manage("migrate", "--verbosity", "0")
        stage.manage("seed")
        stage.start()
        yield stage
    finally:
        stage.end()
        for name in [name for name in list(sys.modules) if name.partition(".")[0] == "demo"]:
            del sys.modules[name]


LOCALE = 1 << MATCH_KEYS.index("locale")  # a key on the wire, though nobody is found by it alone


@pytest.mark.privacy
@pytest.mark.services
@pytest.mark.on_engine("sqlite")
def test_the_whole_path_leaks_nothing_into_the_broker(marked_stage: Any, valkey_server: str) -> None:
    module = importlib.import_module("demo.scripted_visitor")
    visitor = module.ScriptedVisitor(marked_stage.site, marked_stage.standin)
    visitor.session.headers["X-Forwarded-For"] = "9.9.9.9, 81.2.69.142"
    visitor._address = lambda: {
        **module.ScriptedVisitor._address(visitor),
        "name": NAME,
        "email": EMAIL,
        "phone": PHONE,
    }
    visitor.whole_path()
    journal = marked_stage.var / "standin.jsonl"
    assert marked_stage.wait_until(lambda: journal.exists() and journal.read_text().count('"server"') >= 2)

    texts = {"broker": dumped(f"{valkey_server}/9"), "journal": journal.read_text()}
    logs = list(marked_stage.var.glob("*.log"))
    assert {"everything.log", "worker.log"} <= {one.name for one in logs}
    for log in logs:
        lines = log.read_text(errors="replace").splitlines()
        texts[log.name] = "\n".join(line for line in lines if not OWN_TABLES.search(line))
    texts["tables"] = tables(marked_stage.var / "shop.sqlite3")
    for where, text in texts.items():
        for mark in MARKS:
            if mark == TOKEN and where == "journal":
                continue
            at = text.find(mark)
            assert at < 0, f"{where}: {text[max(0, at - 300) : at + 100]}"
    assert "9.9.9.9" not in texts["tables"] + texts["journal"]
    with sqlite3.connect(marked_stage.var / "shop.sqlite3") as connection:
        query = (
            "SELECT match_keys, payload FROM tiktok_attribution_outboxevent "
            "JOIN tiktok_attribution_eventbody USING (id) WHERE name = 'Purchase'"
        )
        purchases = connection.execute(query).fetchall()
    assert [(bits & ~LOCALE).bit_count() >= 7 and '"ip":"81.2.69.142"' in payload for bits, payload in purchases] == [
        True
    ]
    assert "tiktok_attribution.deliver" in texts["everything.log"] + texts["worker.log"]


def dumped(url: str) -> str:
    """Everything that a Valkey holds."""
    import redis  # noqa: PLC0415 -- of the test extra

    with redis.Redis.from_url(url) as client:
        return "\n".join(f"{key!r} {client.dump(key)!r}" for key in client.keys("*"))


def tables(database: Path) -> str:
    """Every row of every table that is not the shop's own."""
    with sqlite3.connect(database) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        others = [name for name in names if not OWN_TABLES.search(name)]
        assert any(name.startswith("tiktok_attribution_") for name in others)
        return "\n".join(repr(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name in others)  # noqa: S608
