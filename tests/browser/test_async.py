"""Async views: `atrack`, tags in templates that the event loop renders, and what `track` says where it can't work."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import RequestContext, Template
from django.test import AsyncClient
from django.urls import path

from tests.browser.reading import tracked
from tests.shop.models import Order
from tiktok_attribution import atrack, paused, pending_events, track
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

SITE = {"SITE_URL": "https://shop.example"}
AGENT = "Firefox of Ada"
PURCHASE = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}


def rendered(request: HttpRequest, body: str = "", **values: Any) -> HttpResponse:
    text = "{% load tiktok_attribution %}<html><head>{% tiktok_pixel %}</head>" + body
    return HttpResponse(Template(text).render(RequestContext(request, values)))


async def lead(request: HttpRequest) -> HttpResponse:
    await atrack(request, "Lead", event_id="lead-1", value=5, currency="EUR")
    return rendered(request)


async def lead_json(request: HttpRequest) -> JsonResponse:
    await atrack(request, "Lead", event_id="lead-1")
    return JsonResponse({"tiktok": pending_events(request)})


async def held_back(request: HttpRequest) -> HttpResponse:
    with paused():
        await atrack(request, "Lead")
    return rendered(request)


async def without_await(request: HttpRequest) -> HttpResponse:
    track(request, "Lead")
    return rendered(request)


async def server_tag(request: HttpRequest) -> HttpResponse:
    return rendered(request, '{% tiktok_event "Contact" server=True event_id="contact-1" %}')


async def order_tag(request: HttpRequest) -> HttpResponse:
    order = await Order.objects.aget()
    return rendered(request, "{% tiktok_event order %}", order=order)


async def streamed(request: HttpRequest) -> StreamingHttpResponse:
    await atrack(request, "Lead", event_id="lead-1")

    async def parts() -> AsyncIterator[str]:
        yield "<html>"
        await atrack(request, "Contact", event_id="contact-1")
        yield rendered(request).content.decode()

    return StreamingHttpResponse(parts())


async def page(request: HttpRequest) -> HttpResponse:
    return rendered(request)


VIEWS = (lead, lead_json, held_back, without_await, server_tag, order_tag, streamed, page)
urlpatterns = [path(f"{view.__name__}/", view) for view in VIEWS]


def async_only(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A middleware that can't be run by a thread."""
    assert iscoroutinefunction(get_response)

    async def middleware(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)
        return await get_response(request)  # type: ignore[no-any-return]

    return markcoroutinefunction(middleware)


async_only.sync_capable, async_only.async_capable = False, True  # type: ignore[attr-defined]
ASYNC_ONLY = "tests.browser.test_async.async_only"


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.browser.test_async"
    settings.MIDDLEWARE = [ASYNC_ONLY, "tiktok_attribution.middleware.AttributionMiddleware", ASYNC_ONLY]


def visit(*addresses: str) -> list[HttpResponse]:
    """One visitor's pages, by ASGI."""

    async def ask() -> list[HttpResponse]:
        client = AsyncClient()
        return [await client.get(f"/{address}/", headers={"user-agent": AGENT}) for address in addresses]

    return async_to_sync(ask)()


def test_an_async_view_tells_both_channels() -> None:
    first, second = visit("lead", "page")
    assert (tracked(first), tracked(second)) == (["Lead"], [])
    (event,) = OutboxEvent.objects.all()
    assert AGENT in event.payload
    assert event.browser_at is not None


def test_an_async_view_hands_over_in_a_field_of_its_answer() -> None:
    answer, after = visit("lead_json", "page")
    assert '"Lead"' in answer.content.decode()
    assert tracked(after) == []


def test_the_pause_reaches_the_thread_that_records() -> None:
    visit("held_back")
    assert not OutboxEvent.objects.exists()


def test_what_the_site_waits_for_is_what_track_gives() -> None:
    recorded = async_to_sync(atrack)(None, "Lead", event_id="lead-1", page_url="https://shop.example/")
    again = async_to_sync(atrack)(None, "Lead", event_id="lead-1", page_url="https://shop.example/")
    assert (recorded, again) == (["lead-1"], [])


def test_track_in_an_event_loop_names_the_call_that_works(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        visit("without_await")
    assert "await atrack(request" in caplog.text
    assert "backfill" not in caplog.text
    assert not OutboxEvent.objects.exists()


def test_track_in_an_event_loop_raises_in_tests(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "STRICT": True}
    with pytest.raises(SynchronousOnlyOperation, match="await atrack"):
        visit("without_await")


@pytest.mark.privacy
def test_an_error_of_atrack_holds_no_value_of_its_frames(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "STRICT": True}

    async def ask() -> list[str]:
        try:
            await atrack(None, "Lead", user={"email": "ada@example.com"}, channels="neither")
        except InvalidEvent as error:
            frames = list(traceback.walk_tb(error.__traceback__))[1:]  # the first is this test's own
            return [repr(frame.f_locals) for frame, _line in frames]
        raise AssertionError

    assert "ada@example.com" not in "".join(async_to_sync(ask)())


def test_a_tag_in_an_async_template_records_and_the_next_page_shows_it() -> None:
    first, second, third = visit("server_tag", "page", "page")
    assert "private" in first["Cache-Control"]
    assert [tracked(one) for one in (first, second, third)] == [[], ["Contact"], []]
    assert OutboxEvent.objects.get().name == "Contact"


def test_an_object_in_an_async_template_is_shown_by_the_next_page(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"shop.Order": PURCHASE}, **SITE}
    Order.objects.create(total="19.90", currency="EUR", status="paid")
    first, second, third = visit("order_tag", "page", "page")
    assert [tracked(one) for one in (first, second, third)] == [[], ["Purchase"], []]


def agree(request: HttpRequest) -> HttpResponse:
    request.session["ads"] = True
    return HttpResponse()


def sync_page(request: HttpRequest) -> HttpResponse:
    return rendered(request)


urlpatterns += [path("agree/", agree), path("sync_page/", sync_page)]


def by_session(request: HttpRequest) -> bool | None:
    answer: bool | None = request.session.get("ads")
    return answer


@pytest.mark.parametrize("consent", [{"session": "ads"}, by_session], ids=["session", "callable"])
def test_an_async_page_knows_the_answer_that_lies_in_the_session(
    settings: Any, caplog: pytest.LogCaptureFixture, consent: Any
) -> None:
    settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", *settings.MIDDLEWARE]
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONSENT": consent, **SITE}
    _, agreed = visit("agree", "page")
    (stranger,) = visit("page")
    assert '"state":"granted"' in agreed.content.decode()
    assert '"state":"unknown"' in stranger.content.decode()
    assert "CONSENT failed" not in caplog.text


def test_such_an_object_is_shown_later_where_the_session_holds_the_answer(settings: Any) -> None:
    settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", *settings.MIDDLEWARE]
    declared = {
        "CONVERSIONS": {"shop.Order": {**PURCHASE, "consent": {"constant": True}}},
        "CONSENT": {"session": "ads"},
        **SITE,
    }
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **declared}
    Order.objects.create(total="19.90", currency="EUR", status="paid")
    *_, after = visit("agree", "order_tag", "sync_page")
    assert tracked(after) == ["Purchase"]


def test_a_stream_that_records_keeps_what_the_view_recorded_for_the_next_page() -> None:
    async def ask() -> tuple[str, HttpResponse]:
        client = AsyncClient()
        stream = await client.get("/streamed/")
        text = b"".join([part async for part in stream.streaming_content]).decode()
        return text, await client.get("/page/")

    text, after = async_to_sync(ask)()
    assert tracked(text) == []
    assert tracked(after) == ["Lead"]
    assert set(OutboxEvent.objects.values_list("name", flat=True)) == {"Lead", "Contact"}


def test_an_event_without_an_object_is_not_promised_to_the_backfill(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **more: object) -> None:
        raise RuntimeError("no table")

    monkeypatch.setattr("tiktok_attribution.delivery.outbox.add", broken)
    track(None, "Lead", page_url="https://shop.example/")
    assert "could not be recorded" in caplog.text
    assert "backfill" not in caplog.text
