from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from .. import tiktok
from ..cart import Cart
from ..forms import CheckoutForm
from ..models import Order, OrderLine
from ..payments import payment_for


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    cart = Cart(request)
    if not cart.lines:
        messages.info(request, "Your cart is empty; there is nothing to check out yet.")
        return redirect("shop:cart")
    if request.method == "POST":
        form = CheckoutForm(request.POST)
        if form.is_valid():
            with transaction.atomic():
                order = place_order(request, form, cart)
                payment = payment_for(request, order)
            cart.clear()
            return redirect(payment)
    else:
        tiktok.began_checkout(request, cart)
        form = CheckoutForm(initial=known_of(request))
    return render(request, "shop/checkout.html", {"form": form})


def place_order(request: HttpRequest, form: CheckoutForm, cart: Cart) -> Order:
    order: Order = form.save(commit=False)
    order.customer = request.user if request.user.is_authenticated else None
    order.total = cart.total
    order.save()
    for line in cart.lines:
        OrderLine.objects.create(
            order=order,
            product=line.product,
            sku=line.product.sku,
            title=line.product.title,
            unit_price=line.product.price,
            quantity=line.quantity,
        )
    return order


def known_of(request: HttpRequest) -> dict[str, str]:
    """What a signed-in customer need not type again: the last order's address, or at least the e-mail."""
    if not request.user.is_authenticated:
        return {}
    fields = [name for name in CheckoutForm.Meta.fields if name != "code"]  # a code is of one order
    last = Order.objects.filter(customer=request.user).values(*fields).first()
    return last or {"name": request.user.get_full_name(), "email": request.user.email}
