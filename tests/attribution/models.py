"""A sale that can be refunded, cancelled, and paid with a voucher."""

from __future__ import annotations

from django.db import models


class Sale(models.Model):
    status = models.CharField(max_length=20, default="new")
    email = models.CharField(max_length=100, blank=True)
    customer = models.CharField(max_length=40, blank=True)
    total = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    currency = models.CharField(max_length=3, default="EUR")
    refunded_total = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    is_first_order = models.BooleanField(null=True)
    voucher = models.CharField(max_length=40, blank=True)
    shop = models.CharField(max_length=64, blank=True)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return f"sale {self.pk}"

    @property
    def items(self) -> list[dict[str, object]]:
        return [{"sku": "A", "price": "2.50", "quantity": 3}, {"sku": "B", "price": "1", "quantity": 1}]
