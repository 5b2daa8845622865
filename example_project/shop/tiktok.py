"""What the shop tells TikTok by hand. Orders and sign-ups are declared in the settings instead."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from tiktok_attribution import track

from .cart import Cart
from .models import Product

CURRENCY = "EUR"


def viewed(request: HttpRequest, product: Product) -> None:
    track(request, "ViewContent", value=product.price, currency=CURRENCY, contents=[content(product, 1)])


def searched(request: HttpRequest, query: str) -> None:
    track(request, "Search", search_string=query)


def added_to_cart(request: HttpRequest, product: Product, quantity: int) -> None:
    value = product.price * quantity
    track(request, "AddToCart", value=value, currency=CURRENCY, contents=[content(product, quantity)])


def began_checkout(request: HttpRequest, cart: Cart) -> None:
    contents = [content(line.product, line.quantity) for line in cart.lines]
    track(request, "InitiateCheckout", value=cart.total, currency=CURRENCY, contents=contents)


def content(product: Product, quantity: int) -> dict[str, Any]:
    return {
        "content_id": product.sku,
        "content_name": product.title,
        "content_category": product.category,
        "price": product.price,
        "quantity": quantity,
    }
