"""The page without inline code: data blocks, the static file, and answers that are no pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from hypothesis import given

from tests.browser.blocks import block_of, blocks_of, names
from tests.browser.reading import parsed
from tests.browser.site import html
from tests.browser.test_page import anything
from tiktok_attribution.browser import page_response
from tiktok_attribution.browser.page_response import _with_trigger
from tiktok_attribution.browser.pending_cookie import COOKIE, MARKER
from tiktok_attribution.browser.tags import pixel_text
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import OutboxEvent

PIXEL = "C0EXAMPLE0000000000"
HTMX = {"HTTP_HX_REQUEST": "true"}
FILES = ["/static/tiktok_attribution/gate.js", "/static/tiktok_attribution/tiktok.js"]


@pytest.fixture(autouse=True)
def configure(settings: Any) -> Any:
    def change(**options: Any) -> None:
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True, **options}

    change()
    return change


def files(page: HttpResponse | str) -> list[str | None]:
    found = parsed(page if isinstance(page, str) else page.content.decode())
    return [attributes["src"] for attributes in found.attributes if "src" in attributes]


def test_a_page_has_no_inline_code() -> None:
    found = parsed(html(RequestFactory().get("/"), "{% tiktok_event 'Contact' %}"))
    assert [a for a in found.attributes if "src" not in a and a.get("type") != "application/json"] == []


def test_the_block_names_pixel_host_and_endpoint(client: Client) -> None:
    page = client.get("/page/")
    expected = {"pixels": [PIXEL], "host": "https://analytics.tiktok.com", "options": {}, "url": "/tiktok/"}
    assert block_of(page) == expected
    assert files(page) == FILES


def test_a_site_without_the_urls_still_has_its_pixel(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    assert "url" not in block_of(str(pixel_text(RequestFactory().get("/"))))


@pytest.mark.privacy
def test_the_page_knows_the_private_paths_and_is_everybodys(client: Client, configure: Any) -> None:
    configure(PRIVATE_PATHS=["/clinic/"], UNSIGNED_ACTIONS=True)
    page = client.get("/page/")
    assert (block_of(page)["private"], block_of(page)["unsigned"]) == (["/clinic/"], True)
    assert gate_of(page)["private"] == ["/clinic/"]
    assert not page.has_header("Cache-Control")


def test_the_settings_of_the_pixel_are_in_it(configure: Any) -> None:
    configure(HISTORY_OBSERVER=False, LIMITED_DATA_USE=True)
    assert block_of(str(pixel_text(None)))["options"] == {"historyObserver": False, "limited_data_use": True}


@pytest.mark.django_db
def test_two_visitors_get_the_same_bytes(client: Client) -> None:
    signed_in = Client()
    signed_in.force_login(User.objects.create(username="ada", email="ada@example.com"))
    signed_in.cookies["ttclid"] = "E.C.P.1"
    assert signed_in.get("/page/").content == client.get("/page/").content


def test_the_same_action_is_the_same_bytes_for_two_visitors(client: Client) -> None:
    body = '<button {% tiktok_action "AddToWishlist" value=5 currency="EUR" %}>'
    ada, bob = (visitor.get("/template/", {"body": body}) for visitor in (client, Client()))
    assert ada.content == bob.content
    assert not ada.cookies
    assert not ada.has_header("Vary")


def test_the_file_has_the_pages_nonce() -> None:
    request = RequestFactory().get("/")
    request.csp_nonce = "n0"  # type: ignore[attr-defined]
    found = parsed(str(pixel_text(request)))
    assert [a.get("nonce") for a in found.attributes if "src" in a] == ["n0", "n0"]


def test_the_tag_twice_brings_the_file_once() -> None:
    text = html(RequestFactory().get("/"), "{% tiktok_pixel %}{% tiktok_event 'Contact' %}")
    assert files(text) == FILES
    assert [names(block) for block in blocks_of(text)] == [[], [], ["Contact"]]


def gate_of(page: HttpResponse | str) -> dict[str, Any]:
    found = parsed(page if isinstance(page, str) else page.content.decode())
    (text,) = [text for a, text in zip(found.attributes, found.scripts, strict=True) if a.get("id") == "tiktok-gate"]
    rule: dict[str, Any] = json.loads(text)
    return rule


def test_the_gate_has_the_signals_that_the_settings_heed(configure: Any) -> None:
    configure(ON_GPC="limited_data_use", ON_DNT="ignore")
    rule = gate_of(str(pixel_text(None)))
    assert (rule["gpc"], "dnt" in rule, "consent" in rule) == ("limited_data_use", False, False)


def test_the_gate_has_the_consent_tools_cookie_and_the_same_text_for_all(configure: Any, client: Client) -> None:
    configure(CONSENT={"cookie": "choice", "granted": "yes", "denied": "no"})
    pages = [client.get("/page/"), client.get("/page/", HTTP_COOKIE="choice=no")]
    assert gate_of(pages[0])["consent"]["cookie"] == "choice"
    assert pages[0].content == pages[1].content


def test_an_answer_that_only_the_server_knows_makes_the_page_private(configure: Any, client: Client) -> None:
    configure(CONSENT=lambda request: "choice" in request.COOKIES)
    asked, agreed = client.get("/page/"), client.get("/page/", HTTP_COOKIE="choice=1")
    assert (gate_of(asked)["state"], gate_of(agreed)["state"]) == ("denied", "granted")
    assert "private" in asked["Cache-Control"]


def test_nobody_is_asked_and_nothing_heeded_so_there_is_no_gate(configure: Any) -> None:
    configure(ON_GPC="ignore", ON_DNT="ignore")
    assert files(str(pixel_text(None))) == FILES[1:]


def test_standard_mode_has_the_pixel_and_keeps_quiet(configure: Any) -> None:
    configure(MODE="standard")
    text = html(RequestFactory().get("/"), '<p {% tiktok_action "Contact" %}>{% tiktok_event "Contact" %}')
    assert block_of(text)["quiet"] is True
    assert "tiktok-action" not in text


@pytest.mark.django_db
def test_what_waits_is_in_the_block_with_its_receipt(client: Client) -> None:
    page = client.post("/lead/", follow=True)
    block = block_of(page)
    assert block["calls"] == [
        {"event": "Lead", "properties": {"value": 5, "currency": "EUR"}, "event_id": "lead-1"},
    ]
    assert block["receipt"]
    assert "private" in page["Cache-Control"]


@pytest.mark.django_db
def test_receipts_can_be_switched_off(client: Client, configure: Any) -> None:
    configure(BROWSER_RECEIPTS=False)
    assert "receipt" not in block_of(client.post("/lead/", follow=True))


@pytest.mark.django_db
@pytest.mark.privacy
@pytest.mark.parametrize("wanted", [True, False])
def test_identify_comes_before_the_event_it_is_for(client: Client, configure: Any, wanted: bool) -> None:
    configure(USER_MATCHING=wanted)
    client.force_login(User.objects.create(username="ada", email="ada@example.com"))
    calls = block_of(client.post("/lead/", follow=True))["calls"]
    assert [call.get("event", "identify") for call in calls] == ["identify", "Lead"][not wanted :]
    if wanted:
        assert calls[0]["identify"]["sha256_email"] == email_sha256("ada@example.com")


@given(anything)
def test_nothing_breaks_out_of_a_block_or_an_attribute(value: Any) -> None:
    body = (
        "{% tiktok_event 'Search' search_string=value description=value own=value %}"
        "<i {% tiktok_action 'Search' search_string=value description=value own=value %}></i>"
    )
    text = html(RequestFactory().get("/"), body, value=value)
    found = parsed(text)
    assert found.others.count("i") == 1
    assert set(found.others) <= {"title", "Page", "link", "body", "i"}
    for block in blocks_of(text):
        assert set(block) <= {"pixels", "host", "options", "url", "calls"}


def test_an_action_without_the_script_is_told_of(configure: Any, caplog: pytest.LogCaptureFixture) -> None:
    configure(PAGE_SCRIPT=False)
    assert "tiktok-action" not in html(RequestFactory().get("/"), '<p {% tiktok_action "Contact" %}>')
    assert "PAGE_SCRIPT" in caplog.text
    configure(PAGE_SCRIPT=False, STRICT=True)
    with pytest.raises(InvalidEvent):
        html(RequestFactory().get("/"), '<p {% tiktok_action "Contact" %}>')


def test_a_problem_in_an_action_costs_the_action_not_the_page(caplog: pytest.LogCaptureFixture) -> None:
    text = html(RequestFactory().get("/"), '<p {% tiktok_action "Buy it" value=-1 allow="value" %}>here')
    assert "here" in text
    assert "left out" in caplog.text


@pytest.mark.django_db
def test_htmx_gets_it_in_its_trigger_beside_the_views_own(client: Client) -> None:
    response = client.post("/lead-json/", **HTMX)  # type: ignore[arg-type]
    events = json.loads(response["HX-Trigger"])
    assert list(events) == ["saved", "tiktok:events"]
    assert names(events["tiktok:events"]) == ["Lead"]
    assert "private" in response["Cache-Control"]
    assert OutboxEvent.objects.get().browser_at is not None
    assert COOKIE not in client.cookies


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("existing", "kept"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b", ["a", "b"]),
        ('{"a": {"x": 1}}', ["a"]),
    ],
)
def test_what_the_view_triggers_is_kept(existing: str, kept: list[str]) -> None:
    assert list(json.loads(_with_trigger(existing, "{}"))) == [*kept, "tiktok:events"]


@pytest.mark.django_db
def test_a_trigger_that_can_not_be_read_is_left_alone(client: Client) -> None:
    assert _with_trigger("{broken", "{}") == ""


@pytest.mark.django_db
def test_a_boosted_page_has_it_in_the_header_for_htmx_drops_the_head(client: Client) -> None:
    page = client.post("/lead/", follow=True, **HTMX)  # type: ignore[arg-type]
    assert "calls" not in block_of(page)
    assert names(json.loads(page["HX-Trigger"])["tiktok:events"]) == ["Lead"]


@pytest.mark.django_db
def test_a_page_that_htmx_restores_leaves_it_for_the_next(client: Client) -> None:
    client.post("/lead/")
    restored = {**HTMX, "HTTP_HX_HISTORY_RESTORE_REQUEST": "true"}
    page = client.get("/page/", **restored)  # type: ignore[arg-type]
    assert "calls" not in block_of(page)
    assert not page.has_header("HX-Trigger")
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
def test_a_fetch_that_asks_gets_it_in_a_header_of_its_own(client: Client) -> None:
    response = client.post("/lead-json/", HTTP_X_TIKTOK_EVENTS="1")
    assert names(json.loads(response["X-TikTok-Events"])) == ["Lead"]
    assert response["HX-Trigger"] == "saved"


@pytest.mark.django_db
def test_a_fetch_that_does_not_ask_leaves_it_waiting(client: Client) -> None:
    response = client.post("/lead-json/")
    assert not response.has_header("X-TikTok-Events")
    assert client.cookies[MARKER].value == "1"
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["redirect", "raise", "error"])
def test_an_answer_that_nobody_reads_leaves_it_waiting(client: Client, kind: str) -> None:
    client.post("/lead/")
    client.raise_request_exception = False
    response = client.get("/thrown-away/", {"as": kind}, HTTP_X_TIKTOK_EVENTS="1")
    assert not response.has_header("X-TikTok-Events")
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{"HTTP_HX_PRELOADED": "true"}, {"HTTP_SEC_PURPOSE": "prefetch"}])
def test_an_answer_that_htmx_only_may_show_leaves_it_waiting(client: Client, headers: dict[str, str]) -> None:
    client.post("/lead/")
    page = client.get("/page/", **{**HTMX, **headers})  # type: ignore[arg-type]
    assert not page.has_header("HX-Trigger")
    assert "calls" not in block_of(page)
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
def test_a_page_that_htmx_leaves_at_once_leaves_it_to_the_next(client: Client) -> None:
    response = client.post("/lead-and-leave/", **HTMX)  # type: ignore[arg-type]
    assert not response.has_header("HX-Trigger")
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
def test_more_than_a_header_holds_waits(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_response, "MOST_HEADER_CHARACTERS", 150)
    client.post("/lead/")
    response = client.get("/json/", HTTP_X_TIKTOK_EVENTS="1")
    assert not response.has_header("X-TikTok-Events")
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
def test_an_api_hands_over_in_a_field(client: Client) -> None:
    client.post("/lead/")
    assert names(client.get("/waiting/").json()["tiktok"]) == ["Lead"]
    assert client.get("/waiting/").json()["tiktok"] == {}
    assert "calls" not in block_of(client.get("/page/"))


@pytest.mark.django_db
def test_an_api_that_fails_leaves_it_waiting(client: Client) -> None:
    client.post("/lead/")
    client.get("/waiting/", {"status": 500})
    assert names(block_of(client.get("/page/"))) == ["Lead"]


@pytest.mark.django_db
def test_the_marker_is_set_for_the_script_alone(client: Client, configure: Any) -> None:
    configure(PAGE_SCRIPT=False)
    client.post("/lead/")
    assert MARKER not in client.cookies


def test_an_ordinary_fetch_has_nothing_to_do(client: Client) -> None:
    response = client.get("/json/", HTTP_X_TIKTOK_EVENTS="1")
    assert not response.has_header("X-TikTok-Events")
    assert not response.has_header("Cache-Control")


def test_an_ordinary_page_of_the_script_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pixel_text(RequestFactory().get("/"))
    assert pixel_text(RequestFactory().get("/other/")) is first


def test_without_a_request_it_is_whole() -> None:
    assert files(str(pixel_text(None))) == FILES
