"""URLs of a shop whose orders are made, paid and failed in every way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.conversions.samples import with_line
from tests.shop.models import Order
from tests.visitor.undone import rolled_back
from tiktok_attribution import track
from tiktok_attribution.visitor.visitor import visitor_of

# A site of its own: whoever reads the pages of the default one sees no shop there.
shop_admin = admin.AdminSite()
shop_admin.register(Order)

meeting: list[asyncio.Event] = []  # one for each visitor that has come


def checkout(request: HttpRequest) -> HttpResponse:
    order = Order.objects.create(status=request.GET.get("status", "new"), total=5)
    return HttpResponse(str(order.pk))


def thanks(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        Template("{% load tiktok_attribution %}{% tiktok_pixel %}").render(Context({"request": request}))
    )


def growing(request: HttpRequest) -> HttpResponse:
    """A paid order and its lines, each committed by itself; with `save` the order is saved after each line."""
    order = Order.objects.create(status="paid", total=5)
    for number in range(int(request.GET.get("lines", 1))):
        with_line(order, f"sku {number}")
        if "save" in request.GET:
            order.save()
    if "dies" in request.GET:
        raise KeyboardInterrupt
    return HttpResponse(str(order.pk))


async def growing_async(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(growing)(request)


def grown_before(request: HttpRequest) -> HttpResponse:
    """Lines first, then paid; then one more."""
    order = with_line(Order.objects.create(total=5), "sku 0")
    order.status = "paid"
    order.save()
    with_line(order, "sku 1")
    return HttpResponse(str(order.pk))


def pay(request: HttpRequest) -> HttpResponse:
    order = Order.objects.get(pk=request.GET["order"])
    order.status = "paid"
    order.save()
    return HttpResponse("paid")


def failing(request: HttpRequest) -> HttpResponse:
    """The order is rolled back, the page is shown all the same."""
    with rolled_back():
        Order.objects.create(status=request.GET.get("status", "paid"), total=5)
    visitor = visitor_of(request)
    return HttpResponse(f"{len(visitor.to_show)} {len(visitor.to_watch)}")


def by_hand(request: HttpRequest) -> HttpResponse:
    recorded = track(request, "AddToCart", value=5, currency="EUR", event_id=request.GET.get("id"))
    return HttpResponse(str(bool(recorded)))


async def slow_checkout(request: HttpRequest) -> HttpResponse:
    """Makes its order only when a second visitor has come as far."""
    meeting.append(asyncio.Event())
    if len(meeting) == 1:
        await asyncio.wait_for(meeting[0].wait(), timeout=20)
    meeting[0].set()
    order = Order(status="paid", total=5, email=request.GET["email"])
    await sync_to_async(order.save)()
    return HttpResponse(str(order.pk))


def _exempt(view: Callable[..., Any]) -> Callable[..., Any]:
    return csrf_exempt(view)


urlpatterns = [
    path("admin/", shop_admin.urls),
    path("checkout/", checkout),
    path("thanks/", thanks),
    path("growing/", growing),
    path("growing-async/", growing_async),
    path("grown-before/", grown_before),
    path("pay/", pay),
    path("failing/", failing),
    path("by-hand/", by_hand),
    path("slow-checkout/", slow_checkout),
    path("hooks/checkout/", _exempt(checkout)),
    path("hooks/pay/", _exempt(pay)),
    path("hooks/by-hand/", _exempt(by_hand)),
]
