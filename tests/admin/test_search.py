"""The search over the events: each way, and what is never written into an address or a log."""

from __future__ import annotations

import html
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.test import Client
from django.urls import reverse
from django.views.debug import ExceptionReporter

from tests.admin.samples import EMAIL, with_settings
from tiktok_attribution.admin.list_query import person_text
from tiktok_attribution.events.hashing import email_sha256, search_key

Make = Callable[..., Any]
KEY = search_key(EMAIL)
TYPED = "ann@example.com"  # up here, for a report quotes the lines around what raised


@pytest.fixture
def search(boss: Client) -> Callable[[str], Any]:
    """Types into the form and follows where it leads."""
    return lambda typed: boss.post(reverse("admin:tiktok_attribution_event_search"), {"typed": typed}, follow=True)


def pks(response: Any) -> list[int]:
    return [event.pk for event in response.context["cl"].result_list]


def led_to(response: Any) -> str:
    return str(response.redirect_chain[-1][0])


def test_the_whole_event_id_is_found(search: Any, event: Make) -> None:
    event(event_id="order-420")
    wanted = event(event_id="order-42")

    assert pks(search(" order-42 ")) == [wanted.pk]


def test_the_key_of_a_declared_object_is_found(search: Any, event: Make, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(CONVERSIONS={"shop.Order": {"event": "Purchase"}})
    event(object_label="shop.Order", object_pk="420")
    wanted = event(object_label="shop.Order", object_pk="42")

    assert pks(search("42")) == [wanted.pk]


def test_an_object_is_found_whose_declaration_has_gone(search: Any, event: Make) -> None:
    wanted = event(object_label="shop.Booking", object_pk="42")

    assert pks(search("42")) == [wanted.pk]


def test_the_events_of_a_request_are_found(search: Any, event: Make, attempt: Make) -> None:
    first, between, last = event(), event(), event()
    attempt(first, last, request_id="202303141300390EF6")
    attempt(between, request_id="another")

    assert pks(search("202303141300390EF6")) == [last.pk, first.pk]


def test_what_has_been_tried_again_since_is_found(search: Any, event: Make, attempt: Make) -> None:
    tried = event()
    attempt(tried, request_id="early")
    attempt(tried, request_id="late")

    assert pks(search("early")) == [tried.pk]


@pytest.mark.parametrize("typed", ["ann@example.com", " Ann@Example.COM ", EMAIL, EMAIL.upper()])
def test_an_email_address_or_its_hash_finds_the_persons_events(search: Any, event: Make, typed: str) -> None:
    event(email_key=search_key(email_sha256("bob@example.com") or ""))
    first, second = event(email_key=KEY), event(email_key=KEY)

    assert pks(search(typed)) == [second.pk, first.pk]


@pytest.mark.privacy
def test_an_email_address_stands_in_no_address_page_or_log(
    search: Any, event: Make, caplog: pytest.LogCaptureFixture
) -> None:
    event(email_key=KEY)
    caplog.set_level(logging.DEBUG)

    response = search("ann@example.com")

    assert led_to(response).endswith(f"?person={person_text(KEY or 0)}")
    assert "example.com" not in response.content.decode()
    assert "ann@" not in caplog.text
    assert EMAIL not in led_to(response)


@pytest.mark.privacy
@pytest.mark.parametrize("typed", ["ann@example", "ann@", "@", "ann@example.com, bob@example.com"])
def test_what_is_no_whole_email_address_goes_nowhere(search: Any, event: Make, typed: str) -> None:
    event()

    response = search(typed)

    assert "?" not in led_to(response)
    assert [str(message) for message in response.context["messages"]] == [
        "That is no whole e-mail address, so nothing was looked for."
    ]
    assert typed not in response.content.decode() or typed == "@"


@pytest.mark.privacy
def test_an_email_address_in_the_address_is_neither_looked_for_nor_shown(
    boss: Client, event: Make, list_address: str
) -> None:
    event(email_key=KEY)

    page = boss.get(list_address, {"q": "ann@example.com"})

    assert pks(page) == []
    assert "Enter the e-mail address in the field above" in page.content.decode()
    assert 'value="ann@example.com"' not in page.content.decode()


@pytest.mark.parametrize("person", ["x", "123", "ffffffffffffffffff", "%00"])
def test_a_made_up_key_of_a_person_leads_back(boss: Client, list_address: str, person: str) -> None:
    assert boss.get(list_address, {"person": person}).status_code == 302


def test_an_email_address_without_events_says_why(search: Any, event: Make) -> None:
    event()

    text = search("ann@example.com").content.decode()

    assert "No event with this e-mail address" in text
    assert "Hashes are kept for 14 days" in text


def test_a_term_without_events_names_the_sites_own_search(search: Any, event: Make, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(CONVERSIONS={"auth.User": {"event": "CompleteRegistration"}})
    event()

    text = search("2025-17").content.decode()

    assert "The search finds only whole ids" in text
    assert '<a href="/admin/auth/user/?q=2025-17">users</a>' in text


def test_an_empty_search_shows_all(search: Any, event: Make) -> None:
    shown = event()

    response = search("  ")

    assert led_to(response) == reverse("admin:tiktok_attribution_outboxevent_changelist")
    assert pks(response) == [shown.pk]


def test_the_search_is_a_form_by_post(boss: Client, event: Make, list_address: str) -> None:
    event()

    text = boss.get(list_address).content.decode()

    assert '<form id="changelist-search" method="post" action="/admin/tiktok_attribution/outboxevent/search/"' in text
    assert boss.get(reverse("admin:tiktok_attribution_event_search")).status_code == 405


def test_found_events_have_pages_too(
    boss: Client, event: Make, list_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_attribution.admin.events.OutboxEventAdmin.list_per_page", 2)
    made = [event(email_key=KEY) for _ in range(3)]
    address = f"{list_address}?person={person_text(KEY or 0)}"

    first = boss.get(address)
    second = boss.get(list_address + first.context["cl"].older)
    back = boss.get(list_address + second.context["cl"].newer)

    assert [pks(page) for page in (first, second, back)] == [
        [made[2].pk, made[1].pk],
        [made[0].pk],
        [made[2].pk, made[1].pk],
    ]


@pytest.mark.privacy
def test_an_error_report_of_the_search_holds_no_email_address(
    client_of: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[str] = []

    def report(request: Any, **kwargs: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_text() + reporter.get_traceback_html())

    monkeypatch.setattr("tiktok_attribution.admin.event_list.search_key", lambda sha256: 1 / 0)
    client = client_of("superuser", raise_request_exception=False)

    got_request_exception.connect(report)
    try:
        client.post(reverse("admin:tiktok_attribution_event_search"), {"typed": TYPED})
    finally:
        got_request_exception.disconnect(report)

    (told,) = reports
    assert "ZeroDivisionError" in told
    assert TYPED not in html.unescape(told)
