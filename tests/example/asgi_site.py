"""Async views beside those of the example shop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import RequestContext, Template
from django.urls import include, path

from tiktok_attribution import atrack, pending_events
from tiktok_attribution.models import OutboxEvent

PAGE = "{% load tiktok_attribution %}<html><head>{% tiktok_pixel %}</head><body>Thank you</body></html>"


def async_only(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    async def middleware(request: HttpRequest) -> HttpResponse:
        return await get_response(request)  # type: ignore[no-any-return]

    return markcoroutinefunction(middleware)


async_only.sync_capable, async_only.async_capable = False, True  # type: ignore[attr-defined]


def rendered(request: HttpRequest) -> str:
    return Template(PAGE).render(RequestContext(request))


async def lead(request: HttpRequest) -> HttpResponse:
    await atrack(request, "Lead", event_id="lead-1", value=5, currency="EUR")
    return HttpResponse(rendered(request))


async def contact(request: HttpRequest) -> JsonResponse:
    await atrack(request, "Contact", event_id="contact-1")
    return JsonResponse(pending_events(request))


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    await atrack(request, "Subscribe", event_id="subscribe-1")

    async def parts() -> AsyncIterator[str]:
        yield "<html>"
        yield "</html>"

    return StreamingHttpResponse(parts())


async def recorded(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"names": [event.name async for event in OutboxEvent.objects.order_by("pk")]})


urlpatterns = [
    path("async/lead/", lead),
    path("async/contact/", contact),
    path("async/stream/", stream),
    path("async/recorded/", recorded),
    path("", include("example.urls")),
]
