"""`python -m tests.faults.orders COUNT PAUSE`: paid orders one by one; prints how long the slowest took, in seconds."""

from __future__ import annotations

import sys
import time

import django

if __name__ == "__main__":
    django.setup()

    from django.db import transaction

    import tests.worker  # noqa: F401 -- the current Celery app, as a site's own package imports it
    from tests.shop.models import Order

    slowest = 0.0
    for number in range(int(sys.argv[1])):
        begun = time.monotonic()
        with transaction.atomic():
            Order.objects.create(status="paid", total=10, email=f"buyer{number}@shop.example")
        slowest = max(slowest, time.monotonic() - begun)
        time.sleep(float(sys.argv[2]))
    print(slowest)  # noqa: T201 -- its answer
