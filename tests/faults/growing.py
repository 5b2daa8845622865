"""`python -m tests.faults.growing COUNT [dies]`: orders that are paid before their lines are saved, in every order of
statements; with `dies` it SIGKILLs itself between the last one's commit and what the commit has to do."""

from __future__ import annotations

import os
import signal
import sys

import django

if __name__ == "__main__":
    django.setup()

    from django.db import transaction

    import tests.worker  # noqa: F401 -- the current Celery app, as a site's own package imports it
    from tests.conversions.samples import with_line
    from tests.shop.models import Order

    def paid_first(order: Order) -> None:
        order.status = "paid"
        order.save()
        with_line(order, "first")
        with_line(order, "second")

    def saved_in_between(order: Order) -> None:
        order.status = "paid"
        order.save()
        with_line(order, "first")
        order.save()
        with_line(order, "second")

    def paid_in_between(order: Order) -> None:
        order.save()
        with_line(order, "first")
        order.status = "paid"
        order.save()
        with_line(order, "second")

    def paid_last(order: Order) -> None:
        order.save()
        with_line(order, "first")
        with_line(order, "second")
        order.status = "paid"
        order.save()

    ways = (paid_first, saved_in_between, paid_in_between, paid_last)
    for number in range(int(sys.argv[1])):
        with transaction.atomic():
            ways[number % len(ways)](Order(total=10, email=f"buyer{number}@shop.example"))
    if sys.argv[2:] == ["dies"]:
        with transaction.atomic():
            transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
            paid_first(Order(total=10))
