from __future__ import annotations

import uuid

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from pretendpay.models import Payment

from ..models import Order
from ..payments import payment_for


@never_cache
@require_safe
def thank_you(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    return render(request, "shop/thank_you.html", {"order": get_object_or_404(Order, token=token)})


@never_cache
@require_safe
def status(request: HttpRequest, token: uuid.UUID) -> JsonResponse:
    return JsonResponse({"status": get_object_or_404(Order, token=token).status})


@require_POST
def pay(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Back to the payment page, for an order that was cancelled or left unpaid."""
    with transaction.atomic():
        order = get_object_or_404(Order.objects.select_for_update(), token=token)
        if order.status == Order.Status.PAID:
            return redirect(order)
        payment = payment_for(request, order)
        if order.status == Order.Status.CANCELLED:
            order.status = Order.Status.NEW
            order.save()
    return redirect(payment if payment.status == Payment.Status.OPEN else order)
