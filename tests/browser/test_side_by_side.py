"""Requests of a page's script that run at once: each starts with the same cookies, and no event of theirs is lost."""

from __future__ import annotations

import os
from itertools import count
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.browser.reading import tracked
from tiktok_attribution.browser import pending_cookie
from tiktok_attribution.browser.pending_cookie import COOKIE, MARKER, MOST_BESIDE, Key, Pending
from tiktok_attribution.models import OutboxEvent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, params=[0, MOST_BESIDE - 1])
def _the_first_turn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which cookie a request takes hangs on the process: by its number, and on how many it has answered."""
    monkeypatch.setattr(pending_cookie, "_turn", count(request.param - os.getpid()))


FETCH = {"Sec-Fetch-Dest": "empty", "Accept": "*/*"}


def at_once(client: Client, *asked: dict[str, Any], headers: dict[str, str] = FETCH, secure: bool = False) -> None:
    """As `Promise.all` of fetches: all are sent with the cookies of this moment, then all answers are applied."""
    before = {name: morsel.value for name, morsel in client.cookies.items()}
    answers = []
    for data in asked:
        other = Client()
        other.cookies.load(before)
        answers.append(other.get("/lead-json/", data, headers=headers, secure=secure))
    for answer in answers:
        assert answer.status_code == 200
        apply(client, answer)


def apply(client: Client, answer: HttpResponse) -> None:
    for name, morsel in answer.cookies.items():
        client.cookies[name] = morsel.value
        if morsel["max-age"] == 0:
            del client.cookies[name]


def lead(number: int) -> dict[str, Any]:
    return {"event": "Lead", "event_id": f"lead-{number}"}


def waiting(client: Client) -> list[str]:
    return [name for name in client.cookies if COOKIE in name]


@pytest.mark.parametrize("secure", [False, True])
def test_two_fetches_at_once_lose_nothing(client: Client, secure: bool) -> None:
    at_once(client, lead(1), lead(2), secure=secure)
    assert tracked(client.get("/page/", secure=secure)) == ["Lead", "Lead"]
    assert not OutboxEvent.objects.filter(browser_at=None).exists()


@pytest.mark.parametrize(
    "headers",
    [
        FETCH,
        {"Accept": "application/json, text/plain, */*"},  # axios, on plain http
        {"X-Requested-With": "XMLHttpRequest"},
        {"HX-Request": "true"},
    ],
)
def test_what_waited_before_them_is_kept_too(client: Client, headers: dict[str, str]) -> None:
    client.post("/lead/")
    at_once(client, lead(11), lead(12), lead(13), headers=headers)
    assert tracked(client.get("/page/")) == ["Lead"] * 4
    assert tracked(client.get("/page/")) == []
    assert waiting(client) == [] or not any(client.cookies[name].value for name in waiting(client))


def test_the_page_that_shows_them_takes_all_cookies_away(client: Client) -> None:
    at_once(client, lead(1), lead(2))
    names = set(waiting(client))
    assert len(names) == 2
    answer = client.get("/page/")
    assert {name for name, morsel in answer.cookies.items() if morsel["max-age"] == 0} == names


def test_one_after_the_other_they_stay_few(client: Client) -> None:
    for number in range(25):
        answer = client.get("/lead-json/", lead(number), headers=FETCH)
        apply(client, answer)
        assert len(waiting(client)) <= MOST_BESIDE // 2 + 2
    assert tracked(client.get("/page/")) == ["Lead"] * 25


def test_many_at_once_stay_within_what_servers_take(client: Client) -> None:
    at_once(client, *map(lead, range(100)))
    header = "; ".join(f"{name}={client.cookies[name].value}" for name in client.cookies)
    assert len(waiting(client)) <= MOST_BESIDE
    assert len(header) < 6000
    assert tracked(client.get("/page/")) == ["Lead"] * MOST_BESIDE


def test_many_moved_together_lose_nothing(client: Client) -> None:
    at_once(client, *map(lead, range(10)))
    at_once(client, lead(21), lead(22))
    assert tracked(client.get("/page/")) == ["Lead"] * 12


def test_what_is_handed_over_in_a_header_needs_no_cookie(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True}
    at_once(client, lead(1), lead(2), headers={**FETCH, "X-TikTok-Events": "1"})
    assert waiting(client) == []
    at_once(client, lead(3), lead(4))
    assert client.cookies[MARKER].value == "1"


def test_a_long_addition_goes_into_the_first_cookie() -> None:
    long = Pending([(2_000_000_000, Key("C0A", "Lead", "".join(map(chr, range(300, 428)))))])
    assert long.as_short_text() == ""
    assert long.as_text()


@pytest.mark.hostile
def test_a_cookie_of_somebodys_own_making_beside_them_is_nothing(client: Client) -> None:
    at_once(client, lead(1))
    free = (f"{COOKIE}_{number}" for number in range(MOST_BESIDE))
    client.cookies[next(name for name in free if name not in client.cookies)] = "forged"
    client.cookies[f"{COOKIE}_{MOST_BESIDE}"] = "forged"
    assert tracked(client.get("/page/")) == ["Lead"]


@pytest.mark.privacy
def test_a_refusal_takes_back_what_waits_in_all_of_them(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONSENT": {"cookie": "ads", "granted": "1"}}
    client.cookies["ads"] = "1"
    at_once(client, lead(1), lead(2))
    client.cookies["ads"] = "0"
    settings.TIKTOK_ATTRIBUTION["CONSENT"] = {"cookie": "ads", "granted": "1", "denied": "0"}
    apply(client, client.get("/page/"))
    assert waiting(client) == []
    assert not OutboxEvent.objects.filter(state="waiting").exists()
