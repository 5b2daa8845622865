"""`python -m tests.faults.waking COUNT`: paid orders one by one, and a worker's task for each of them."""

from __future__ import annotations

import sys

import django

if __name__ == "__main__":
    django.setup()

    from django.db import transaction

    import tests.worker  # noqa: F401 -- the current Celery app, as a site's own package imports it
    from tests.conversions.samples import PIXEL
    from tests.shop.models import Order
    from tiktok_attribution.tasks import deliver

    for number in range(int(sys.argv[1])):
        with transaction.atomic():
            Order.objects.create(status="paid", total=10, email=f"buyer{number}@shop.example")
        deliver(PIXEL)
