from __future__ import annotations

import uuid

from django.db import models
from django.urls import reverse


class Payment(models.Model):
    """One amount that a shop asked for. `reference` is the shop's own name for the order."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=64, db_index=True)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    return_address = models.CharField(max_length=500)
    webhook_address = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} for {self.reference}"

    def get_absolute_url(self) -> str:
        return reverse("pretendpay:payment", args=[self.pk])
