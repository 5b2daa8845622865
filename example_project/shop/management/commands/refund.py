"""`manage.py refund TOKEN AMOUNT`: give part of the money of an order back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from shop.models import Order


class Command(BaseCommand):
    help = "Give part of the money of an order back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", help="The order's token, as in the address of its receipt.")
        parser.add_argument("amount", type=Decimal)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Order.objects.select_for_update().get(token=options["token"]).refund(options["amount"])
        except (Order.DoesNotExist, ValueError) as error:
            raise CommandError(str(error)) from None
