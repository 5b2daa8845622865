"""The overview: what it says, who may see and export it, and that it costs the same whatever lies in the outbox."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from tests.admin.samples import HOSTILE, PIXEL, stored_event, with_settings
from tests.delivery.samples import store
from tiktok_attribution.admin.formatting import cell, csv_text
from tiktok_attribution.admin.overview_page import duration
from tiktok_attribution.models import Attempt, HourlyStatistics, OutboxEvent, PixelStatus, State, moment

PAGE = "/admin/tiktok_attribution/overview/"
EXPORT = f"{PAGE}export/"
PEOPLE = {
    "anonymous": (302, 302),
    "staff": (403, 403),
    "viewer": (403, 403),  # of events, which is another permission
    "overviewer": (200, 403),
    "exporter": (200, 200),
    "only-exporter": (403, 403),
    "superuser": (200, 200),
}
RIGHTS = {
    "viewer": ("view_outboxevent", "view_attempt", "view_pixelstatus"),
    "overviewer": ("view_overview",),
    "exporter": ("view_overview", "export_overview"),
    "only-exporter": ("export_overview",),
    "resumer": ("view_overview", "view_pixelstatus", "resume_pixelstatus"),
}


def signed_in(person: str) -> Client:
    client = Client()
    if person == "superuser":
        client.force_login(User.objects.create_superuser(person))
    elif person != "anonymous":
        user = User.objects.create_user(person, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS.get(person, ())))
        client.force_login(user)
    return client


def text_of(client: Client, **parameters: str) -> str:
    response = client.get(PAGE, parameters)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(response.content.decode()))


@pytest.fixture
def sale(db: None) -> OutboxEvent:
    now = time.time()
    return stored_event(
        age=120,
        state=State.DELIVERED,
        delivered_at=moment(now - 117),
        wants_browser=True,
        browser_at=moment(now - 119),
        match_keys=0b1100100,
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (3.26, "3.3 s"), (89, "89.0 s"), (119, "2 min"), (7300, "2.0 h"), (200_000, "2.3 d")],
)
def test_a_duration_is_rounded_to_what_people_read(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.django_db
@pytest.mark.parametrize("person", PEOPLE)
def test_page_and_export_have_permissions_of_their_own(person: str) -> None:
    client = signed_in(person)
    assert (client.get(PAGE).status_code, client.get(EXPORT).status_code) == PEOPLE[person]


@pytest.mark.parametrize("address", [PAGE, EXPORT])
def test_a_post_is_refused(boss: Client, address: str) -> None:
    assert boss.post(address).status_code == 405


def test_it_stands_in_the_index_of_the_app(boss: Client) -> None:
    assert f'href="{PAGE}"' in boss.get("/admin/tiktok_attribution/").content.decode()


def test_the_funnel_counts_both_channels(boss: Client, sale: OutboxEvent) -> None:
    row = boss.get(PAGE, {"period": "30"}).context["page"].funnel[0]
    counts = row.counts
    assert (row.name, counts["recorded"], counts["delivered"], counts["shown"], counts["both"]) == (
        *("Purchase", 1, 1, 1, 1),
    )
    assert row.delivered_share == "100 %"


def test_value_is_added_up_by_currency(boss: Client, sale: OutboxEvent) -> None:
    stored_event(currency="USD")
    values = boss.get(PAGE).context["page"].values
    assert values == [("Purchase", "49.90", "EUR"), ("Purchase", "49.90", "USD")]


def test_the_chart_has_a_title_a_text_and_a_table(boss: Client, sale: OutboxEvent) -> None:
    page = text_of(boss, period="today" if timezone.now().hour else "7")
    assert re.search(r'<rect class="tiktok-bar-delivered" x="[\d.]+" y="[\d.]+" width="8.00" height="[\d.]+">', page)
    assert "1 events recorded, 1 delivered, 0 failed." in page
    assert "As a table" in page


def test_geometry_is_the_same_in_every_language(boss: Client, sale: OutboxEvent, settings: Any) -> None:
    stored_event(age=100)
    stored_event(age=100)
    settings.LANGUAGE_CODE = "de"
    with translation.override("de"):
        page = text_of(boss)
    assert not re.search(r'(x|y|width|height)="[^"]*,', page)


def test_a_stopped_pixel_is_told_with_its_cause_and_its_button(boss: Client) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105, message="revoked")
    page = text_of(boss)
    assert f"Pixel {PIXEL} is stopped" in page
    assert "TikTok does not accept the access token" in page
    assert reverse("admin:tiktok_attribution_pixel_resume", args=[PIXEL]) in page


@pytest.mark.django_db
@pytest.mark.parametrize(("person", "has_button"), [("overviewer", False), ("resumer", True)])
def test_the_button_is_for_who_may_resume(person: str, has_button: bool) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105)
    assert ("/resume/" in text_of(signed_in(person))) is has_button


FAILURES = [
    ({"http_status": 200, "code": 40105, "message": "revoked"}, "TikTok does not accept the access token"),
    ({"http_status": 200, "code": 40001, "message": "no permission"}, "not allowed to send events for this pixel"),
    ({"http_status": 200, "code": 40002, "message": "Batch.0.properties"}, "TikTok refused a value in the event."),
    ({"http_status": 503, "message": ""}, "TikTok has a problem on its side."),
    ({"message": "tiktok.example could not be reached."}, "This server could not connect to TikTok"),
]


@pytest.mark.parametrize(("answer", "meaning"), FAILURES)
def test_a_failure_is_explained_and_leads_to_an_example(
    boss: Client, attempt: Callable[..., Attempt], answer: dict[str, Any], meaning: str
) -> None:
    made = [attempt(stored_event(), **answer) for _ in range(2)]
    page = boss.get(PAGE).context["page"]
    (failure,) = page.failures
    assert (failure.events, failure.requests) == (2, 2)
    assert meaning in str(failure.words.meaning)
    assert boss.get(failure.address).status_code == 200
    assert any(one.pk.replace("_", "_5F") in failure.address or one.pk in failure.address for one in made)


def test_events_that_could_not_be_built_are_failures_too(boss: Client) -> None:
    invalid = stored_event(state=State.INVALID, note="value is no number")
    (failure,) = boss.get(PAGE).context["page"].failures
    assert failure.text == "Purchase: value is no number"
    assert f"/{invalid.pk}/" in failure.address


@pytest.mark.parametrize(("label", "place"), [("shop.Order", "in the object"), ("", "where track() is called")])
def test_where_to_fix_what_could_not_be_built(boss: Client, label: str, place: str) -> None:
    stored_event(state=State.INVALID, note="value is no number", object_label=label)
    (failure,) = boss.get(PAGE).context["page"].failures
    assert place in str(failure.words.advice)


def test_the_oldest_due_event_is_told(boss: Client) -> None:
    stored_event(age=7300)
    page = text_of(boss)
    assert "2.0 h" in page
    assert "1 event waits, 1 of it due" in page


def test_match_keys_are_shares_and_the_estimate_is_called_one(boss: Client, sale: OutboxEvent) -> None:
    page = text_of(boss)
    assert '<td class="tiktok-heat-5">100 %</td>' in page
    assert "this app's own, not TikTok's score" in page


def test_a_channel_that_is_missing_is_told(boss: Client, sale: OutboxEvent) -> None:
    OutboxEvent.objects.update(browser_at=None)
    assert boss.get(PAGE).context["page"].total.counts["server_alone"] == 1


@pytest.mark.parametrize("period", ["today", "7", "30"])
def test_every_period_is_a_page(boss: Client, sale: OutboxEvent, period: str) -> None:
    assert boss.get(PAGE, {"period": period}).context["period"].key == period


@pytest.mark.parametrize("nonsense", [*HOSTILE, "99999999999", "", "7'"])
def test_nonsense_in_the_address_is_ignored(boss: Client, sale: OutboxEvent, nonsense: str) -> None:
    response = boss.get(PAGE, {"period": nonsense, "pixel": nonsense})
    assert (response.context["period"].key, response.context["period"].pixel_code) == ("7", "")
    assert nonsense not in response.content.decode() or nonsense in ("", "7'")


def test_a_pixel_is_chosen(boss: Client, sale: OutboxEvent, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE=[PIXEL, "C0OTHER"])
    assert boss.get(PAGE, {"pixel": "C0OTHER"}).context["page"].is_empty
    assert not boss.get(PAGE, {"pixel": PIXEL}).context["page"].is_empty


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_and_messages_are_escaped(boss: Client, attempt: Callable[..., Attempt], hostile: str) -> None:
    attempt(stored_event(name=hostile), message=hostile)
    assert hostile not in boss.get(PAGE).content.decode()


def test_nothing_inline_that_a_policy_blocks(boss: Client, sale: OutboxEvent) -> None:
    body = boss.get(PAGE).content.decode().partition('id="content-main"')[2].partition("</footer>")[0]
    assert "style=" not in body
    assert "<script" not in body
    assert " on" + "click=" not in body


def test_an_empty_outbox_says_what_comes_next(boss: Client) -> None:
    assert "No conversion is declared." in text_of(boss)


def test_a_missing_pixel_code_is_said(boss: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE="")
    assert "PIXEL_CODE is not set" in text_of(boss)


def test_the_token_is_not_on_it(boss: Client, settings: Any) -> None:
    assert settings.TIKTOK_ATTRIBUTION["ACCESS_TOKEN"] not in text_of(boss)


def test_it_asks_no_more_of_many_events_than_of_few(boss: Client, sale: OutboxEvent) -> None:
    boss.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        boss.get(PAGE)
    store(
        OutboxEvent(pixel_code=PIXEL, name="Purchase", event_id=f"many-{number}", event_time=1, state=State.DELIVERED)
        for number in range(500)
    )
    with CaptureQueriesContext(connection) as many:
        boss.get(PAGE)
    assert len(many) <= len(few)
    reads = [query["sql"] for query in many if "outboxevent" in query["sql"] and "due_at" not in query["sql"]]
    assert [sql for sql in reads if "COUNT(*)" in sql] == []


def test_the_export_holds_names_and_steps(boss: Client, sale: OutboxEvent) -> None:
    lines = boss.get(EXPORT).content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("part,name,recorded,delivered,")
    assert [line.partition(",")[0] for line in lines[1:]] == ["event", *["time"] * 7, "all"]


@pytest.mark.parametrize("name", ['=HYPERLINK("//evil")', "+1", "-1", "@SUM(A1)", "  =1"])
def test_no_cell_of_the_export_is_a_formula(boss: Client, name: str) -> None:
    stored_event(name=name)
    assert cell(name) == f"'{name}"
    assert f'"{name}' not in boss.get(EXPORT).content.decode()


def test_numbers_of_the_export_stay_numbers() -> None:
    assert csv_text([[2.5, -1, None]]) == "\ufeff2.5,-1,\r\n"


def test_the_hours_are_counted_by_looking(boss: Client, sale: OutboxEvent) -> None:
    boss.get(PAGE)
    assert HourlyStatistics.objects.get().recorded == 1
