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
