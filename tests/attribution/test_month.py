"""A month from three seeds: the roll-up finds its totals to the cent, by both clocks and in two time zones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest

from tests.attribution.month import END, month
from tests.attribution.samples import PIXEL, worked
from tiktok_attribution.models import DailyAttribution, RecordedConversion, Touch

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
