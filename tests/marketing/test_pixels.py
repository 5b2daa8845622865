"""Pixels and TikTok's counts of their events, against the stand-in and as TikTok's SDK asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tests.marketing.test_reports import ADVERTISER, TOKEN, Made, nothing
from tiktok_attribution.marketing import pixels
from tiktok_attribution.marketing.client import PIXEL_LIST, PIXEL_STATS, Fate, MarketingClient
from tiktok_attribution.marketing.pixels import BuilderRule, EventCount, PixelSetup, fetch_event_counts, fetch_pixels
from tiktok_attribution.marketing.reports import FetchFailed
from tiktok_attribution.testing.server import StandIn

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 30)
RULE = {"trigger": "CLICK", "variable": "ELEMENT", "operator": "EQUALS", "value": "#buy"}


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as started:
        started.marketing.add_account(ADVERTISER, TOKEN)
        yield started


@pytest.fixture
def client(standin: StandIn) -> Iterator[MarketingClient]:
    with MarketingClient(standin.marketing_api_url, 5) as made:
        yield made


def counted(client: Any, *pixel_ids: str) -> list[EventCount]:
    return fetch_event_counts(client, TOKEN, ADVERTISER, pixel_ids, (FIRST, LAST), wait=nothing)


def test_the_setup_of_a_pixel_with_the_rules_of_event_builder(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.add_pixel(
        ADVERTISER,
        "71",
        "C0EXAMPLE",
        pixel_setup_mode="STANDARD",
        advanced_matching_fields={"email": False, "phone_number": True},
        enable_first_party_cookies=False,
        events=[{"event_type": "COMPLETE_PAYMENT", "rules": [RULE]}, {"event_type": "FORM", "rules": None}],
    )
    assert fetch_pixels(client, TOKEN, ADVERTISER, wait=nothing) == [
        PixelSetup(
            pixel_id="71",
            code="C0EXAMPLE",
            mode="STANDARD",
            email_matching=False,
            phone_matching=True,
            first_party_cookies=False,
            builder_rules=(BuilderRule(event="COMPLETE_PAYMENT", **RULE),),
        )
    ]


def test_every_page_of_pixels_is_read(standin: StandIn, client: MarketingClient) -> None:
    for number in range(45):
        standin.marketing.add_pixel(ADVERTISER, str(number), f"C0{number}")
    assert len(fetch_pixels(client, TOKEN, ADVERTISER, wait=nothing)) == 45


def test_counts_of_the_period_only(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.add_pixel(ADVERTISER, "71", "C0EXAMPLE")
    for day, total in ((FIRST, 5), (LAST, 7), (date(2026, 3, 31), 100)):
        standin.marketing.set_count(ADVERTISER, "71", "COMPLETE_PAYMENT", day, total=total, attributed=1)

    assert counted(client, "71") == [EventCount(pixel_id="71", event="COMPLETE_PAYMENT", total=12, attributed=2)]


def test_more_than_ten_pixels_take_several_calls(standin: StandIn, client: MarketingClient) -> None:
    ids = [str(number) for number in range(23)]
    for pixel_id in ids:
        standin.marketing.add_pixel(ADVERTISER, pixel_id, f"C0{pixel_id}")
        standin.marketing.set_count(ADVERTISER, pixel_id, "FORM", FIRST, total=1)

    assert len(counted(client, *ids)) == 23
    assert len(standin.marketing.requests) == 3


def test_too_long_a_period_is_refused_at_home(client: MarketingClient) -> None:
    with pytest.raises(ValueError, match="30 days"):
        fetch_event_counts(client, TOKEN, ADVERTISER, ["71"], (FIRST, date(2026, 3, 31)), wait=nothing)


def test_a_foreign_pixel_stops_it(client: MarketingClient) -> None:
    with pytest.raises(FetchFailed) as failed:
        counted(client, "79")
    assert failed.value.fate is Fate.STOPPED


@pytest.mark.parametrize(
    "data",
    [
        {"stats": [{"pixel_id": "71", "events": [{"event_name": "Lead", "total_count": 3}]}]},
        {"list": [{"pixel_id": "71", "event_code": "Lead", "total_count": 3}, {"pixel_id": "71"}, "x"]},
    ],
)
def test_other_forms_of_the_answer_are_read(data: Any) -> None:
    assert counted(Made(data), "71") == [EventCount(pixel_id="71", event="Lead", total=3)]


@pytest.mark.parametrize("data", [{}, {"list": None}, {"list": ["x", {"total_count": "3"}]}])
def test_what_can_not_be_read_is_no_count(data: Any) -> None:
    assert counted(Made(data), "71") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixel_ids": [str(number) for number in range(11)]}, "from 1 to 10"),
        ({"pixel_ids": []}, "from 1 to 10"),
        ({"date_range": "March"}, "JSON object"),
        ({"date_range": {"start_date": "2026-03-01", "end_date": "2026-03-31"}}, "at most 30 days"),
    ],
)
def test_the_stand_in_refuses_what_tiktok_refuses(
    standin: StandIn, client: MarketingClient, change: dict[str, Any], words: str
) -> None:
    standin.marketing.add_pixel(ADVERTISER, "71", "C0EXAMPLE")
    period = {"start_date": "2026-03-01", "end_date": "2026-03-30"}
    answer = client.get(
        PIXEL_STATS, TOKEN, {"advertiser_id": ADVERTISER, "pixel_ids": ["71"], "date_range": period, **change}
    )
    assert (answer.code, words in answer.message) == (40002, True)
    too_many = client.get(PIXEL_LIST, TOKEN, {"advertiser_id": ADVERTISER, "page_size": 21})
    assert too_many.code == 40002


def test_it_asks_as_the_sdk_asks(standin: StandIn, client: MarketingClient) -> None:
    sdk = pytest.importorskip("business_api_client")
    standin.marketing.add_pixel(ADVERTISER, "71", "C0EXAMPLE")
    fetch_pixels(client, TOKEN, ADVERTISER, wait=nothing)
    counted(client, "71")
    ours = list(standin.marketing.requests)
    standin.marketing.requests.clear()
    configuration = sdk.Configuration()
    configuration.host = standin.url
    api = sdk.MeasurementApi(sdk.ApiClient(configuration))
    api.pixel_list(ADVERTISER, TOKEN, page=1, page_size=pixels.PAGE_SIZE)
    period = sdk.DateRange(start_date="2026-03-01", end_date="2026-03-30")
    api.pixel_event_stats(ADVERTISER, ["71"], period, TOKEN)

    def plain(requests: Any) -> Any:
        return [(one.path, {key: _decoded(text) for key, text in one.parameters.items()}) for one in requests]

    assert plain(standin.marketing.requests) == plain(ours)


def _decoded(text: str) -> Any:
    return json.loads(text) if text[:1] in "[{" else text
