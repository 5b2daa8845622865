"""Every text that the admin shows can be translated: no word stands outside the marks of a made-up language."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst

from tests.admin import filled
from tests.admin.samples import PIXEL, cancel_of, page_of, retry_of, stored_event, with_settings
from tests.attribution.spend_samples import ADVERTISER, ENGLISH
from tests.shop.models import Order
from tests.untranslated import LEFT, marked, outside, untranslated, words_of
from tiktok_attribution.admin import event_list, explanations
from tiktok_attribution.admin.list_query import person_text
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.delivery.turns import WORKER
from tiktok_attribution.doctor.environment import TAG
from tiktok_attribution.doctor.environment import values as configured
from tiktok_attribution.doctor.result import Level
from tiktok_attribution.doctor.run import everything
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import (
    AdSpend,
    Alert,
    AlertKind,
    Attempt,
    BulkJob,
    ConversionTouch,
    DailyAttribution,
    Heartbeat,
    OutboxEvent,
    PixelStatus,
    RecordedConversion,
    SpendImport,
    State,
    VoucherCode,
)
from tiktok_attribution.monitoring.alerts import written

pytestmark = pytest.mark.django_db
APP = "/admin/tiktok_attribution/"
LIST = f"{APP}outboxevent/"
DECLARED = {"shop.Order": {"event": "Purchase", "when": {"status": "paid"}}}
DJANGOS = ("Search",)
"""The image of a magnifying glass has this text in Django's own template."""


@pytest.fixture(autouse=True)
def marks() -> Iterator[None]:
    with marked():
        yield


@pytest.fixture
def addresses(settings: Any) -> dict[str, str]:
    settings.ROOT_URLCONF = filled.__name__
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE=[PIXEL, filled.STOPPED], SITE_URL="https://testserver")
    return filled.fill()


def data() -> set[str]:
    """Texts of the site, of TikTok, and what the outbox wrote down of them."""
    columns: dict[Any, tuple[str, ...]] = {
        OutboxEvent: ("name", "event_id", "pixel_code", "note", "currency", "object_label"),
        Attempt: ("pk", "message", "request_id"),
        PixelStatus: ("pk", "message"),
        BulkJob: ("note",),
        SpendImport: ("file_hash", "sums"),
        Order: ("email",),
        User: ("username",),
        DailyAttribution: ("campaign_name", "adgroup_name", "placement", "landing_path", "name", "currency"),
        RecordedConversion: ("name", "event_id", "shop", "currency", "code"),
        ConversionTouch: ("campaign_name", "adgroup_name", "ad_name", "placement", "landing_path", "utm_source"),
        VoucherCode: ("code", "creator"),
        AdSpend: ("campaign_name", "adgroup_name", "ad_name"),
    }
    rows = [row for model, names in columns.items() for row in model.objects.values_list(*names)]
    found = {str(value) for row in rows for value in row}
    for lines in RecordedConversion.objects.values_list("lines", flat=True):
        found |= set(leaves(json.loads(lines)))
    for payload in OutboxEvent.objects.exclude(payload="").values_list("payload", flat=True):
        found |= set(leaves(json.loads(payload)))
    for message in run_checks(tags=[TAG]):
        found |= {str(message.msg), str(message.hint)}  # in English, as Django's own
    typed = ("ann", "boss", "web", "Purchase", "order", "orders")
    return {*typed, *found, *MATCH_KEYS, *map(str, Order.objects.all()), *settings_words()}


def words_of_the_shop() -> set[str]:
    """Which speaks English alone: on its own pages its models and fields are named."""
    options = [model._meta for model in apps.get_app_config("shop").get_models()]
    named = [str(field.verbose_name) for one in options for field in one.fields]
    named += [str(one.verbose_name_plural) for one in options]
    return {"Shop", "paid", *map(capfirst, named)}


def settings_words() -> set[str]:
    return {value.text for value in configured() if LEFT not in value.text}


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield str(value)


def untold(response: Any, more: Iterable[str] = ()) -> list[str]:
    assert response.status_code == 200
    return [line for line in untranslated(response.content.decode(), {*data(), *more}) if line not in DJANGOS]


@pytest.mark.parametrize("text", [ENGLISH, "Campaign,Date,Cost\nA,01/02/2026,1.234\n", "Campaign,Cost\nA,5\n", "{}"])
def test_every_answer_to_an_upload(boss: Client, text: str) -> None:
    file = SimpleUploadedFile("march.csv", text.encode())
    page = boss.post(f"{APP}spendimport/import/", {"advertiser": ADVERTISER, "file": file})
    of_file = {cell for line in text.splitlines() for cell in line.split(",") if len(cell) > 1}

    assert untold(page, {*of_file, "EUR"}) == []


def test_a_text_that_was_forgotten_is_found() -> None:
    page = (
        "<p title='Why'>⟦1 of ⟦events⟧ <b>x</b>⟧ waits &amp; on <code>manage.py</code>⟦!⟧<input type=submit value=Go>"
    )

    assert untranslated(page) == ["Go", "Why", "waits & on"]


def test_every_page_of_the_admin(boss: Client, addresses: dict[str, str]) -> None:
    found = {
        name: untold(boss.get(address), () if address.startswith(APP) else words_of_the_shop())
        for name, address in addresses.items()
    }

    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("values", [{}, {"ENABLED": False, "PIXEL_CODE": ""}, {"CONVERSIONS": DECLARED}])
@pytest.mark.parametrize(
    "model",
    [
        "overview",
        "outboxevent",
        "attempt",
        "pixelstatus",
        "bulkjob",
        "diagnosis",
        "spendimport",
        "attributionreport",
        "recordedconversion",
        "vouchercode",
    ],
)
def test_every_page_without_a_row(boss: Client, settings: Any, model: str, values: dict[str, Any]) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(**values)

    assert untold(boss.get(f"{APP}{model}/")) == []


@pytest.mark.parametrize(
    "query",
    [
        "q=nothing",
        "q=ann@example.com",
        f"person={person_text(1)}",
        "state__exact=cancelled",
        "channels=both&recorded=7",
        "before=2",
    ],
)
def test_a_list_where_nothing_fits(boss: Client, settings: Any, query: str) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(CONVERSIONS=DECLARED)
    stored_event()

    assert untold(boss.get(f"{LIST}?{query}")) == []


@pytest.mark.parametrize("action", ["retry_selected", "cancel_selected"])
@pytest.mark.parametrize("across", ["0", "1"])
@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "1"}])
def test_the_question_to_a_list_and_what_came_of_it(
    boss: Client, addresses: dict[str, str], action: str, across: str, confirmed: dict[str, str]
) -> None:
    chosen_rows = list(OutboxEvent.objects.values_list("pk", flat=True))
    data = {"action": action, "_selected_action": chosen_rows, "select_across": across, **confirmed}

    assert untold(boss.post(LIST, data, follow=True)) == []


@pytest.mark.parametrize("state", State.values)
@pytest.mark.parametrize("verb", [retry_of, cancel_of])
def test_the_buttons_of_an_event(boss: Client, verb: Any, state: str) -> None:
    row = stored_event(state=state, age=50 * 3600, browser_at=timezone.now(), wants_browser=True)

    pages = [boss.post(verb(row), follow=True), boss.post(verb(row), {"confirmed": "1"}, follow=True)]
    pages.append(boss.get(page_of(row).replace("/change/", "/history/")))

    assert [untold(page) for page in pages] == [[], [], []]


def test_what_is_said_of_pixels_jobs_and_searches(boss: Client, addresses: dict[str, str]) -> None:
    resume = reverse("admin:tiktok_attribution_pixel_resume", args=[filled.STOPPED])
    stop = reverse("admin:tiktok_attribution_bulk_stop", args=[BulkJob.objects.earliest("pk").pk])
    search = reverse("admin:tiktok_attribution_event_search")
    twice = [boss.post(address, follow=True) for address in (resume, resume, stop, stop)]

    pages = [*twice, boss.post(search, {"typed": "ann@example"}, follow=True), boss.get(f"{APP}pixelstatus/")]

    assert [untold(page) for page in pages] == [[]] * 6


@pytest.mark.parametrize(("pixel", "code"), [("C0OTHER", "T1"), (PIXEL, ""), (PIXEL, "T1")])
def test_what_came_of_a_test_event(boss: Client, monkeypatch: pytest.MonkeyPatch, pixel: str, code: str) -> None:
    answer = Answer(http_status=200, code=40105, message="boss")
    monkeypatch.setattr("tiktok_attribution.admin.diagnosis.send_test_event", lambda *arguments: answer)
    address = reverse("admin:tiktok_attribution_test_event")

    assert untold(boss.post(address, {"pixel": pixel, "test_event_code": code}, follow=True)) == []


def test_the_results_of_a_site_that_is_ill(
    boss: Client, settings: Any, immediate: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF = filled.__name__
    monkeypatch.setattr("tiktok_attribution.tasks.broker_problem", lambda: "ann")
    Heartbeat.objects.update_or_create(pk=WORKER, defaults={"seen_at": time.time() - 9999})
    PixelStatus.objects.create(pixel_code=PIXEL, failures=9)
    stored_event(age=9999)

    found = everything()

    assert len([one for one in found if one.level is not Level.OK]) >= 6
    assert words_of(outside(text)[0] for one in found for text in (one.what, one.reason, one.fix)) == []
    assert untold(boss.get(f"{APP}diagnosis/")) == []


def test_the_tables_of_words() -> None:
    texts = [str(text) for module in (explanations, explanations, explanations) for text in words_in(vars(module))]

    assert len(texts) > 80
    assert words_of(outside(text)[0] for text in texts) == []


def words_in(held: Any) -> Iterator[Any]:
    """Every text of the module that is meant for people, in whatever holds it."""
    if isinstance(held, explanations.Words):
        yield from held
    elif isinstance(held, Promise):
        yield held
    elif isinstance(held, dict):
        yield from words_in([value for key, value in held.items() if not str(key).startswith("__")])
    elif isinstance(held, list | tuple):
        for one in held:
            yield from words_in(one)


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("alert_kind", AlertKind.values)
def test_the_letter_to_the_admins(settings: Any, alert_kind: str, is_open: bool) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://shop.example")
    alert = Alert(pixel_code=PIXEL, alert_kind=alert_kind, is_open=is_open, figure=7)

    for alerts in ([alert], [alert, alert]):
        subject, text = written(alerts, database="other")
        lines = [line for line in text.splitlines() if not line.startswith("https://shop.example/")]
        assert words_of(outside(part)[0] for part in [subject, *lines]) == []


def test_the_last_line_of_an_export_that_was_cut(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_list, "MOST_EXPORTED", 1)
    for _ in range(2):
        stored_event()

    answer: Any = boss.get(reverse("admin:tiktok_attribution_event_export"))
    last = b"".join(answer.streaming_content).decode().splitlines()[-1]

    assert last.startswith(LEFT)
