"""The same order twice, and the plainest store of events that a site could write by itself."""

from __future__ import annotations

from django.db import models


class AnyOrder(models.Model):
    """A dozen columns and one index beside the key, as an order of a small shop has."""

    number = models.CharField(max_length=32, unique=True)
    email = models.EmailField()
    phone = models.CharField(max_length=40)
    customer_id = models.CharField(max_length=64)
    first_name = models.CharField(max_length=80)
    last_name = models.CharField(max_length=80)
    street = models.CharField(max_length=200)
    city = models.CharField(max_length=80)
    zip_code = models.CharField(max_length=20)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.number


class Order(AnyOrder):
    """Declared in the settings: saving one records a Purchase."""


class PlainOrder(AnyOrder):
    """Declared nowhere: the order alone."""


class Product(models.Model):
    """What an order's line is of; its SKU is the content id, through a relation."""

    sku = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.sku


class Sale(models.Model):
    """An order with lines, as the README declares one: it counts when it is first paid."""

    number = models.CharField(max_length=32, unique=True)
    status = models.CharField(max_length=10, default="new")
    email = models.EmailField()
    phone = models.CharField(max_length=40)
    customer_id = models.CharField(max_length=64)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    paid_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.number


class SaleLine(models.Model):
    """One product of a sale."""

    sale = models.ForeignKey(Sale, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT)
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)
    quantity = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"


class PlainEvent(models.Model):
    """For "SDK and `save()` per event": the event as JSON, and whether it was sent."""

    payload = models.JSONField()
    sent = models.BooleanField(default=False)
    answer = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"event {self.pk}"
