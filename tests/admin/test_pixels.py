"""Stopped pixels, and the button that lets them go on."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.samples import PIXEL, with_settings
from tiktok_attribution.models import PixelStatus

LIST = "/admin/tiktok_attribution/pixelstatus/"


@pytest.fixture
def stopped(db: None) -> PixelStatus:
    return PixelStatus.objects.create(
        pixel_code=PIXEL,
        stopped_at=timezone.now(),
        code=40105,
        message="Access token is incorrect or has been revoked.",
    )


def page_of(pixel: PixelStatus) -> str:
    return reverse("admin:tiktok_attribution_pixelstatus_change", args=[pixel.pk])


def press(client: Client, pixel: PixelStatus) -> Any:
    return client.post(reverse("admin:tiktok_attribution_pixel_resume", args=[pixel.pk]), follow=True)


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("address", [LIST, f"{LIST}{PIXEL}/change/"])
def test_why_it_stopped_is_said_and_explained(boss: Client, stopped: PixelStatus, address: str) -> None:
    text = html.unescape(boss.get(address).content.decode())

    assert "Access token is incorrect or has been revoked." in text
    assert "TikTok does not accept the access token" in text


@pytest.mark.django_db
def test_a_pixel_whose_requests_fail_is_said_to_wait(boss: Client) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, failures=7)
    page = boss.get(LIST).content.decode()
    assert "No answer, or HTTP 5xx, 7 times in a row." in page
    assert "TikTok seems to be down." in page


def test_the_button_resumes(boss: Client, stopped: PixelStatus) -> None:
    press(boss, stopped)

    stopped.refresh_from_db()
    assert stopped.stopped_at is None


def test_the_action_of_the_list_resumes(boss: Client, stopped: PixelStatus) -> None:
    boss.post(LIST, {"action": "resume_selected", "_selected_action": stopped.pk})

    stopped.refresh_from_db()
    assert stopped.stopped_at is None


def test_who_resumed_is_logged(boss: Client, stopped: PixelStatus) -> None:
    press(boss, stopped)

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (PIXEL, "Resumed by a person.")


@pytest.mark.django_db(transaction=True)
def test_workers_are_told(boss: Client, stopped: PixelStatus, hints: list[tuple[str, str]]) -> None:
    press(boss, stopped)

    assert hints == [(PIXEL, "default")]


def test_a_running_pixel_is_left_alone(boss: Client, stopped: PixelStatus) -> None:
    press(boss, stopped)

    assert said(press(boss, stopped)) == [f"Pixel {PIXEL} was not stopped."]
    assert LogEntry.objects.count() == 1


def test_a_missing_token_is_told(boss: Client, stopped: PixelStatus, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ACCESS_TOKEN="")

    assert f"No access token is configured for {PIXEL}, so it will stop again at once." in said(press(boss, stopped))


def test_an_unknown_pixel_is_not_found(boss: Client) -> None:
    assert boss.post(reverse("admin:tiktok_attribution_pixel_resume", args=["C0NONE"])).status_code == 404


def test_a_status_without_words_is_explained_too(boss: Client) -> None:
    stopped = PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), message="HTTP 404")

    assert "The address or the version of the Events API is wrong." in boss.get(page_of(stopped)).content.decode()


def test_a_running_pixel_has_no_button(boss: Client) -> None:
    running = PixelStatus.objects.create(pixel_code=PIXEL)

    assert "/resume/" not in boss.get(page_of(running)).content.decode()


def test_who_may_only_view_has_no_button(client_of: Callable[[str], Client], stopped: PixelStatus) -> None:
    assert "/resume/" not in client_of("viewer").get(page_of(stopped)).content.decode()


def test_an_empty_list_names_the_configured_pixels(boss: Client) -> None:
    text = boss.get(LIST).content.decode()

    assert "No pixel has been stopped" in text
    assert f"<code>{PIXEL}</code>" in text


def test_no_configured_pixel_is_said(boss: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE="")

    assert "PIXEL_CODE is not set" in boss.get(LIST).content.decode()


def test_the_token_is_on_no_page(boss: Client, stopped: PixelStatus, settings: Any) -> None:
    token = settings.TIKTOK_ATTRIBUTION["ACCESS_TOKEN"]
    pages = [boss.get(address).content.decode() for address in (LIST, page_of(stopped))]

    assert [page for page in pages if token in page] == []


def test_the_page_of_a_pixel_that_gets_no_answers_says_so(boss: Client) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, failures=7)
    page = boss.get(reverse("admin:tiktok_attribution_pixelstatus_change", args=[PIXEL])).content.decode()

    assert "TikTok does not answer this pixel" in page
    assert "tiktok-edge-wait" in page
