"""A month from three seeds: its totals are found to the cent, by both clocks and in two time zones.

First the roll-up alone. Then two shops with all that a month has, from orders to the printed report.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from tests.attribution.models import Sale
from tests.attribution.month import CAMPAIGNS, END, Cost, Landing, Order, Trade, month, trade
from tests.attribution.month_totals import TOTALS
from tests.attribution.samples import PIXEL, REFUNDABLE, SECOND_PIXEL, happened, placed, worked
from tiktok_attribution.attribution.report import report
from tiktok_attribution.attribution.report_query import ReportQuery
from tiktok_attribution.attribution.spend import Origin, import_rows
from tiktok_attribution.attribution.spend_row import SpendRow
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import (
    ConversionPerson,
    DailyAttribution,
    EventBody,
    RecordedConversion,
    Touch,
    VisitorLink,
)

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)
BERLIN, LOS_ANGELES = "Europe/Berlin", "America/Los_Angeles"
COLUMNS = ("", "Shoes", "Spring", "Video", "organic")
"""No touch, three campaigns, organic TikTok."""

# Value after refunds of March 2026, window 7 days, in the order of COLUMNS. Computed by another program that shares
# nothing with the package: whole cents, a loop over all clicks for each purchase.
EXPECTED = {
    (1, BERLIN, "conversion", "last_tiktok"): "5908.80 2010.10 1132.47 1829.21 0.00",
    (1, BERLIN, "conversion", "linear"): "4299.16 1934.76 1092.21 1418.46 2135.99",
    (1, BERLIN, "click", "last_tiktok"): "5908.80 2010.10 1162.97 2311.30 0.00",
    (1, BERLIN, "click", "linear"): "4299.16 2034.69 865.13 1651.61 2042.91",
    (1, LOS_ANGELES, "conversion", "last_tiktok"): "5603.13 2010.10 1132.47 2029.08 0.00",
    (1, LOS_ANGELES, "conversion", "linear"): "4086.57 2034.69 1092.21 1518.40 2042.91",
    (1, LOS_ANGELES, "click", "last_tiktok"): "5603.13 2010.10 1162.97 2311.30 0.00",
    (1, LOS_ANGELES, "click", "linear"): "4086.57 2034.69 865.13 1651.61 2042.91",
    (2, BERLIN, "conversion", "last_tiktok"): "5558.26 1955.00 1144.88 1887.67 0.00",
    (2, BERLIN, "conversion", "linear"): "4733.13 1711.40 1185.46 1561.27 1354.55",
    (2, BERLIN, "click", "last_tiktok"): "5558.26 1956.29 1144.88 2255.53 0.00",
    (2, BERLIN, "click", "linear"): "4733.13 1712.04 1079.39 1804.96 1420.53",
    (2, LOS_ANGELES, "conversion", "last_tiktok"): "5558.26 1955.00 1144.88 1887.67 0.00",
    (2, LOS_ANGELES, "conversion", "linear"): "4733.13 1711.40 1185.46 1561.27 1354.55",
    (2, LOS_ANGELES, "click", "last_tiktok"): "5558.26 1956.29 1144.88 2255.53 0.00",
    (2, LOS_ANGELES, "click", "linear"): "4733.13 1712.04 1079.39 1804.96 1420.53",
    (3, BERLIN, "conversion", "last_tiktok"): "4370.28 1255.39 2449.97 1118.11 0.00",
    (3, BERLIN, "conversion", "linear"): "3901.95 870.01 2500.86 818.06 1102.87",
    (3, BERLIN, "click", "last_tiktok"): "4370.28 1255.39 1981.83 1129.58 0.00",
    (3, BERLIN, "click", "linear"): "3901.95 870.01 1995.23 829.53 1031.76",
    (3, LOS_ANGELES, "conversion", "last_tiktok"): "4406.85 1255.39 2485.19 1118.11 0.00",
    (3, LOS_ANGELES, "conversion", "linear"): "3938.52 870.01 2518.47 818.06 1120.48",
    (3, LOS_ANGELES, "click", "last_tiktok"): "4406.85 1255.39 1981.83 1129.58 0.00",
    (3, LOS_ANGELES, "click", "linear"): "3938.52 870.01 1995.23 829.53 1031.76",
}


def fill(seed: int) -> None:
    clicks, purchases = month(seed)
    Touch.objects.bulk_create(
        [
            Touch(
                at=click.at,
                visitor_key=UUID(int=click.browser + 1),
                traffic=click.traffic,
                campaign_id=click.campaign,
                shop=PIXEL,
            )
            for click in clicks
        ]
    )
    RecordedConversion.objects.bulk_create(
        [
            RecordedConversion(
                shop=PIXEL,
                name="Purchase",
                event_id=f"sale-{number}",
                at=one.at,
                value=Decimal(one.cents) / 100,
                currency="EUR",
                refunded=Decimal(one.refunded_cents) / 100,
                is_reversed=one.is_reversed,
                visitor_key=UUID(int=one.browser + 1),
            )
            for number, one in enumerate(purchases)
        ]
    )


def totals(clock: str, model: str) -> str:
    """The value of March by campaign."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    rows = DailyAttribution.objects.filter(clock=clock, model=model, window=7)
    for row in rows.filter(day__gte="2026-03-01", day__lte="2026-03-31"):
        found["organic" if row.traffic == "organic" else row.campaign_id] += row.value
    assert set(found) <= set(COLUMNS)
    return " ".join(f"{found[name]:.2f}" for name in COLUMNS)


@pytest.mark.parametrize("zone", [BERLIN, LOS_ANGELES])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_month_to_the_cent(configure: Configure, seed: int, zone: str) -> None:
    configure(MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": zone}})
    fill(seed)
    worked(END + 60)
    wanted = {key: amounts for key, amounts in EXPECTED.items() if key[:2] == (seed, zone)}
    assert len(wanted) == 4
    assert {(seed, zone, clock, model): totals(clock, model) for _, _, clock, model in wanted} == wanted


def test_the_same_month_in_another_order(configure: Configure) -> None:
    """Conversions first and touches late, in pieces: what remains is the same."""
    configure(MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": BERLIN}})
    fill(1)
    touches = list(Touch.objects.order_by("pk"))
    Touch.objects.all().delete()
    worked(END + 60)
    for at in range(0, len(touches), 50):
        Touch.objects.bulk_create(touches[at : at + 50])
        worked(END + 120 + at)
    assert totals("click", "linear") == EXPECTED[1, BERLIN, "click", "linear"]


# Two shops, from orders to the report ---------------------------------------------------------------------------------

SHOPS = {"A": PIXEL, "B": SECOND_PIXEL}
ZONES = {"A": BERLIN, "B": LOS_ANGELES}
CURRENCIES = {"A": "EUR", "B": "USD"}
ADVERTISERS = {"A": "7001234567890123456", "B": "7001234567890123457"}
IDS = {name: f"170000000000000{number}" for number, name in enumerate(CAMPAIGNS)}
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
OF_SHOPS = {**REFUNDABLE, "user": {"email": "email"}, "pixel": "shop"}


def browser_key(browser: int | None) -> UUID | None:
    return None if browser is None else UUID(int=browser + 1, version=4)


def land(landings: list[Landing]) -> None:
    rows = []
    for one in landings:
        named = (
            {"campaign_name": one.campaign.upper()} if one.is_by_name else {"campaign_id": IDS.get(one.campaign, "")}
        )
        row = Touch(at=one.at, shop=SHOPS[one.shop], traffic=one.traffic, visitor_key=browser_key(one.browser), **named)
        row.click_digest = one.click or None
        rows.append(row)
    Touch.objects.bulk_create(rows)


def address(person: int) -> str:
    return f"person-{person}@example.com"


def sell(order: Order) -> Sale:
    refunded = Decimal(order.refunded_cents) / 100
    sale = Sale.objects.create(
        status="cancelled" if order.is_reversed and not order.is_refunded_later else "paid",
        shop=SHOPS[order.shop],
        email="" if order.person is None else address(order.person),
        total=Decimal(order.cents) / 100,
        currency=order.currency,
        refunded_total=None if order.is_refunded_later else refunded,
        is_first_order=order.is_first,
    )
    happened(sale, order.at)
    if order.placed:
        placed(sale, order.at - order.placed, browser_key(order.browser))
    else:
        EventBody.objects.filter(event_id=f"sale-{sale.pk}").update(visitor_key=browser_key(order.browser))
    return sale


def refund(sale: Sale, order: Order) -> None:
    if order.is_refunded_later:
        sale.refunded_total = Decimal(order.refunded_cents) / 100
        sale.status = "cancelled" if order.is_reversed else sale.status
        sale.save()


def pay(costs: list[Cost]) -> None:
    """Import the spend: of A by campaign, in two files of which the second replaces days; of B at two levels."""
    for shop, level in (("A", "campaign"), ("B", "ad"), ("B", "campaign")):
        rows = list(spend_rows([one for one in costs if one.shop == shop], level))
        if shop == "A":
            wrong = [SpendRow(day=date(2026, 3, day), spend=Decimal(999), currency="EUR") for day in range(5, 20)]
            import_rows(ADVERTISERS[shop], level, wrong, origin=Origin(source="csv"))
        import_rows(ADVERTISERS[shop], level, rows, origin=Origin(source="api" if level == "ad" else "csv"))


def spend_rows(costs: list[Cost], level: str) -> Iterator[SpendRow]:
    for one in costs:
        ads: list[tuple[str, int]] = [("", one.cents)]
        if level == "ad":
            ads = [("1", one.cents // 3), ("2", one.cents - one.cents // 3)]
        for ad, cents in ads:
            yield SpendRow(
                day=date.fromisoformat(one.day),
                spend=Decimal(cents) / 100,
                currency=CURRENCIES[one.shop],
                campaign_id=IDS[one.campaign],
                campaign_name=one.campaign,
                ad_id=f"{IDS[one.campaign]}{ad}" if ad else "",
            )


def open_shops(configure: Configure) -> None:
    zones = {
        ADVERTISERS[shop]: {"pixels": [SHOPS[shop]], "time_zone": ZONES[shop], "currency": CURRENCIES[shop]}
        for shop in SHOPS
    }
    configure(OF_SHOPS, MARKETING_API=zones, join=["email"])


def trade_on(given: Trade) -> None:
    land(given.landings)
    pay(given.costs)
    sales = [(sell(order), order) for order in given.orders]
    worked(END + 60)
    for sale, order in sales:
        refund(sale, order)
    worked(END + 120)


def printed(shop: str, clock: str, model: str) -> dict[str, Any]:
    out = StringIO()
    asked = {"first": MARCH[0], "last": MARCH[1], "clock": clock, "model": model, "pixel": SHOPS[shop]}
    call_command("tiktok_report", json=True, stdout=out, **asked)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def line(name: str, figures: dict[str, Any] | None) -> str:
    """One line as in TOTALS."""
    if figures is None:
        return f"{name}: 0.0000 0 back 0 cost 0.00 roas - cpa - cac -"
    value, back = (
        "+".join(f"{amount} {code}" for code, amount in sorted(figures[of].items())) or "0"
        for of in ("value", "refunded")
    )
    cost = sum(map(Decimal, figures["spend"].values())) or Decimal("0.00")
    ratios = " ".join(f"{of} {figures[of] or '-'}" for of in ("roas", "cpa", "cac"))
    return f"{name}: {Decimal(figures['conversions']):.4f} {value} back {back} cost {cost} {ratios}"


def lines_of(found: dict[str, Any]) -> str:
    by_id = {row["id"]: row for row in found["rows"]}
    assert set(by_id) <= {*IDS.values(), ""}
    lines = [line(name, by_id.get(IDS[name])) for name in CAMPAIGNS]
    lines += [line("unknown", by_id.get("")), line("ads", found["ads"])]
    lines += [f"{name}: {Decimal(found['conversions'][name]):.4f}" for name in ("organic", "without")]
    assert found["conversions"]["other"] == "0"
    return "\n".join(["", *lines, line("all", found["all"]), ""])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_report_of_two_shops_to_the_cent(configure: Configure, seed: int) -> None:
    open_shops(configure)
    trade_on(trade(seed))
    wanted = {key: text for key, text in TOTALS.items() if key[0] == seed}
    assert len(wanted) == 8
    for key, text in wanted.items():
        assert lines_of(printed(*key[1:])) == text, key


def test_its_sums_reconcile(configure: Configure) -> None:
    """What the page shows: rows add up to the ads, days to the total, and what brought them to all conversions."""
    open_shops(configure)
    trade_on(trade(2))
    for pixel in SHOPS.values():
        query = ReportQuery(first=MARCH[0], last=MARCH[1], shop=pixel, name="Purchase", model="linear")
        found = report(query, using="default", today=date(2026, 5, 1))
        ads, every = found.totals.ads, found.totals.every
        assert (found.listed.conversions, found.listed.value, found.listed.spend) == (
            ads.conversions,
            ads.value,
            ads.spend,
        )
        assert sum(day.every.conversions for day in found.days) == every.conversions
        assert sum(day.figures.conversions for day in found.days) == ads.conversions
        assert sum(one.conversions for one in found.totals.by_traffic.values()) == every.conversions


@pytest.mark.privacy
def test_no_hash_of_an_address_lies_outside_of_the_bodies(configure: Configure) -> None:
    open_shops(configure)
    given = trade(3)
    trade_on(given)
    assert ConversionPerson.objects.exists()
    assert VisitorLink.objects.exists()
    digests = {email_sha256(address(order.person)) or "" for order in given.orders if order.person is not None}
    assert digests
    for table, column, text in stored_texts():
        for digest in digests:
            assert digest not in text, (table, column)
            assert digest[:16] not in text.replace("-", ""), (table, column)  # of a number that is cut from it
        assert "@example.com" not in text or table == Sale._meta.db_table, (table, column)


def stored_texts() -> Iterator[tuple[str, str, str]]:
    """All columns of all tables, but the bodies of events and matching keys for webhooks."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            names = [column[0] for column in cursor.description or ()]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    if value is not None and (table, name) != (EventBody._meta.db_table, "payload"):
                        text = bytes(value).hex() if isinstance(value, (bytes, memoryview)) else str(value)
                        yield table, name, text
