from __future__ import annotations

import uuid
from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from .models import Payment
from .webhook import send_later


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def payment(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    if request.method == "POST":
        decided = decide(payment_id, pay="pay" in request.POST)
        return redirect(decided.return_address)
    return render(request, "pretendpay/payment.html", {"payment": get_object_or_404(Payment, pk=payment_id)})


def decide(payment_id: uuid.UUID, *, pay: bool) -> Payment:
    """Close an open payment and tell the shop; one that is closed already stays as it is."""
    with transaction.atomic():
        payment = get_object_or_404(Payment.objects.select_for_update(), pk=payment_id)
        if payment.status == Payment.Status.OPEN:
            payment.status = Payment.Status.PAID if pay else Payment.Status.CANCELLED
            payment.save()
            transaction.on_commit(partial(send_later, payment))
    return payment
