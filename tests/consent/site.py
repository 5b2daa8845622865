"""The site of the browser tests, with the address for consent banners."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from tests.browser.site import html
from tests.browser.site import urlpatterns as pages
from tests.shop.models import Order
from tiktok_attribution.conversions.track import track


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


urlpatterns = [
    *pages,
    path("hooks/pay/", csrf_exempt(pay)),
    path("contact/", contact),
    path("clinic/", clinic),
    path("tiktok/", include("tiktok_attribution.urls")),
]
