"""The cart: SKUs and quantities in the visitor's session."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from .models import Product

SESSION_KEY = "cart"
MOST_OF_ONE = 20


@dataclass(frozen=True)
class CartLine:
    product: Product
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.product.price * self.quantity


class Cart:
    def __init__(self, request: HttpRequest) -> None:
        self._session = request.session

    @property
    def _quantities(self) -> dict[str, int]:
        return dict(self._session.get(SESSION_KEY, {}))

    @cached_property
    def lines(self) -> list[CartLine]:
        """In the order in which they were put in; a product that is gone from the shop is left out."""
        products = Product.objects.in_bulk(list(self._quantities), field_name="sku")
        return [CartLine(products[sku], n) for sku, n in self._quantities.items() if sku in products]

    @property
    def count(self) -> int:
        return sum(self._quantities.values())

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal("0.00"))

    def add(self, product: Product, quantity: int) -> None:
        self.change(product, self._quantities.get(product.sku, 0) + quantity)

    def change(self, product: Product, quantity: int) -> None:
        quantities = self._quantities
        quantities[product.sku] = min(quantity, MOST_OF_ONE)
        self._store({sku: n for sku, n in quantities.items() if n > 0})

    def clear(self) -> None:
        self._store({})

    def _store(self, quantities: dict[str, int]) -> None:
        self._session[SESSION_KEY] = quantities
        self.__dict__.pop("lines", None)


def cart_of_request(request: HttpRequest) -> dict[str, Any]:
    return {"cart": Cart(request)}
