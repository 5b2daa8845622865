"""A shop of a few pages, and browsers that land, sign in, buy and withdraw there. For tests from landing to report."""

from __future__ import annotations

import json
import time
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from tests.attribution.models import Sale
from tests.attribution.samples import REFUNDABLE, happened
from tiktok_attribution import track
from tiktok_attribution.attribution.report import Report, report
from tiktok_attribution.attribution.report_figures import Figures
from tiktok_attribution.attribution.report_query import ReportQuery
from tiktok_attribution.models import VisitorSnapshot

AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
FROM_TIKTOK = {"HTTP_REFERER": "https://www.tiktok.com/", "HTTP_USER_AGENT": AGENT}
ASKED = {"cookie": "tiktok_consent"}
JOINED = {**REFUNDABLE, "user": {"email": "email", "external_id": "customer"}}
BACKEND = "django.contrib.auth.backends.ModelBackend"


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!doctype html><title>Page</title>")


def buy(request: HttpRequest) -> HttpResponse:
    """An order that is paid at once; `?new` leaves the payment to the provider's call."""
    given = {name: request.GET[name] for name in ("email", "customer", "total", "currency") if name in request.GET}
    sale = Sale.objects.create(status="new" if "new" in request.GET else "paid", **{"total": "100.00", **given})
    return HttpResponse(str(sale.pk))


def pay(request: HttpRequest, key: int) -> HttpResponse:
    """The payment provider's call: another sender, without a cookie."""
    sale = Sale.objects.get(pk=key)
    sale.status = "paid"
    sale.save()
    return HttpResponse("paid")


def sign_in(request: HttpRequest) -> HttpResponse:
    login(request, get_user_model().objects.get(username=request.GET["as"]), backend=BACKEND)
    return HttpResponse("signed in")


def lead(request: HttpRequest) -> HttpResponse:
    track(request, "Lead", event_id=request.GET["id"])
    return HttpResponse("<!doctype html><title>Thanks</title>")


urlpatterns = [
    path("", page),
    path("shoes/", page),
    path("SHOES/", page),
    path("private/", page),
    path("buy/", buy),
    path("pay/<int:key>/", csrf_exempt(pay)),
    path("sign-in/", sign_in),
    path("lead/", lead),
    path("tiktok/", include("tiktok_attribution.urls")),
    path("admin/", admin.site.urls),
]


class Browser:
    """A browser whose visitor answered the banner; "" has not answered."""

    def __init__(self, answer: str = "granted") -> None:
        self.client = Client()
        if answer:
            self.client.cookies["tiktok_consent"] = answer

    def land(
        self, query: str = "ttclid=E.C.P.x", *, days: float = 0, to: str = "/", **headers: Any
    ) -> HttpResponseBase:
        """Open a page from TikTok, so many days ago."""
        with patch("tiktok_attribution.touches.recording.time", lambda: time.time() - days * 86_400):
            return self.client.get(f"{to}?{query}", **{**FROM_TIKTOK, **headers})  # type: ignore[return-value]

    def buy(self, *, days: float = 0, **values: str) -> Sale:
        """Buy so many days ago."""
        answer = self.client.post(f"/buy/?{urlencode(values)}", HTTP_USER_AGENT=AGENT)
        sale = Sale.objects.get(pk=int(answer.content))
        if days:
            happened(sale, int(time.time() - days * 86_400))
        return sale

    def sign_in(self, name: str, *, days: float = 0) -> None:
        """Sign in so many days ago."""
        with patch("tiktok_attribution.attribution.sign_in.time", lambda: time.time() - days * 86_400):
            self.client.get(f"/sign-in/?as={name}", HTTP_USER_AGENT=AGENT)

    def answer(self, word: str) -> None:
        """Answer the banner; its tool calls the hook."""
        self.client.cookies["tiktok_consent"] = word
        said = json.dumps({"page": "http://testserver/", "landing": ""})
        headers = {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_USER_AGENT": AGENT}
        assert self.client.post("/tiktok/consent/", said, content_type="text/plain", **headers).status_code == 200


def pay_for(sale: Sale, *, placed: float, paid: float) -> None:
    """Pay an order that was placed so many days ago, so many days ago."""
    before = VisitorSnapshot.objects.get(object_pk=str(sale.pk))
    VisitorSnapshot.objects.filter(pk=before.pk).update(created_at=before.created_at - timedelta(days=placed))
    Client().post(f"/pay/{sale.pk}/")
    happened(sale, int(time.time() - paid * 86_400))


def asked(**values: Any) -> Report:
    """The report of the last 90 days, of purchases."""
    today = date.today()  # noqa: DTZ011 -- tests run in UTC
    given = {"first": today - timedelta(days=90), "last": today + timedelta(days=1), "name": "Purchase", **values}
    using = given.pop("using", "default")
    return report(ReportQuery(**given), using=using, today=today)


def ads(**values: Any) -> Figures:
    """What TikTok's ads brought."""
    return asked(**values).totals.ads


def credit(model: str = "last_tiktok", **values: Any) -> dict[int, Decimal]:
    """Conversions of TikTok's ads by window."""
    return {window: ads(model=model, window=window, **values).conversions for window in (1, 7, 14, 28)}
