"""What a real browser's landing brings, from the ad's address over the banner and the order to the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.example.shopper import Shopper

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.on_engine("sqlite")]

PATIENCE_SECONDS = 120.0  # the worker computes attribution every 20 seconds


def test_the_report_knows_the_ads_of_those_who_agreed(stage: Any, demo: Any, chromium: Browser) -> None:
    campaigns = demo.campaigns
    day = campaigns.today()
    campaigns.import_spend(stage, day)
    for answer, campaign, click in (
        ("Accept", campaigns.SPRING, "E.C.P.browser-1"),
        ("Refuse", campaigns.MATCHA, "E.C.P.browser-2"),
    ):
        context = chromium.new_context()
        shopper = Shopper(stage, context)
        shopper.goto(f"/products/tenmoku-bowl/?{urlencode(campaign.landing(click))}")
        assert not _keys(shopper), "a landing leaves nothing before the visitor answers"
        shopper.answer(answer)
        shopper.page.wait_for_load_state("networkidle")
        shopper.add_to_cart(".buy")
        shopper.order()
        assert bool(_keys(shopper)) is (answer == "Accept")
        assert (shopper.errors, shopper.refused()) == ([], [])
        context.close()

    def conversions() -> Mapping[str, Any]:
        return {name: row[0] for name, row in campaigns.figures(stage, day)["campaigns"].items()}

    expected = {"Spring teapots": "1", "Evening tea": "0", "Matcha at home": "0"}
    assert stage.wait_until(lambda: conversions() == expected, PATIENCE_SECONDS), conversions()
    found = campaigns.figures(stage, day)
    assert found["campaigns"]["Spring teapots"][1:5] == ("38.00", "0.00", "40.00", "0.9500")
    assert found["conversions"] == {"ads": "1", "organic": "0", "other": "0", "without": "0"}
    assert (found["landings"], found["refused"]) == (1, 1)
    (brought,) = map(json.loads, stage.manage("brought").splitlines())
    assert brought["touches"] == ["Spring teapots"]


def _keys(shopper: Shopper) -> list[str]:
    return [one["name"] for one in shopper.context.cookies() if one["name"] == "tiktok_visitor"]
