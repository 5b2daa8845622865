"""Looking at the front page changes nothing: the diagnosis is a GET, and the doctor says that it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.test import Client
from django.urls import path

from tests.admin.samples import with_settings
from tests.shop.models import Member, Order
from tiktok_attribution import tasks, track
from tiktok_attribution.conversions.recorder import is_paused
from tiktok_attribution.models import Heartbeat, HourlyStatistics, OutboxEvent
from tiktok_attribution.visitor.permission import INSPECTION

pytestmark = [pytest.mark.hostile, pytest.mark.django_db(transaction=True)]
PURCHASE = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}
TEXT = """{% load tiktok_attribution %}<!doctype html><head>{% tiktok_pixel %}</head>
{% tiktok_event "Contact" server=True %}{% tiktok_event order %}{% tiktok_event earlier %}"""

done: list[str] = []


def busy(request: HttpRequest) -> HttpResponse:
    """A front page that does everything at once."""
    track(request, "ViewContent", value=1, currency="EUR")
    order = Order.objects.create(status="paid", total=5, currency="EUR")
    Order.objects.create(status="new", total=5, currency="EUR")  # whose visitor would be kept
    request.session["seen"] = 1
    request.session.save()
    transaction.on_commit(lambda: done.append("committed"))
    done.append("rendered")
    context = {"order": order, "earlier": Order.objects.filter(email="earlier").first() or "Contact"}
    return HttpResponse(Template(TEXT).render(RequestContext(request, context)))


def broken(request: HttpRequest) -> HttpResponse:
    """A page that fails after it has written."""
    track(request, "ViewContent")
    Member.objects.create(email="ann@example.com")
    raise RuntimeError


def site(front: Callable[..., HttpResponse]) -> Any:
    return type("Site", (), {"urlpatterns": [path("", front), path("admin/", admin.site.urls)]})


BUSY, BROKEN = site(busy), site(broken)


@pytest.fixture(autouse=True)
def front_page(settings: Any) -> None:
    done.clear()
    settings.ROOT_URLCONF = BUSY
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver", CONVERSIONS={"shop.Order": PURCHASE})


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(tasks, "wake_worker", lambda pixel_code, using: told.append(pixel_code))
    return told


def rows() -> dict[str, list[Any]]:
    """Every row of every table but those that say who runs."""
    models = [model for model in apps.get_models() if model is not Heartbeat and not model._meta.proxy]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def doctor() -> str:
    out = StringIO()
    try:
        call_command("tiktok_doctor", stdout=out, no_color=True)
    except CommandError as error:
        out.write(str(error))
    return out.getvalue()


@pytest.fixture
def page(admin_client: Client) -> Callable[[], str]:
    admin_client.get("/admin/tiktok_attribution/")  # who signs in leaves rows
    admin_client.raise_request_exception = False  # it hears of the inner request's too

    def read() -> str:
        return admin_client.get("/admin/tiktok_attribution/diagnosis/").content.decode()

    return read


@pytest.fixture(params=["page", "doctor"])
def look(request: pytest.FixtureRequest) -> Callable[[], str]:
    return doctor if request.param == "doctor" else request.getfixturevalue("page")


def test_a_front_page_that_records_leaves_no_row_and_no_wake_up(look: Callable[[], str], hints: list[str]) -> None:
    before = rows()

    said = look()

    assert "The page https://testserver/ carries the tag." in said
    assert rows() == before
    assert (hints, done) == ([], ["rendered"])
    assert not connection.in_atomic_block
    assert not is_paused()


def test_an_event_of_an_object_on_it_is_not_shown(look: Callable[[], str]) -> None:
    Order.objects.create(status="paid", total=5, currency="EUR", email="earlier")

    look()

    assert OutboxEvent.objects.get().browser_at is None


def test_a_page_that_fails_leaves_no_row_either(look: Callable[[], str], settings: Any, hints: list[str]) -> None:
    settings.ROOT_URLCONF = BROKEN
    before = rows()

    assert "HTTP 500" in look()
    assert (rows(), hints) == (before, [])


def test_in_a_transaction_of_its_own_it_is_the_same(look: Callable[[], str], hints: list[str]) -> None:
    before = rows()
    with transaction.atomic():
        kept = Member.objects.create(email="kept@example.com")
        look()

    assert Member.objects.filter(pk=kept.pk).exists()
    kept.delete()
    assert (rows(), hints, done) == (before, [], ["rendered"])


@pytest.mark.parametrize("more", [{"PAGE_SCRIPT": True}, {"CONSENT": lambda request: True}, {"IS_VISITOR": bool}])
def test_whatever_the_settings_it_is_no_visitors_page(settings: Any, more: dict[str, Any], hints: list[str]) -> None:
    settings.TIKTOK_ATTRIBUTION |= more
    before = rows()

    assert "carries the tag" in doctor()
    assert (rows(), hints) == (before, [])


def test_a_visitor_of_the_same_page_is_recorded(client: Client) -> None:
    client.get("/")

    assert OutboxEvent.objects.filter(name="ViewContent").exists()
    assert "committed" in done


def test_no_header_says_that_a_request_is_an_inspection(client: Client) -> None:
    for name in (INSPECTION, INSPECTION.replace(".", "-"), INSPECTION.upper()):
        client.get("/", headers={name: "1"})

    assert OutboxEvent.objects.filter(name="ViewContent").count() == 3
    assert not HourlyStatistics.objects.exists()
