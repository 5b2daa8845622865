"""Who may see and do what: every address, every kind of user."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.samples import PIXEL, cancel_of, retry_of
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, PixelStatus, State, VisitorSnapshot

Make = Callable[..., Any]
Sign = Callable[..., Client]
EVENT, ATTEMPT, PIXELS = "outboxevent", "attempt", "pixelstatus"
PEOPLE = ("anonymous", "staff", "viewer", "retrier", "canceller", "resumer", "superuser")


@pytest.fixture
def rows(event: Make, attempt: Make) -> dict[str, str]:
    """One row of each model; its key as the admin writes it into addresses."""
    waiting = event(due_at=time.time() + 900)
    made: Attempt = attempt(waiting)
    stopped = PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105)
    return {EVENT: str(waiting.pk), ATTEMPT: quote(made.pk), PIXELS: stopped.pk}


def address(view: str, key: str = "") -> str:
    return reverse(f"admin:tiktok_attribution_{view}", args=[key] if key else [])


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("model", [EVENT, ATTEMPT, PIXELS])
@pytest.mark.parametrize("view", ["changelist", "change", "history"])
def test_pages_are_for_who_may_view(client_of: Sign, rows: dict[str, str], person: str, model: str, view: str) -> None:
    expected = {"anonymous": 302, "staff": 403}.get(person, 200)
    key = "" if view == "changelist" else rows[model]

    assert client_of(person).get(address(f"{model}_{view}", key)).status_code == expected


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("model", [EVENT, ATTEMPT, PIXELS])
@pytest.mark.parametrize("view", ["add", "delete"])
def test_nobody_adds_or_deletes(client_of: Sign, rows: dict[str, str], person: str, model: str, view: str) -> None:
    client, door = client_of(person), address(f"{model}_{view}", rows[model] if view == "delete" else "")

    answers = [client.get(door).status_code, client.post(door, {"post": "yes"}).status_code]

    assert answers == ([302, 302] if person == "anonymous" else [403, 403])


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("model", [EVENT, ATTEMPT, PIXELS])
def test_nobody_changes_by_hand(client_of: Sign, rows: dict[str, str], person: str, model: str) -> None:
    response = client_of(person).post(address(f"{model}_change", rows[model]), {"event_id": "mine"})

    assert response.status_code == (302 if person == "anonymous" else 403)


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(
    "button",
    [
        ("event_retry", EVENT, "retrier"),
        ("event_cancel", EVENT, "canceller"),
        ("pixel_resume", PIXELS, "resumer"),
    ],
)
def test_buttons_obey_their_own_permission(
    client_of: Sign, rows: dict[str, str], person: str, button: tuple[str, str, str]
) -> None:
    view, model, who = button

    response = client_of(person).post(address(view, rows[model]), {"confirmed": "1"})

    may = person in (who, "superuser")
    assert response.status_code == (302 if may or person == "anonymous" else 403)
    assert _changed() is may


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(
    "choice",
    [
        ("retry_selected", EVENT, "retrier"),
        ("cancel_selected", EVENT, "canceller"),
        ("resume_selected", PIXELS, "resumer"),
    ],
)
def test_actions_of_the_lists_obey_their_own_permission(
    client_of: Sign, rows: dict[str, str], person: str, choice: tuple[str, str, str]
) -> None:
    action, model, who = choice
    data = {"action": action, "_selected_action": rows[model], "confirmed": "1"}

    client_of(person).post(address(f"{model}_changelist"), data)

    assert _changed() is (person in (who, "superuser"))


def _changed() -> bool:
    """Whether the one event was hurried or cancelled, or the pixel resumed."""
    waits = OutboxEvent.objects.filter(state=State.WAITING, due_at__gt=time.time() + 800)
    return not (waits.exists() and PixelStatus.objects.filter(stopped_at__isnull=False).exists())


@pytest.mark.parametrize("person", PEOPLE)
def test_the_search_is_for_who_may_view(client_of: Sign, rows: dict[str, str], person: str) -> None:
    answer = client_of(person).post(address("event_search"), {"typed": "ann@example.com"})

    assert answer.status_code == (403 if person == "staff" else 302)
    assert ("?person=" in answer.get("Location", "")) is (person not in ("anonymous", "staff"))
    assert "ann" not in answer.get("Location", "")


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("view", ["event_retry", "event_cancel", "pixel_resume"])
def test_a_get_changes_nothing_for_anybody(client_of: Sign, rows: dict[str, str], person: str, view: str) -> None:
    key = rows[PIXELS] if view == "pixel_resume" else rows[EVENT]

    assert client_of(person).get(address(view, key)).status_code == 405
    assert not _changed()


@pytest.mark.parametrize("action", ["retry_selected", "cancel_selected"])
def test_an_action_in_the_address_of_a_list_does_nothing(client_of: Sign, rows: dict[str, str], action: str) -> None:
    data = {"_selected_action": rows[EVENT], "action": action, "confirmed": "1"}

    client_of("superuser").get(address("outboxevent_changelist"), data)

    assert not _changed()


@pytest.mark.parametrize(
    "view", ["event_retry", "event_cancel", "pixel_resume", "outboxevent_changelist", "event_search"]
)
def test_a_post_without_its_token_is_refused(client_of: Sign, rows: dict[str, str], view: str) -> None:
    key = {"pixel_resume": rows[PIXELS], "outboxevent_changelist": "", "event_search": ""}.get(view, rows[EVENT])
    data = {"_selected_action": rows[EVENT], "action": "cancel_selected", "confirmed": "1"}

    response = client_of("superuser", enforce_csrf_checks=True).post(address(view, key), data)

    assert response.status_code == 403
    assert not _changed()


@pytest.mark.parametrize("codename", ["retry_outboxevent", "cancel_outboxevent"])
def test_who_may_not_look_may_not_press(client_of: Sign, rows: dict[str, str], codename: str) -> None:
    blind = client_of("staff")
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename=codename))
    found = OutboxEvent.objects.get(pk=rows[EVENT])

    assert [blind.post(view(found)).status_code for view in (retry_of, cancel_of)] == [403, 403]


def test_actions_are_offered_by_permission(client_of: Sign, rows: dict[str, str]) -> None:
    page = client_of("retrier").get(address("outboxevent_changelist")).content.decode()

    assert 'value="retry_selected"' in page
    assert 'value="cancel_selected"' not in page
    assert 'value="delete_selected"' not in page


@pytest.mark.privacy
@pytest.mark.parametrize("model", [VisitorSnapshot, Lane])
def test_what_is_nobodys_business_is_not_in_the_admin(model: Any) -> None:
    assert not admin.site.is_registered(model)


def test_an_unknown_event_leads_back_to_the_index(client_of: Sign, db: None) -> None:
    assert client_of("superuser").get(address("outboxevent_change", "987654")).status_code == 302
