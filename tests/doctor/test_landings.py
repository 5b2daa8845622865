"""What landings and spend say of the ads' links."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.attribution.report_samples import spend
from tiktok_attribution.doctor.landings import FEW, landing_results, link_results
from tiktok_attribution.doctor.result import Level
from tiktok_attribution.models import LandingCount, Touch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ATTRIBUTION": True}


def today() -> Any:
    return datetime.now(tz=timezone.utc).date()


def touch(*, click: int | None = 1, days_ago: float = 1, **fields: Any) -> None:
    at = int(time.time() - days_ago * 86_400)
    Touch.objects.create(visitor_key=uuid.uuid4(), at=at, click_digest=click, **{"campaign_id": "17", **fields})


def found() -> dict[str, str]:
    return {one.id: one.what for one in link_results()}


def test_without_landings_and_spend_nothing_is_said() -> None:
    assert found() == {}


def test_links_that_are_well() -> None:
    touch()
    (one,) = link_results()
    assert (one.id, one.level) == ("landings", Level.OK)


def test_switched_off_it_asks_nothing(settings: Any, django_assert_num_queries: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ATTRIBUTION": False}
    touch(campaign_id="")
    with django_assert_num_queries(0):
        assert list(link_results()) == []


@pytest.mark.parametrize(("outcome", "name"), [("macros", "landings-macros"), ("over_limit", "landings-limit")])
def test_counts_of_the_last_week_are_in_the_overview_too(outcome: str, name: str) -> None:
    LandingCount.objects.create(day=today(), outcome=outcome, count=3)
    LandingCount.objects.create(day=today(), shop="C0OTHER", outcome=outcome, count=4)
    LandingCount.objects.create(day="2020-01-01", outcome=outcome, count=100)
    (one,) = landing_results()
    assert one.id == name
    assert "7 landings" in one.what or one.what.startswith("7 ")


def test_landings_without_a_campaign() -> None:
    touch(campaign_id="")
    touch(campaign_id="", campaign_name="Spring")
    touch()
    assert found() == {"landings-without-campaign": "1 of the newest 3 landings from ads say no campaign."}


def test_landings_whose_click_id_was_dropped() -> None:
    for number in range(FEW):
        touch(click=None if number % 2 else number)
    assert list(found()) == ["landings-without-click"]


def test_a_few_landings_without_a_click_id_prove_nothing() -> None:
    touch(click=None)
    assert found() == {}


def test_a_campaign_that_costs_money_and_lands_nowhere() -> None:
    touch(campaign_id="", campaign_name="Spring")
    spend(day=today(), campaign_id="1", campaign_name="Spring", clicks=1)
    spend(day=today(), campaign_id="2", campaign_name="Summer", clicks=1)
    spend(day=today(), campaign_id="3", campaign_name="Free", clicks=1, amount="0.00")
    told = found()
    assert "Summer" in told["campaigns-without-landings"]
    assert "Spring" not in told["campaigns-without-landings"]
    assert "Free" not in told["campaigns-without-landings"]


def test_clicks_that_never_landed() -> None:
    touch()
    spend(day=today(), campaign_id="17", clicks=FEW)
    assert "clicks-not-landed" in found()
    LandingCount.objects.create(day=today(), outcome="stored", count=FEW)
    assert "clicks-not-landed" not in found()


def test_an_old_landing_says_nothing_of_today() -> None:
    touch(campaign_id="", days_ago=8)
    assert found() == {}
