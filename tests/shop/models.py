"""An order with its lines, and a member whose primary key is no integer."""

from __future__ import annotations

import uuid

from django.db import models


class Order(models.Model):
    """`status` goes from "new" to "paid"; `customer_id` is the site's name for the buyer, if it knows one."""

    status = models.CharField(max_length=20, default="new")
    email = models.CharField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    total = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    currency = models.CharField(max_length=3, default="USD")
    customer_id = models.CharField(max_length=64, blank=True, null=True)  # noqa: DJ001 -- None is a case to test
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"order {self.pk}"


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)
    quantity = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class Member(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField()

    def __str__(self) -> str:
        return str(self.pk)
