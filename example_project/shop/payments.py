"""The shop's side of the payment provider: a payment for an order, and the notice that comes back."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from pretendpay.models import Payment

from .models import Order


def payment_for(request: HttpRequest, order: Order) -> Payment:
    """The order's payment that is not cancelled, or a new one."""
    payments = Payment.objects.filter(reference=str(order.token)).exclude(status=Payment.Status.CANCELLED)
    return payments.first() or Payment.objects.create(
        reference=str(order.token),
        amount=order.total,
        currency=order.currency,
        return_address=request.build_absolute_uri(order.get_absolute_url()),
        webhook_address=request.build_absolute_uri(reverse("shop:pretendpay-webhook")),
    )


@transaction.atomic
def settle(token: uuid.UUID, *, paid: bool, amount: Decimal, currency: str) -> None:
    """Mark an order as the provider says. A second notice of the same changes nothing, nor does a
    cancellation that comes after the money.

    Raises Order.DoesNotExist, and ValueError when the amount is not the order's.
    """
    order = Order.objects.select_for_update().get(token=token)
    if order.status == Order.Status.PAID:
        return
    if (amount, currency) != (order.total, order.currency):
        raise ValueError(f"{order} is over {order.total} {order.currency}, not {amount} {currency}")
    if paid:
        order.mark_paid()
    elif order.status == Order.Status.NEW:
        order.status = Order.Status.CANCELLED
        order.save()
