"""Reports against the stand-in: pages, spans, deleted objects, refusals, and requests as TikTok's SDK makes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tiktok_attribution.marketing import reports
from tiktok_attribution.marketing.client import ACCESS_TOKEN, ADVERTISER_INFO, REPORT, Answer, Fate, MarketingClient
from tiktok_attribution.marketing.exchange import exchange_code
from tiktok_attribution.marketing.reports import FetchFailed, account_info, fetch_report, read_zone
from tiktok_attribution.testing.marketing import Ad
from tiktok_attribution.testing.server import StandIn

ADVERTISER, TOKEN = "7001234567890123456", "marketing-token"
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 30)
DOG = Ad(ad_id="31", adgroup_id="21", campaign_id="11", ad_name="Dog", adgroup_name="Pets", campaign_name="Spring")


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as started:
        started.marketing.add_account(ADVERTISER, TOKEN, time_zone="America/Los_Angeles", currency="USD")
        yield started


@pytest.fixture
def client(standin: StandIn) -> Iterator[MarketingClient]:
    with MarketingClient(standin.marketing_api_url, 5) as made:
        yield made


def nothing(seconds: float) -> None:
    """Don't wait."""


def fetched(
    client: MarketingClient, level: str = "ad", first: date = FIRST, last: date = LAST, token: str = TOKEN
) -> Any:
    return fetch_report(client, token, ADVERTISER, level, (first, last), wait=nothing)


def failed(client: MarketingClient, **values: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as failure:
        fetched(client, **values)
    return failure.value


def test_rows_are_texts_as_they_came(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.set_day(ADVERTISER, DOG, FIRST, spend="12.34", impressions=1000, complete_payment=2)
    (row,) = fetched(client)

    assert (row.day, row.object_id) == ("2026-03-01 00:00:00", "31")
    found = {name: row.metrics[name] for name in ("spend", "currency", "campaign_id", "adgroup_name", "form")}
    assert found == {"spend": "12.34", "currency": "USD", "campaign_id": "11", "adgroup_name": "Pets", "form": "-"}


def test_levels_above_are_sums(standin: StandIn, client: MarketingClient) -> None:
    for key in ("31", "32"):
        ad = Ad(ad_id=key, adgroup_id=f"2{key}", campaign_id="11")
        standin.marketing.set_day(ADVERTISER, ad, FIRST, spend="5.00")

    assert [(row.object_id, row.metrics["spend"]) for row in fetched(client, "campaign")] == [("11", "10.00")]
    assert [row.object_id for row in fetched(client, "adgroup")] == ["231", "232"]


def test_every_page_is_read(standin: StandIn, client: MarketingClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PAGE_SIZE", 3)
    for number in range(10):
        standin.marketing.set_day(ADVERTISER, DOG, FIRST + timedelta(days=number), spend="1")

    assert len(fetched(client)) == 10
    assert [request.parameters["page"] for request in standin.marketing.requests] == ["1", "2", "3", "4"]


def test_a_longer_period_is_asked_in_spans_of_thirty_days(standin: StandIn, client: MarketingClient) -> None:
    for number in range(65):
        standin.marketing.set_day(ADVERTISER, DOG, FIRST + timedelta(days=number), spend="1")

    assert len(fetched(client, last=FIRST + timedelta(days=64))) == 65
    spans = [(one.parameters["start_date"], one.parameters["end_date"]) for one in standin.marketing.requests]
    assert spans == [("2026-03-01", "2026-03-30"), ("2026-03-31", "2026-04-29"), ("2026-04-30", "2026-05-04")]


@pytest.mark.parametrize("level", ["campaign", "adgroup", "ad"])
def test_deleted_objects_come_too(standin: StandIn, client: MarketingClient, level: str) -> None:
    gone = Ad(ad_id="39", adgroup_id="29", campaign_id="19", deleted=True)
    standin.marketing.set_day(ADVERTISER, gone, FIRST, spend="7")

    assert [row.metrics["spend"] for row in fetched(client, level)] == ["7"]


@pytest.mark.parametrize(
    ("code", "fate", "asked"),
    [(40100, Fate.LIMITED, 1), (40001, Fate.STOPPED, 1), (40002, Fate.REFUSED, 1), (50000, Fate.AGAIN, 3)],
)
def test_a_refusal_ends_it_and_trouble_is_tried_thrice(
    standin: StandIn, client: MarketingClient, code: int, fate: Fate, asked: int
) -> None:
    standin.marketing.fail(code, times=9)
    assert failed(client).fate is fate
    assert len(standin.marketing.requests) == asked


def test_trouble_that_passes_is_none(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.set_day(ADVERTISER, DOG, FIRST, spend="1")
    standin.marketing.fail(51010, times=2)
    assert len(fetched(client)) == 1


def test_a_wrong_token_and_a_foreign_account_stop_it(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.add_account("7002", "another-token")
    assert failed(client, token="wrong").fate is Fate.STOPPED
    assert failed(client, token="another-token").fate is Fate.STOPPED


class Made:
    """A client whose answers are given."""

    def __init__(self, *data: Any) -> None:
        self._data = list(data)

    def get(self, path: str, token: str, parameters: Any) -> Answer:
        return Answer(code=0, data=self._data.pop(0))


GOOD = {"dimensions": {"ad_id": "1", "stat_time_day": "2026-03-01"}, "metrics": {"spend": "1"}}


@pytest.mark.parametrize(
    "data",
    [
        ({},),
        ({"list": {}, "page_info": {}},),
        ({"list": [{}], "page_info": {"total_page": 1}},),
        ({"list": [GOOD], "page_info": {"total_page": 1, "total_number": 2}},),
        (
            {"list": [GOOD], "page_info": {"total_page": 2}},
            {"list": [], "page_info": {"total_page": 2, "total_number": 2}},
        ),
    ],
)
def test_a_report_that_is_not_whole_is_none(data: Any) -> None:
    assert failed(Made(*data)).fate is Fate.AGAIN  # type: ignore[arg-type]


def test_the_account_tells_zone_and_currency(standin: StandIn, client: MarketingClient) -> None:
    info = account_info(client, TOKEN, ADVERTISER, wait=nothing)
    assert (str(info.time_zone), info.currency) == ("America/Los_Angeles", "USD")


@pytest.mark.parametrize(
    ("name", "offset"),
    [("UTC+08:00", 8), ("UTC-3", -3), ("UTC", 0), ("GMT+5:30", 5.5), ("Asia/Tokyo", 9), ("Etc/GMT-8", 8)],
)
def test_zones(name: str, offset: float) -> None:
    zone = read_zone(name)
    assert zone is not None
    assert zone.utcoffset(__import__("datetime").datetime(2026, 1, 1)) == timedelta(hours=offset)


@pytest.mark.parametrize("name", ["", "Mars", "UTC+99", "UTC+x", "../etc/passwd", "UTC+1:xx", "\0"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert read_zone(name) is None


# TikTok's SDK -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sdk(standin: StandIn) -> Any:
    found = pytest.importorskip("business_api_client")
    configuration = found.Configuration()
    configuration.host = standin.url
    return found, found.ApiClient(configuration)


@pytest.mark.parametrize("level", ["campaign", "adgroup", "ad"])
def test_a_report_is_asked_for_as_the_sdk_asks(standin: StandIn, client: MarketingClient, sdk: Any, level: str) -> None:
    package, api = sdk
    fetched(client, level)
    (ours,) = standin.marketing.requests
    standin.marketing.requests.clear()
    given = {**reports._parameters(ADVERTISER, level, FIRST, LAST), "page": 1}
    package.ReportingApi(api).report_integrated_get(given.pop("report_type"), TOKEN, **given)

    assert standin.marketing.requests == [ours]
    assert ours.path == REPORT


def test_an_account_is_asked_for_as_the_sdk_asks(standin: StandIn, client: MarketingClient, sdk: Any) -> None:
    package, api = sdk
    account_info(client, TOKEN, ADVERTISER, wait=nothing)
    (ours,) = standin.marketing.requests
    standin.marketing.requests.clear()
    fields = ["advertiser_id", "timezone", "display_timezone", "currency"]
    package.AccountManagementApi(api).advertiser_info([ADVERTISER], TOKEN, fields=fields)

    assert standin.marketing.requests == [ours]
    assert ours.path == ADVERTISER_INFO


def test_a_code_is_exchanged_as_the_sdk_does(standin: StandIn, client: MarketingClient, sdk: Any) -> None:
    package, api = sdk
    standin.marketing.grant("1", "secret", "code", token="new", advertiser_ids=[ADVERTISER])
    ours = exchange_code(client, "1", "secret", "code")
    standin.marketing.grant("1", "secret", "code", token="new", advertiser_ids=[ADVERTISER])
    body = package.Oauth2AccessTokenBody(app_id="1", secret="secret", auth_code="code")
    told = package.AuthenticationApi(api).oauth2_access_token(body=body)

    assert (str(ours.token), ours.advertiser_ids) == ("new", (ADVERTISER,))
    assert "new" in str(told)
    assert {request.path for request in standin.marketing.requests} == {ACCESS_TOKEN}


# What the stand-in refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"end_date": "2026-03-31"}, "at most 30 days"),
        ({"end_date": "2026-02-01"}, "at most 30 days"),
        ({"end_date": "March"}, "must be YYYY-MM-DD"),
        ({"page_size": 1001}, "must be from 1 to 1000"),
        ({"page": 0}, "must be from 1"),
        ({"metrics": ["spend", "nonsense"]}, "nonsense is not supported"),
        ({"metrics": "spend"}, "must be a JSON list"),
        ({"dimensions": ["campaign_id", "stat_time_day"]}, "must be ad_id"),
        ({"data_level": "ALL"}, "data_level"),
        ({"report_type": "CATALOG"}, "report_type"),
        ({"filtering": [{"field": "x"}]}, "filter_type"),
        ({"colour": "red"}, "unknown parameter"),
        ({"metrics": [1, {}, []]}, "must hold texts"),
        ({"page": "9" * 5000}, "must be from 1"),
        ({"filtering": [1]}, "filter_type"),
        ({"dimensions": "[" * 9999}, "must be a JSON list"),
    ],
)
def test_the_stand_in_refuses_what_tiktok_refuses(
    standin: StandIn, client: MarketingClient, change: dict[str, Any], words: str
) -> None:
    parameters = {**reports._parameters(ADVERTISER, "ad", FIRST, LAST), "page": 1, **change}
    answer = client.get(REPORT, TOKEN, parameters)

    assert (answer.code, answer.fate) == (40002, Fate.REFUSED)
    assert words in answer.message


def test_without_the_filter_deleted_objects_are_left_out(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.set_day(
        ADVERTISER, Ad(ad_id="39", adgroup_id="29", campaign_id="19", deleted=True), FIRST, spend="7"
    )
    parameters = {**reports._parameters(ADVERTISER, "ad", FIRST, LAST), "filtering": []}
    assert client.get(REPORT, TOKEN, parameters).data["list"] == []


def test_a_code_is_valid_once(standin: StandIn, client: MarketingClient) -> None:
    standin.marketing.grant("1", "secret", "code", token="new", advertiser_ids=[])
    exchange_code(client, "1", "secret", "code")
    with pytest.raises(FetchFailed, match="authorize the app again"):
        exchange_code(client, "1", "secret", "code")


def test_another_process_can_fill_the_stand_in(standin: StandIn, client: MarketingClient) -> None:
    import requests  # noqa: PLC0415 -- the package's own rule is about the package

    day = {"advertiser_id": "7003", "day": "2026-03-01", "ad": {"ad_id": "1", "adgroup_id": "2", "campaign_id": "3"}}
    order = {"accounts": [{"advertiser_id": "7003", "token": "t"}], "days": [{**day, "spend": "1.50"}]}
    address = f"{standin.url}/standin/marketing"

    assert requests.post(address, json=order, timeout=5).status_code == 200
    assert len(fetch_report(client, "t", "7003", "ad", (FIRST, LAST), wait=nothing)) == 1
    for wrong in ([], {"x": 1}, {"days": [{}]}, {"accounts": [{"colour": 1}]}):
        assert requests.post(address, json=wrong, timeout=5).status_code == 400
