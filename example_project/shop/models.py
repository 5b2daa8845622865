from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Product(models.Model):
    class Category(models.TextChoices):
        TEA = "tea", "Tea"
        STONEWARE = "stoneware", "Stoneware"
        TOOLS = "tools", "Tools"

    sku = models.SlugField("SKU", max_length=40, unique=True)
    title = models.CharField(max_length=120)
    description = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    category = models.CharField(max_length=20, choices=Category.choices)
    picture = models.CharField(max_length=200, help_text="A static file.")

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.sku])


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new", "Waiting for payment"
        PAID = "paid", "Paid"
        CANCELLED = "cancelled", "Cancelled"

    class Country(models.TextChoices):
        AUSTRIA = "AT", "Austria"
        BELGIUM = "BE", "Belgium"
        FRANCE = "FR", "France"
        GERMANY = "DE", "Germany"
        IRELAND = "IE", "Ireland"
        ITALY = "IT", "Italy"
        NETHERLANDS = "NL", "Netherlands"
        POLAND = "PL", "Poland"
        SPAIN = "ES", "Spain"

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="orders"
    )
    name = models.CharField("Full name", max_length=120)
    email = models.EmailField("E-mail")
    phone = models.CharField(max_length=32, blank=True)
    street = models.CharField("Street and number", max_length=200)
    postal_code = models.CharField("Postcode", max_length=16)
    city = models.CharField("Town", max_length=100)
    country = models.CharField(max_length=2, choices=Country.choices, default=Country.GERMANY)
    currency = models.CharField(max_length=3, default="EUR")
    total = models.DecimalField(max_digits=10, decimal_places=2)
    refunded = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal("0.00"))
    code = models.CharField("Code", max_length=30, blank=True, help_text="Optional: of somebody who told you of us.")
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"Order {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("shop:thank-you", args=[self.token])

    def mark_paid(self) -> None:
        self.status = self.Status.PAID
        self.paid_at = timezone.now()
        self.save()

    @property
    def is_first(self) -> bool:
        """Whether nothing was paid with this e-mail before."""
        earlier = Order.objects.filter(email__iexact=self.email, status=self.Status.PAID, paid_at__lt=self.paid_at)
        return not earlier.exists()

    def refund(self, amount: Decimal) -> None:
        """Give money back, once more or the first time. Raises ValueError beyond what was paid."""
        if self.status != self.Status.PAID or not 0 < amount <= self.total - self.refunded:
            raise ValueError(f"{self} can't give back {amount}")
        self.refunded += amount
        self.save()


class OrderLine(models.Model):
    """What was bought at what price then; later changes of the product leave it alone."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    sku = models.CharField("SKU", max_length=40)
    title = models.CharField(max_length=120)
    unit_price = models.DecimalField(max_digits=8, decimal_places=2)
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.title}"

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity
