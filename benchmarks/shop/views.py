"""A checkout as shops have it: a form makes the order and its lines and marks it paid; then comes the thank-you page.

`task` in the form is what a site writes by itself instead of the app: hash, build, and a Celery task on commit.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import nullcontext
from decimal import Decimal
from itertools import count

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone

import tiktok_attribution  # the name itself: a shop without the app has no models to import
from benchmarks.celery_app import app
from benchmarks.shop.models import Product, Sale, SaleLine

_numbers = count()


def buy(request: HttpRequest) -> HttpResponse:
    """POST `lines`, and `shape`: "lines first", "paid when made", "paid by webhook" or "autocommit"."""
    lines, shape = int(request.POST["lines"]), request.POST["shape"]
    number = f"{time.time_ns()}-{next(_numbers)}"
    with nullcontext() if shape == "autocommit" else transaction.atomic():
        sale = Sale(
            number=number,
            status="paid" if shape == "paid when made" else "new",
            email=f"{number}@example.com",
            phone="+4915112345678",
            customer_id=number,
            total=Decimal("19.90") * lines,
            currency="EUR",
            paid_at=timezone.now(),
        )
        sale.save()
        products = Product.objects.all()[:lines]
        for product in products:
            SaleLine(sale=sale, product=product, unit_price=Decimal("19.90"), quantity=1).save()
        if shape not in ("paid when made", "paid by webhook"):
            sale.status = "paid"
            sale.save()
        if "task" in request.POST:
            payload = _event(sale)
            transaction.on_commit(lambda: app.send_task("site.send_event", (payload,), ignore_result=True))
    return HttpResponseRedirect(f"/thanks/{sale.pk}/")


def paid(request: HttpRequest, pk: int) -> HttpResponse:
    """The payment provider's webhook."""
    with transaction.atomic():
        sale = Sale.objects.get(pk=pk)
        sale.status = "paid"
        sale.save()
    return HttpResponse("ok")


def sign_up(request: HttpRequest) -> HttpResponse:
    """A form that makes an account."""
    with transaction.atomic():
        get_user_model().objects.create(username=f"{time.time_ns()}", email=f"{time.time_ns()}@example.com")
    return HttpResponseRedirect("/page/")


def lead(request: HttpRequest) -> HttpResponse:
    """A form whose view calls `track()`; with the app off that does nothing."""
    tiktok_attribution.track(request, "Lead", value=5, currency="EUR")
    return HttpResponseRedirect("/page/")


def thanks(request: HttpRequest, pk: int) -> HttpResponse:
    """The next page, with the tag or without."""
    sale = Sale.objects.get(pk=pk)
    template = "shop/thanks_with_tag.html" if request.GET.get("tag") else "shop/thanks.html"
    return render(request, template, {"sale": sale})


def _event(sale: Sale) -> str:
    lines = sale.lines.select_related("product")
    contents = [
        {
            "content_id": line.product.sku,
            "content_name": line.product.title,
            "price": float(line.unit_price),
            "quantity": 1,
        }
        for line in lines
    ]
    user = {name: hashlib.sha256(getattr(sale, name).encode()).hexdigest() for name in ("email", "phone")}
    properties = {"value": float(sale.total), "currency": sale.currency, "contents": contents}
    event = {"event": "Purchase", "event_id": sale.number, "user": user, "properties": properties}
    return json.dumps(event | {"event_time": int(sale.paid_at.timestamp()) if sale.paid_at else 0})
