"""March 2026 in a made-up shop, from a seed. It imports nothing of the package: its totals are known without it."""

from __future__ import annotations

import random
from typing import NamedTuple

FIRST = 1_771_545_600  # 20 February 2026, 00:00 UTC
BEGIN, END = 1_772_236_800, 1_775_174_400  # 28 February and 3 April: sales on both sides of the month's ends
CAMPAIGNS = ("Spring", "Shoes", "Video")


class Click(NamedTuple):
    """A landing: epoch seconds, the browser's number, "paid" or "organic", the campaign ("" for organic)."""

    at: int
    browser: int
    traffic: str
    campaign: str


class Purchase(NamedTuple):
    """A purchase; amounts in cents."""

    at: int
    browser: int
    cents: int
    refunded_cents: int
    is_reversed: bool


def month(seed: int) -> tuple[list[Click], list[Purchase]]:
    """Return the clicks and the purchases of a seed."""
    random_ = random.Random(seed)
    clicks, purchases = [], []
    for _ in range(150):
        is_paid = random_.random() < 0.8
        clicks.append(
            Click(
                at=random_.randrange(FIRST, END),
                browser=random_.randrange(25),
                traffic="paid" if is_paid else "organic",
                campaign=random_.choice(CAMPAIGNS) if is_paid else "",
            )
        )
    for _ in range(90):
        cents = random_.randrange(1, 30_000)
        chance = random_.random()
        purchases.append(
            Purchase(
                at=random_.randrange(BEGIN, END),
                browser=random_.randrange(25),
                cents=cents,
                refunded_cents=random_.randrange(1, cents + 500) if chance < 0.2 else 0,
                is_reversed=chance > 0.93,
            )
        )
    return clicks, purchases
