"""One raw worker: empties the lane that its argument names."""

from __future__ import annotations

import os
import sys

import django

from benchmarks.children.process import when_told


def deliver_lane() -> bool:
    from benchmarks.yardsticks import raw_outbox  # noqa: PLC0415 -- needs Django set up
    from benchmarks.yardsticks.post import Post  # noqa: PLC0415

    with raw_outbox.connect() as database, Post(os.environ["BENCHMARKS_SINK_URL"]) as post:
        raw_outbox.deliver_by_lane(database, post, int(sys.argv[1]))
    return True


if __name__ == "__main__":
    django.setup()
    when_told(deliver_lane)
