"""The diagnosis page and its test event: who may, what it says, and that every failure is one click from its cause."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.admin.samples import PIXEL, stored_event, with_settings
from tiktok_attribution.models import OutboxEvent, PixelStatus
from tiktok_attribution.testing.faults import Fault
from tiktok_attribution.testing.server import StandIn

PAGE = "/admin/tiktok_attribution/diagnosis/"
TEST = f"{PAGE}test-event/"
OVERVIEW = "/admin/tiktok_attribution/overview/"
RIGHTS: dict[str, tuple[str, ...]] = {
    "staff": (),
    "viewer": ("view_pixelstatus", "view_outboxevent", "view_overview"),
    "looker": ("view_diagnosis",),
    "tester": ("view_diagnosis", "test_pixelstatus"),
    "only-tester": ("test_pixelstatus",),
}
PEOPLE = {
    "anonymous": (302, 302),
    "staff": (403, 403),
    "viewer": (403, 403),
    "looker": (200, 403),
    "tester": (200, 302),
    "only-tester": (403, 403),
    "superuser": (200, 302),
}
DATA = {"pixel": PIXEL, "test_event_code": "TEST12345"}


def signed_in(person: str, **options: Any) -> Client:
    client = Client(**options)
    if person == "superuser":
        client.force_login(User.objects.create_superuser(person))
    elif person != "anonymous":
        user = User.objects.create_user(person, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS[person]))
        client.force_login(user)
    return client


def text_of(client: Client, address: str = PAGE) -> str:
    return html.unescape(client.get(address).content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize("person", PEOPLE)
def test_looking_and_testing_have_permissions_of_their_own(person: str, tiktok_standin: StandIn) -> None:
    client = signed_in(person)
    assert (client.get(PAGE).status_code, client.post(TEST, DATA).status_code) == PEOPLE[person]
    assert bool(LogEntry.objects.count()) is (person in ("tester", "superuser"))


def test_a_get_sends_nothing(boss: Client) -> None:
    assert boss.get(TEST, DATA).status_code == 405


@pytest.mark.django_db
def test_a_post_without_its_token_is_refused() -> None:
    assert signed_in("superuser", enforce_csrf_checks=True).post(TEST, DATA).status_code == 403


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def test_the_answer_to_a_test_event_is_shown_and_logged(boss: Client, tiktok_standin: StandIn) -> None:
    response = boss.post(TEST, DATA, follow=True)
    assert "TikTok's answer to the test event: 200 0" in said(response)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message[:17]) == (PIXEL, "Test event sent: ")
    assert not OutboxEvent.objects.exists()
    assert len(tiktok_standin.ledger.test_events()) == 1


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [("token_revoked", "TikTok does not accept the access token"), ("no_permission", "not allowed to send events")],
)
def test_a_refusal_is_explained(boss: Client, tiktok_standin: StandIn, fault: str, meaning: str) -> None:
    tiktok_standin.faults.arm(Fault(name=fault))
    assert meaning in said(boss.post(TEST, DATA, follow=True))
    assert not PixelStatus.objects.filter(stopped_at__isnull=False).exists()


@pytest.mark.parametrize("code", ["", "   ", "a b", 'x","data":[]', "é", "x" * 65])
def test_without_a_real_code_nothing_is_sent(
    boss: Client, code: str, monkeypatch: pytest.MonkeyPatch, tiktok_standin: StandIn
) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr("tiktok_attribution.admin.diagnosis.send_test_event", never)
    assert "Without it the event would count." in said(boss.post(TEST, {**DATA, "test_event_code": code}, follow=True))


def test_only_configured_pixels_are_tested(boss: Client, tiktok_standin: StandIn) -> None:
    assert "Choose one of the configured pixels." in said(boss.post(TEST, {**DATA, "pixel": "C0EVIL"}, follow=True))


def test_a_missing_token_is_the_answer(boss: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ACCESS_TOKEN="")
    assert "No access token is configured" in said(boss.post(TEST, DATA, follow=True))


def test_where_a_value_comes_from_is_said_and_the_token_is_not(boss: Client, settings: Any) -> None:
    page = text_of(boss)
    assert settings.TIKTOK_ATTRIBUTION["ACCESS_TOKEN"] not in page
    origin = {value.key: (value.text, value.is_default) for value in boss.get(PAGE).context["values"]}
    assert origin["ACCESS_TOKEN"] == ("set", False)
    assert origin["MAX_AGE_DAYS"] == ("7.0", True)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("", "not set"),
        ({PIXEL: "s3cret"}, f"set for {PIXEL}"),
        (lambda code: "s3cret", "returned by the site's own code"),
    ],
)
def test_a_token_of_any_form_is_only_told_of(boss: Client, settings: Any, token: Any, text: str) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ACCESS_TOKEN=token)
    page = text_of(boss)
    assert text in page
    assert "s3cret" not in page


def test_looking_sends_nothing_and_logs_nothing(boss: Client, tiktok_standin: StandIn) -> None:
    boss.get(PAGE)
    assert tiktok_standin.ledger.arrivals() == []
    assert not LogEntry.objects.exists()


def test_nothing_inline_that_a_policy_blocks(boss: Client) -> None:
    body = boss.get(PAGE).content.decode().partition('id="content-main"')[2]
    assert "style=" not in body.partition("</footer>")[0]


TROUBLES: dict[str, tuple[Callable[[], object], str, str]] = {
    "worker dead": (lambda: stored_event(age=7200), f'href="{PAGE}#late-{PIXEL}"', f'id="late-{PIXEL}"'),
    "worker never seen": (lambda: None, f'href="{PAGE}#worker"', 'id="worker"'),
    "tag missing": (
        lambda: [stored_event(wants_browser=True) for _ in range(5)],
        f'href="{PAGE}#tag"',
        'id="tag"',
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_problem_leads_from_the_overview_to_its_cause(boss: Client, trouble: str) -> None:
    make, link, anchor = TROUBLES[trouble]
    make()
    assert link in text_of(boss, OVERVIEW)
    assert anchor in text_of(boss)


@pytest.mark.django_db
def test_results_are_for_who_may_see_the_diagnosis() -> None:
    client = signed_in("viewer")
    assert PAGE not in text_of(client, OVERVIEW)
