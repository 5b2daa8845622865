"""More of the shop: models that are kinds of another, or have a key of their own."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from tests.shop.models import Order


class PhoneOrder(Order):
    """A proxy: the same table, other habits."""

    class Meta:
        app_label = "shop"
        proxy = True


class Subscription(Order):
    """A child with a table of its own."""

    months = models.PositiveIntegerField(default=1)

    class Meta:
        app_label = "shop"


class Booking(models.Model):
    """An order of a shop whose customers are its users; `seller` is who entered it."""

    paid = models.BooleanField(default=False)
    email = models.EmailField(blank=True)
    # Without a constraint, for this table is made before those that have migrations.
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="bookings", db_constraint=False
    )
    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+", db_constraint=False
    )

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return "a booking"


class Ticket(models.Model):
    """Its key is given by hand, and may be an e-mail address."""

    code = models.CharField(max_length=100, primary_key=True)
    used = models.BooleanField(default=False)
    order = models.ForeignKey(Order, models.CASCADE, null=True, related_name="tickets")
    used_on = models.DateField(null=True)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return "a ticket"

    @property
    def is_used(self) -> bool:
        return self.used


class Brand(models.Model):
    name = models.CharField(max_length=40)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.name


class Shown(models.Manager["Product"]):
    """Hides what is no longer sold, as a site's base manager may."""

    def get_queryset(self) -> models.QuerySet[Product]:
        return super().get_queryset().filter(is_sold=True)


class Product(models.Model):
    title = models.CharField(max_length=40)
    brand = models.ForeignKey(Brand, models.CASCADE, null=True)
    is_sold = models.BooleanField(default=True)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.title

    @property
    def brand_name(self) -> str:
        return self.brand.name if self.brand else ""


class Guarded(Product):
    """The same table under a base manager of the site's own."""

    objects = Shown()

    class Meta:
        app_label = "shop"
        proxy = True
        base_manager_name = "objects"


class Variant(models.Model):
    sku = models.CharField(max_length=40)
    product = models.ForeignKey(Product, models.CASCADE)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.sku


class Item(models.Model):
    """A line that tells nothing by itself: all stands at its variant, its product or its brand."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    variant = models.ForeignKey(Variant, models.CASCADE, null=True)
    guarded = models.ForeignKey(Guarded, models.CASCADE, null=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=5)
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return f"{self.quantity} pieces"
