"""A month of a made-up shop in the roll-up: three campaigns, an organic visitor, several levels and currencies."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from tests.attribution.report_samples import PIXEL, SPRING, SUMMER, on_both_clocks, spend
from tiktok_attribution.models import LandingCount, SuppressedCount

WINTER = "1700000000000003"
DAYS = 14


def fill_attribution(today: date | None = None) -> None:
    """Make the rows of the last days, today included."""
    today = today or timezone.localdate()
    for back in range(DAYS):
        day = today - timedelta(days=back)
        for place, (campaign, name) in enumerate(((SPRING, "Spring"), (SUMMER, "Summer sale"), (WINTER, "Winter"))):
            common = {"day": day, "campaign_id": campaign, "campaign_name": name}
            figures = {"complete_payment": str(3 + place), "total_complete_payment_rate": "310.00"}
            if back > 0:  # of today nothing is known yet
                spend(
                    Decimal(40) + 7 * place + back,
                    {**figures, "vta_complete_payment": "1", "evta_complete_payment": "0"},
                    **common,
                    level="ad",
                    adgroup_id=f"{campaign}1",
                    adgroup_name="Women 25–34",
                    ad_id=f"{campaign}11",
                    ad_name="Video A",
                )
            if place < 2:
                for window in (1, 7, 14, 28):
                    on_both_clocks(
                        Decimal(1 + place) + Decimal(window) / 28,
                        Decimal("80.00") + 20 * place + back,
                        **common,
                        window=window,
                        adgroup_id=f"{campaign}1",
                        ad_id=f"{campaign}11",
                        placement="TikTok",
                        landing_path="/new/",
                        is_new=bool(back % 2),
                    )
        on_both_clocks(1, "35.00", day=day, campaign_name="Old newsletter <b>", landing_path="/old/")
        on_both_clocks(4, "260.00", day=day, traffic="")
        on_both_clocks("0.5", "20.00", day=day, traffic="organic")
        LandingCount.objects.create(day=day, shop=PIXEL, outcome="stored", count=30 + back)
        SuppressedCount.objects.create(day=day, pixel_code=PIXEL, name="Purchase", reason="denied", count=2)
