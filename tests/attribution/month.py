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


PEOPLE = 30
"""Each has two browsers: 2 n and 2 n + 1."""
DAY = 86_400


class Landing(NamedTuple):
    """A landing in shop "A" or "B": epoch seconds, browser, traffic, campaign or "", how it is named, click or 0."""

    at: int
    shop: str
    browser: int
    traffic: str
    campaign: str
    is_by_name: bool
    click: int


class Order(NamedTuple):
    """An order of a shop. `person` is None for a guest, `browser` for an order by phone; `placed` is seconds before."""

    at: int
    shop: str
    person: int | None
    browser: int | None
    placed: int
    cents: int
    currency: str
    refunded_cents: int
    is_refunded_later: bool
    is_reversed: bool
    is_first: bool | None


class Cost(NamedTuple):
    """The spend of a campaign on a day of March, "2026-03-01"; in the shop's own currency."""

    shop: str
    day: str
    campaign: str
    cents: int


class Trade(NamedTuple):
    """A month of two shops with one sign-in: A sells in Berlin for EUR and some USD, B in Los Angeles for USD."""

    landings: list[Landing]
    orders: list[Order]
    costs: list[Cost]


def trade(seed: int) -> Trade:
    """Return what happened from a seed, in no order of time."""
    random_ = random.Random(1000 + seed)
    return Trade(_landings(random_), _orders(random_), _costs(random_))


def _landings(random_: random.Random) -> list[Landing]:
    found: list[Landing] = []
    for number in range(1, 261):
        traffic = random_.choices(("paid", "organic", "other"), (75, 17, 8))[0]
        is_named = traffic == "paid" and random_.random() > 0.12
        one = Landing(
            at=random_.randrange(FIRST, END),
            shop=random_.choice("AAB"),
            browser=random_.randrange(2 * PEOPLE),
            traffic=traffic,
            campaign=random_.choice(CAMPAIGNS) if is_named else "",
            is_by_name=random_.random() < 0.15,
            click=number if traffic == "paid" else 0,
        )
        found.append(one)
        if one.click and random_.random() < 0.15:  # "open in browser": the same click in the person's other browser
            found.append(one._replace(at=one.at + random_.randrange(1, 6 * DAY), browser=one.browser ^ 1))
    return found


def _orders(random_: random.Random) -> list[Order]:
    found = []
    for _ in range(150):
        shop = random_.choice("AAB")
        person = random_.randrange(PEOPLE)
        is_guest = shop == "B" and random_.random() < 0.3
        cents = random_.randrange(1, 30_000)
        found.append(
            Order(
                at=random_.randrange(BEGIN, END),
                shop=shop,
                person=None if is_guest else person,
                browser=None if random_.random() < 0.1 else 2 * person + random_.randrange(2),
                placed=random_.randrange(1, 4 * DAY) if random_.random() < 0.2 else 0,
                cents=cents,
                currency="USD" if shop == "B" or random_.random() < 0.04 else "EUR",
                refunded_cents=random_.randrange(1, cents + 500) if random_.random() < 0.2 else 0,
                is_refunded_later=random_.random() < 0.5,
                is_reversed=random_.random() < 0.07,
                is_first=random_.random() < 0.5 if random_.random() < 0.06 else None,
            )
        )
    return found


def _costs(random_: random.Random) -> list[Cost]:
    return [
        Cost(shop, f"2026-03-{day:02}", campaign, random_.randrange(1, 9_000))
        for shop in "AB"
        for campaign in CAMPAIGNS
        for day in range(1, 32)
    ]
