from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from .. import tiktok
from ..cart import MOST_OF_ONE, Cart
from ..forms import QuantityForm
from ..models import Product

BAD_QUANTITY = f"Please choose a quantity between 1 and {MOST_OF_ONE}."


@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/cart.html")


@require_POST
def cart_add(request: HttpRequest, sku: str) -> HttpResponse:
    product = get_object_or_404(Product, sku=sku)
    form = QuantityForm(request.POST)
    if not form.is_valid() or not form.cleaned_data["quantity"]:
        messages.error(request, BAD_QUANTITY)
        return redirect(product)
    Cart(request).add(product, form.cleaned_data["quantity"])
    if "card" not in request.POST:  # there the button is marked, and the page has told of it
        tiktok.added_to_cart(request, product, form.cleaned_data["quantity"])
    messages.success(request, f"{product.title} is in your cart.")
    return redirect("shop:cart")


@require_POST
def cart_change(request: HttpRequest, sku: str) -> HttpResponse:
    """Set the quantity of one product; 0 takes it out."""
    product = get_object_or_404(Product, sku=sku)
    form = QuantityForm(request.POST)
    if form.is_valid():
        Cart(request).change(product, form.cleaned_data["quantity"])
    else:
        messages.error(request, BAD_QUANTITY)
    return redirect("shop:cart")
