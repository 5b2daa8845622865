"""The list of attempts and the page of one."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tiktok_attribution.admin import base
from tiktok_attribution.models import Attempt, Outcome

Make = Callable[..., Any]


@pytest.fixture
def address() -> str:
    return reverse("admin:tiktok_attribution_attempt_changelist")


def pks(response: Any) -> list[str]:
    return [found.pk for found in response.context["cl"].result_list]


def test_an_attempt_is_found_by_its_request_id(boss: Client, event: Make, attempt: Make, address: str) -> None:
    attempt(event(), request_id="202303141300390EF7")
    wanted = attempt(event(), request_id="202303141300390EF6")

    assert pks(boss.get(address, {"q": "202303141300390EF6"})) == [wanted.pk]


def test_attempts_are_filtered_by_outcome(boss: Client, event: Make, attempt: Make, address: str) -> None:
    attempt(event(), outcome=Outcome.DELIVERED)
    wanted = attempt(event(), outcome=Outcome.STOP)

    assert pks(boss.get(address, {"outcome__exact": "stop"})) == [wanted.pk]


def test_an_attempt_leads_to_its_events(boss: Client, event: Make, attempt: Make, address: str) -> None:
    made: Attempt = attempt(event(), event())

    link = f'<a href="/admin/tiktok_attribution/outboxevent/?attempt={made.pk}">2 events</a>'
    assert link in boss.get(address).content.decode()


def test_the_page_explains_the_answer(boss: Client, event: Make, attempt: Make) -> None:
    made: Attempt = attempt(
        event(), code=40105, http_status=200, message="Access token is incorrect or has been revoked."
    )

    page = boss.get(reverse("admin:tiktok_attribution_attempt_change", args=[quote(made.pk)]))

    assert "TikTok does not accept the access token" in html.unescape(page.content.decode())


@pytest.mark.parametrize("column", range(1, 8))
def test_an_address_cannot_ask_for_another_order(
    boss: Client, event: Make, attempt: Make, address: str, column: int
) -> None:
    older = attempt(event(), http_status=100, started_at=timezone.now() - timedelta(hours=1))
    newer = attempt(event(), http_status=503)

    assert pks(boss.get(address, {"o": str(column)})) == [newer.pk, older.pk]


def test_no_attempts_yet_is_said(boss: Client, address: str) -> None:
    assert b"Nothing was sent to TikTok yet." in boss.get(address).content


def test_counting_ends_at_the_bound_and_says_so(
    boss: Client, event: Make, attempt: Make, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        attempt(event())
    monkeypatch.setattr(base, "MOST", 3)

    page = boss.get(address)

    assert page.context["cl"].result_count == 3
    assert b"Use search and filters to find older ones" in page.content
