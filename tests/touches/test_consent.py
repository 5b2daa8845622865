"""No touch without consent, none after a refusal, and what waits for an answer waits in the visitor's browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import time
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.consent.cells import CONSENTS, SIGNALS, fate
from tests.consent.conftest import ASKED
from tests.touches.conftest import AGENT, CLICK, REFERRER, UTM, Configure, Land, outcomes
from tiktok_attribution.models import Touch, VisitorLink
from tiktok_attribution.touches import waiting
from tiktok_attribution.visitor import visitor_key

pytestmark = [pytest.mark.django_db, pytest.mark.privacy]

OWN = {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_USER_AGENT": AGENT}
LANDED = f"http://testserver/page/?{CLICK}&{UTM}"
Answer = Callable[..., HttpResponse]


@pytest.fixture
def answer(client: Client) -> Answer:
    """`answer("granted")`: the banner's answer, reported without a page load."""

    def answer(word: str, page: str = LANDED, **more: Any) -> HttpResponse:
        client.cookies["tiktok_consent"] = word
        return report(client, "/tiktok/consent/", page=page, landing=REFERRER, **more)

    return answer


def report(client: Client, address: str = "/tiktok/", **values: Any) -> HttpResponse:
    headers = {**OWN, **{key: values.pop(key) for key in [*values] if key.startswith("HTTP_")}}
    return client.post(address, json.dumps(values), content_type="text/plain", **headers)  # type: ignore[return-value]


def has_key(client: Client) -> bool:
    """Whether the browser has one of the cookies that a landing sets."""
    names = (visitor_key.COOKIE, visitor_key.MARKER, waiting.COOKIE)
    return any(client.cookies[name].value for name in names if name in client.cookies)


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("consent", CONSENTS)
def test_every_cell_of_the_matrix(consent: str, name: str, land: Land, client: Client, configure: Configure) -> None:
    (setting, given), signal = CONSENTS[consent], SIGNALS[name]
    configure(CONSENT=setting, **signal.settings)
    for cookie, value in {**signal.cookies, **({"tiktok_consent": given} if given else {})}.items():
        client.cookies[cookie] = value
    land(f"{CLICK}&{UTM}", **signal.headers)
    is_allowed = fate(consent, signal.effect) == "sent" and signal.effect != "limit"
    assert Touch.objects.exists() == has_key(client) == is_allowed
    assert outcomes() == {"stored" if is_allowed else "no_consent": 1}
    report(client, page=LANDED, landing=REFERRER, **signal.headers)  # the same landing, out of a shared cache
    assert Touch.objects.count() == is_allowed
    assert has_key(client) == is_allowed


# Withdrawal -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def landed(land: Land, client: Client, configure: Configure) -> Client:
    """A browser that agreed and landed, beside another one that did."""
    configure(CONSENT=ASKED)
    client.cookies["tiktok_consent"] = "granted"
    land(f"{CLICK}&{UTM}")
    VisitorLink.objects.create(
        visitor_key=Touch.objects.get().visitor_key, identifier="email", person=Touch.objects.get().visitor_key, at=1
    )
    other = Client()
    other.cookies["tiktok_consent"] = "granted"
    land(browser=other)
    assert Touch.objects.count() == 2
    return client


def assert_withdrawn(client: Client) -> None:
    assert Touch.objects.count() == 1  # the other browser's
    assert not VisitorLink.objects.exists()
    assert not has_key(client)


def test_a_withdrawal_by_the_banner_deletes_all_of_this_browser(landed: Client, answer: Answer) -> None:
    assert answer("denied").status_code == 200
    assert_withdrawn(landed)


def test_a_withdrawal_on_a_private_page_counts_too(landed: Client, answer: Answer, configure: Configure) -> None:
    configure(PRIVATE_PATHS=["/clinic/"])
    answer("denied", page=f"http://testserver/clinic/?{CLICK}")
    assert_withdrawn(landed)


def test_a_refusal_at_the_next_landing_counts(landed: Client, land: Land) -> None:
    landed.cookies["tiktok_consent"] = "denied"
    answer = land("ttclid=another")
    assert_withdrawn(landed)
    assert "private" in answer["Cache-Control"]


def test_an_opt_out_by_the_browser_counts(landed: Client) -> None:
    report(landed, "/tiktok/consent/", HTTP_SEC_GPC="1")
    assert_withdrawn(landed)


def test_who_has_withdrawn_and_agrees_again_is_another_browser(landed: Client, land: Land, answer: Answer) -> None:
    before = Touch.objects.order_by("pk")[0].visitor_key
    answer("denied")
    landed.cookies["tiktok_consent"] = "granted"
    land()
    assert before not in set(Touch.objects.values_list("visitor_key", flat=True))
    assert Touch.objects.count() == 2


def test_a_withdrawal_that_the_database_refuses_is_tried_again(
    landed: Client, answer: Answer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("tiktok_attribution.touches.withdrawal.delete_touches", fail)
        answer("denied")
    assert has_key(landed)
    assert "were not deleted" in caplog.text
    answer("denied")
    assert_withdrawn(landed)


@pytest.mark.hostile
def test_another_site_can_withdraw_nothing(landed: Client) -> None:
    landed.cookies["tiktok_consent"] = "denied"
    for headers in ({"HTTP_SEC_FETCH_SITE": "cross-site"}, {"HTTP_ORIGIN": "https://evil.example"}):
        landed.post("/tiktok/consent/", "{}", content_type="text/plain", **headers)
    assert Touch.objects.count() == 2


# An answer that comes later -------------------------------------------------------------------------------------------


def test_who_agrees_on_the_landing_page_is_recorded_then(
    land: Land, answer: Answer, client: Client, configure: Configure
) -> None:
    configure(CONSENT=ASKED)
    assert visitor_key.COOKIE not in land(f"{CLICK}&{UTM}").cookies
    assert not Touch.objects.exists()
    assert visitor_key.COOKIE not in answer("granted").cookies
    response = report(client, page=LANDED, landing=REFERRER)  # as the page does when its visitor has agreed
    assert visitor_key.COOKIE in response.cookies
    assert Touch.objects.get().campaign_name == "Spring"


def test_who_refuses_there_is_not(land: Land, answer: Answer, client: Client, configure: Configure) -> None:
    configure(CONSENT=ASKED, HOLD_CLICK_ID=True)
    land(f"{CLICK}&{UTM}")
    answer("denied")
    assert not Touch.objects.exists()
    assert not has_key(client)


@pytest.mark.parametrize("is_kept", [True, False])
def test_with_hold_click_id_the_browser_keeps_it_for_a_later_page(
    is_kept: bool, land: Land, client: Client, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(CONSENT=ASKED, HOLD_CLICK_ID=is_kept)
    response = land(f"{CLICK}&{UTM}")
    assert (waiting.COOKIE in response.cookies) == is_kept
    assert not Touch.objects.exists()
    if is_kept:
        cookie = response.cookies[waiting.COOKIE]
        assert (cookie["max-age"], cookie["expires"], cookie["httponly"]) == ("", "", True)
    landed = int(time())
    client.get("/page/", HTTP_USER_AGENT=AGENT)
    monkeypatch.setattr("tiktok_attribution.touches.recording.time", lambda: landed + 3600)
    client.cookies["tiktok_consent"] = "granted"
    client.get("/page/", HTTP_USER_AGENT=AGENT)
    assert Touch.objects.count() == is_kept
    if is_kept:
        touch = Touch.objects.get()
        assert abs(touch.at - landed) < 60  # the landing's own moment
        assert (touch.campaign_name, touch.landing_path) == ("Spring", "/page/")
        assert not client.cookies[waiting.COOKIE].value


def test_a_landing_that_waits_and_is_reported_too_is_one_touch(
    land: Land, answer: Answer, client: Client, configure: Configure
) -> None:
    configure(CONSENT=ASKED, HOLD_CLICK_ID=True)
    land(f"{CLICK}&{UTM}")
    answer("granted")
    report(client, page=LANDED, landing=REFERRER)
    client.get("/page/", HTTP_USER_AGENT=AGENT)
    assert Touch.objects.count() == 1
    assert not client.cookies[waiting.COOKIE].value


def test_two_landings_of_one_answer_have_one_key(land: Land, client: Client, configure: Configure) -> None:
    configure(CONSENT=ASKED, HOLD_CLICK_ID=True)
    land("ttclid=first")
    client.cookies["tiktok_consent"] = "granted"
    land("ttclid=second")
    assert Touch.objects.count() == 2
    assert Touch.objects.values("visitor_key").distinct().count() == 1


@pytest.mark.hostile
@pytest.mark.parametrize("value", ["x", ":", "WzFd:x:y", "\x00", "a" * 5000])
def test_a_forged_landing_that_waits_is_nothing(value: str, client: Client, configure: Configure) -> None:
    client.cookies[waiting.COOKIE] = value
    client.get("/page/", HTTP_USER_AGENT=AGENT)
    assert not Touch.objects.exists()


# Reports of pages from shared caches ----------------------------------------------------------------------------------


def test_a_page_from_a_shared_cache_reports_its_landing(client: Client) -> None:
    response = report(client, page=LANDED, landing=REFERRER)
    assert response.status_code == 204
    assert visitor_key.COOKIE in response.cookies
    touch = Touch.objects.get()
    assert (touch.traffic, touch.landing_path, touch.campaign_name) == ("paid", "/page/", "Spring")
    assert outcomes() == {"stored": 1}


def test_a_page_that_this_server_answered_reports_nothing_new(land: Land, client: Client, configure: Configure) -> None:
    configure(ATTRIBUTION={"landings_per_minute": 2})
    for number in range(2):
        land(f"ttclid=x{number}")
        report(client, page=f"http://testserver/page/?ttclid=x{number}", landing=REFERRER)
    assert Touch.objects.count() == 2
    assert outcomes() == {"stored": 2}


@pytest.mark.parametrize(
    ("page", "referrer", "count"),
    [
        (f"http://testserver/page/?{UTM}", REFERRER, 1),
        (f"http://testserver/page/?{UTM}", "", 0),
        (f"http://testserver/page/?{UTM}", "http://testserver/", 0),
        (f"http://testserver/page/?{UTM}", {"not": "text"}, 0),
        (f"http://testserver/page/?{CLICK}", "", 1),
        (f"http://testserver/clinic/?{CLICK}", REFERRER, 0),
        (f"http://testserver/api/?{CLICK}", REFERRER, 0),
        (f"https://evil.example/page/?{CLICK}", REFERRER, 0),
        ("http://testserver/page/", REFERRER, 0),
        (7, REFERRER, 0),
        (None, REFERRER, 0),
        ("http://[", REFERRER, 0),
    ],
)
def test_the_server_decides_again(page: Any, referrer: Any, count: int, client: Client, configure: Configure) -> None:
    configure(PRIVATE_PATHS=["/clinic/"], EXCLUDED_PATHS=["/api/"])
    report(client, page=page, landing=referrer)
    assert Touch.objects.count() == count


@pytest.mark.hostile
@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "", "HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_SEC_FETCH_SITE": "", "HTTP_ORIGIN": "null"},
        {"HTTP_USER_AGENT": "Googlebot/2.1"},
        {"HTTP_SEC_GPC": "1"},
    ],
)
def test_no_other_site_and_no_bot_reports_a_landing(headers: dict[str, str], client: Client) -> None:
    report(client, page=LANDED, landing=REFERRER, **headers)
    assert not Touch.objects.exists()


@pytest.mark.hostile
def test_reports_have_the_limits_of_landings(client: Client, configure: Configure) -> None:
    configure(ATTRIBUTION={"landings_per_minute": 3}, BEACONS_PER_MINUTE=5)
    for number in range(10):
        report(Client(), page=f"http://testserver/page/?ttclid=x{number}", landing="")
    assert Touch.objects.count() == 3
    assert outcomes() == {"stored": 3, "over_limit": 2}


def test_with_attribution_off_a_report_is_nothing(client: Client, configure: Configure) -> None:
    configure(ATTRIBUTION=False)
    assert not report(client, page=LANDED, landing=REFERRER).cookies
    assert not Touch.objects.exists()


def test_a_withdrawal_is_told_to_higher_floors(landed: Client, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    key, told = Touch.objects.order_by("pk")[0].visitor_key, []
    monkeypatch.setattr("tiktok_attribution.touches.withdrawal.also_forget", [told.append])
    answer("denied")
    assert told == [[key]]
