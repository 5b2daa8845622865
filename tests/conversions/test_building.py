"""What the settings make of an event: slips of its name are logged once, and its page is where SITE_URL says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from tiktok_attribution import track
from tiktok_attribution.conversions import building
from tiktok_attribution.conversions.building import SEEN_AS_HTTP, build_event
from tiktok_attribution.events import Page, User
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.assertions import recorded


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As in a process that has logged nothing yet."""
    building._warn_of_a_slip.cache_clear()
    yield
    building._warn_of_a_slip.cache_clear()


def page_of(address: str) -> tuple[str, list[str]]:
    event, notes = build_event(
        "Contact", event_id="one", event_time=None, user=User(), page=Page(url=address), properties={}
    )
    return event.page.url, notes


@pytest.mark.parametrize(("name", "meant"), [("Purchse", "Purchase"), ("Purchased", "Purchase"), ("Leads", "Lead")])
def test_a_slip_in_a_template_is_logged_once(caplog: pytest.LogCaptureFixture, name: str, meant: str) -> None:
    template = Template("{% load tiktok_attribution %}{% tiktok_event '" + name + "' %}")
    for _ in range(3):
        assert f'ttq.track("{name}"' in template.render(Context())
    (warning,) = caplog.records
    assert warning.getMessage().startswith(f'tiktok: "{name}" is no standard event')
    assert f'did you mean "{meant}"?' in warning.getMessage()


@pytest.mark.django_db
def test_a_slip_in_a_view_is_logged_once_and_recorded(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "SITE_URL": "https://shop.example"}
    for _ in range(3):
        track(None, "Purchased")
    assert caplog.text.count('did you mean "Purchase"?') == 1
    assert OutboxEvent.objects.filter(name="Purchased").count() == 3


def test_who_silences_the_check_silences_the_log(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.SILENCED_SYSTEM_CHECKS = ["tiktok_attribution.W011"]
    Template("{% load tiktok_attribution %}{% tiktok_event 'Purchased' %}").render(Context())
    assert caplog.records == []


def test_an_event_of_ones_own_is_no_slip(caplog: pytest.LogCaptureFixture) -> None:
    Template("{% load tiktok_attribution %}{% tiktok_event 'PurchaseRefund' %}").render(Context())
    assert caplog.records == []


@pytest.mark.parametrize(
    ("site_url", "seen", "sent"),
    [
        ("https://shop.example", "http://shop.example/cart/?ttclid=x", "https://shop.example/cart/?ttclid=x"),
        ("https://Shop.example:8443", "http://shop.example:8443/", "https://shop.example:8443/"),
        ("https://shop.example/de", "http://shop.example/fr/", "https://shop.example/fr/"),
    ],
)
def test_a_page_behind_a_proxy_that_ends_tls_has_the_scheme_of_the_site(
    settings: Any, site_url: str, seen: str, sent: str
) -> None:
    settings.TIKTOK_ATTRIBUTION = {"SITE_URL": site_url}
    assert page_of(seen) == (sent, [SEEN_AS_HTTP])


@pytest.mark.parametrize(
    ("site_url", "seen"),
    [
        ("https://shop.example", "https://shop.example/"),
        ("https://shop.example", "http://other.example/"),
        ("https://shop.example", "http://shop.example.net/"),
        ("https://shop.example", "http://shop.example:8000/"),
        ("http://shop.example", "http://shop.example/"),
        ("http://shop.example", "https://shop.example/"),
        ("", "http://shop.example/"),
    ],
)
def test_any_other_page_stays_as_it_was_seen(settings: Any, site_url: str, seen: str) -> None:
    settings.TIKTOK_ATTRIBUTION = {"SITE_URL": site_url}
    assert page_of(seen) == (seen, [])


@pytest.mark.django_db
def test_a_visitors_event_says_why_its_page_is_at_https(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "SITE_URL": "https://testserver"}
    track(RequestFactory().get("/cart/", secure=False), "Contact")
    (event,) = recorded("Contact")
    assert event["page"]["url"] == "https://testserver/cart/"
    assert "SECURE_PROXY_SSL_HEADER" in event["note"]
