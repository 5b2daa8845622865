"""People, events and attempts for the tests of the admin."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.samples import stored_event
from tiktok_attribution import tasks
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VIEW = ("view_outboxevent", "view_attempt", "view_pixelstatus")
PEOPLE: dict[str, tuple[str, ...]] = {
    "staff": (),
    "viewer": VIEW,
    "retrier": (*VIEW, "retry_outboxevent"),
    "canceller": (*VIEW, "cancel_outboxevent"),
    "exporter": (*VIEW, "export_outboxevent"),
    "resumer": (*VIEW, "resume_pixelstatus"),
}


@pytest.fixture(autouse=True)
def hints(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What Celery would have been told."""
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(tasks, "wake_worker", lambda pixel_code, using: told.append((pixel_code, using)))
    return told


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """A client signed in as "staff", "viewer", …, "superuser", or as nobody for "anonymous"."""

    def signed_in(person: str, **options: Any) -> Client:
        client = Client(**options)
        if person == "superuser":
            client.force_login(User.objects.create_superuser("superuser"))
        elif person != "anonymous":
            user = User.objects.create_user(person, is_staff=True)
            user.user_permissions.set(Permission.objects.filter(codename__in=PEOPLE[person]))
            client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def boss(client_of: Callable[..., Client]) -> Client:
    return client_of("superuser")


@pytest.fixture
def signed_in(client_of: Callable[..., Client], live_server: Any) -> Callable[[Page], Page]:
    """Gives a page of the browser the session of a superuser."""

    def sign(page: Page) -> Page:
        session = client_of("superuser").cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return sign


@pytest.fixture
def seen(chromium: Browser, signed_in: Callable[[Page], Page], scheme: Any, width: int) -> Iterator[Page]:
    """A superuser's page, for tests over `scheme` and `width`."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(20_000)
    yield signed_in(context.new_page())
    context.close()


@pytest.fixture
def event(db: None) -> Callable[..., OutboxEvent]:
    """Makes an event; without arguments a purchase that waits."""
    return stored_event


@pytest.fixture
def attempt(db: None) -> Callable[..., Attempt]:
    """Makes the next attempt of these events, and marks them with it as the sender does."""

    def made(*events: OutboxEvent, **values: Any) -> Attempt:
        values = {
            "id": secrets.token_urlsafe(16),
            "pixel_code": events[0].pixel_code,
            "event_count": len(events),
            "outcome": Outcome.RETRY,
            "first_event": min(event.pk for event in events),
            "last_event": max(event.pk for event in events),
            **values,
        }
        values.setdefault("started_at", timezone.now())
        made = Attempt.objects.create(**values)
        for event in events:
            event.attempts += 1
            event.attempt_log += f"{made.pk},"
            event.last_attempt = made
            event.save()
        return made

    return made


@pytest.fixture
def list_address() -> str:
    return reverse("admin:tiktok_attribution_outboxevent_changelist")
