"""`manage.py brought`: print by what each order was brought, as a shop would ask for it in its own code."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from shop.models import Order
from tiktok_attribution import attribution_of


class Command(BaseCommand):
    help = "Print one JSON object for each order that counted: its buyer, its code and the landings before it."

    def handle(self, *args: Any, **options: Any) -> None:
        for order in Order.objects.order_by("pk"):
            found = attribution_of(order)
            if found is not None:
                touches = [touch.campaign_name or touch.traffic for touch in found.touches]
                self.stdout.write(json.dumps({"name": order.name, "code": found.code, "touches": touches}))
