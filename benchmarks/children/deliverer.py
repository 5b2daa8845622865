"""A worker: delivers until nothing waits any more, then tells how many events it delivered itself."""

from __future__ import annotations

import time

import django

from benchmarks.children.process import when_told

PAUSE_SECONDS = 0.02  # more eager than any sweep, and leaves the machine to those who have a lane


def deliver_all() -> int:
    from benchmarks import rows  # noqa: PLC0415 -- needs Django set up
    from tiktok_attribution.delivery import pixel_sender  # noqa: PLC0415
    from tiktok_attribution.models import OutboxEvent, State  # noqa: PLC0415

    delivered = 0
    while True:
        delivered += (counts := pixel_sender.deliver(rows.PIXEL, using="default"))["delivered"]
        if not counts["posts"]:
            if not OutboxEvent.objects.filter(state=State.WAITING, due_at__isnull=False).exists():
                return delivered
            time.sleep(PAUSE_SECONDS)  # other workers hold the lanes that are left


if __name__ == "__main__":
    django.setup()
    from django.db import connection

    connection.ensure_connection()
    when_told(deliver_all)
