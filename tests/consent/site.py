"""The site of the browser tests, with the address for consent banners."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from tests.browser.site import html
from tests.browser.site import urlpatterns as pages
from tests.shop.models import Order
from tiktok_attribution import track


def pay(request: HttpRequest) -> HttpResponse:
    """A payment provider's call: no cookie, another address."""
    order = Order.objects.get(pk=request.GET["order"])
    order.status = "paid"
    order.save()
    return HttpResponse("paid")


def contact(request: HttpRequest) -> HttpResponse:
    return HttpResponse(html(request, '{% tiktok_event "Contact" %}'))


def clinic(request: HttpRequest) -> HttpResponse:
    track(request, "ViewContent", contents=[{"content_id": "x"}])
    return HttpResponse(html(request))


@csrf_exempt
def app_lead(request: HttpRequest) -> HttpResponse:
    """An API for an app that signs in by a token: the event says by itself whose it is."""
    track(request, "Lead", event_id="lead-1", user={"email": "ada@example.com"}, consent=True)
    return HttpResponse()


@csrf_exempt
def app_order(request: HttpRequest) -> HttpResponse:
    """An order, paid at once (`?paid`), or by a second save of the same request (`?then`)."""
    status = "paid" if "paid" in request.GET else "new"
    order = Order.objects.create(total=5, email="ada@example.com", status=status)
    if "then" in request.GET:
        order.status = "paid"
        order.save()
    return HttpResponse(str(order.pk))


@csrf_exempt
def app_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(html(request, '{% tiktok_event "Contact" server=True %}'))


@csrf_exempt
async def async_lead(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(app_lead)(request)


@csrf_exempt
async def async_order(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(app_order)(request)


api = [
    path("app/lead/", app_lead),
    path("app/order/", app_order),
    path("app/page/", app_page),
    path("app/async-lead/", async_lead),
    path("app/async-order/", async_order),
    path("hooks/pay/", csrf_exempt(pay)),
]

urlpatterns = [
    *pages,
    *api,
    path("clinic/", include(api)),
    path("contact/", contact),
    path("clinic/", clinic),
    path("tiktok/", include("tiktok_attribution.urls")),
]
