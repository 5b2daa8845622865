"""Fetched spend: 35 days again each day, late changes, reports that shrink, limits, tokens that a person must fix."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone as django_timezone

from tests.attribution.spend_samples import imported, row
from tiktok_attribution import conf, tasks
from tiktok_attribution.attribution import spend, spend_fetch
from tiktok_attribution.attribution.spend_fetch import Fetched
from tiktok_attribution.delivery import turns
from tiktok_attribution.marketing.client import Fate
from tiktok_attribution.models import AdSpend, Heartbeat, SpendImport
from tiktok_attribution.testing.marketing import Ad, Marketing
from tiktok_attribution.testing.server import StandIn

pytestmark = pytest.mark.django_db
ADVERTISER, TOKEN = "7001234567890123456", "marketing-token"
DOG = Ad(ad_id="31", adgroup_id="21", campaign_id="11", ad_name="Dog", adgroup_name="Pets", campaign_name="Spring")
CAT = Ad(ad_id="32", adgroup_id="21", campaign_id="11", ad_name="Cat", adgroup_name="Pets", campaign_name="Spring")


def today() -> date:
    return datetime.now(timezone.utc).date()


def ago(days: int) -> date:
    return today() - timedelta(days=days)


@pytest.fixture
def marketing(tiktok_standin: StandIn, settings: Any) -> Marketing:
    tiktok_standin.marketing.add_account(ADVERTISER, TOKEN, time_zone="UTC", currency="EUR")
    _accounts(settings, {ADVERTISER: {"token": TOKEN}})
    return tiktok_standin.marketing


def _accounts(settings: Any, accounts: dict[str, Any]) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "MARKETING_API": accounts}


def fetch(advertiser: str = ADVERTISER) -> Fetched:
    return spend_fetch.fetch(conf.current().marketing_api[advertiser], wait=lambda seconds: None)


def total() -> Decimal:
    return sum((one.spend for one in spend.effective_spend(ago(400), today())), Decimal(0))


def levels() -> set[str]:
    return {one.level for one in spend.effective_spend(ago(400), today())}


def test_all_three_levels_are_stored_and_the_finest_counts(marketing: Marketing) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(1), spend="12.34", impressions=1000, clicks=20, complete_payment=2)
    marketing.set_day(ADVERTISER, CAT, ago(34), spend="7.66", total_complete_payment_rate="55.5")
    marketing.set_day(ADVERTISER, CAT, ago(35), spend="99")

    assert fetch() == Fetched(advertiser=ADVERTISER, fate=Fate.OK, rows=6)
    assert (total(), levels()) == (Decimal("20.00"), {"ad"})
    stored = AdSpend.objects.get(level="ad", day=ago(1))
    assert (stored.campaign_id, stored.campaign_name, stored.adgroup_name, stored.ad_name) == (
        *("11", "Spring"),
        *("Pets", "Dog"),
    )
    assert (stored.impressions, stored.clicks, stored.currency) == (1000, 20, "EUR")
    assert stored.figures == '{"complete_payment": "2"}'
    assert {one.source for one in SpendImport.objects.all()} == {"api"}
    assert spend.known_until() == {ADVERTISER: ago(1)}


def test_late_changes_replace_what_was_known(marketing: Marketing) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(20), spend="10")
    fetch()
    marketing.set_day(ADVERTISER, DOG, ago(20), spend="9.50", complete_payment=3)
    marketing.set_day(ADVERTISER, CAT, ago(20), spend="1")

    assert fetch().notes == ()
    assert total() == Decimal("10.50")
    assert AdSpend.objects.filter(level="ad").count() == 2


def test_a_report_that_shrinks_is_said_and_the_day_is_kept(marketing: Marketing) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(3), spend="10")
    marketing.set_day(ADVERTISER, CAT, ago(3), spend="5")
    marketing.set_day(ADVERTISER, DOG, ago(2), spend="4")
    fetch()
    marketing.reset()
    marketing.add_account(ADVERTISER, TOKEN, time_zone="UTC", currency="EUR")
    marketing.set_day(ADVERTISER, DOG, ago(3), spend="11")
    marketing.set_day(ADVERTISER, DOG, ago(2), spend="6")

    result = fetch()
    assert result.fate is Fate.OK
    assert f"less than before for 1 days ({ago(3).isoformat()})" in result.notes[0]
    assert [one.spend for one in AdSpend.objects.filter(level="ad", day=ago(3), is_current=True).order_by("ad_id")] == [
        10,
        5,
    ]
    assert total() == 21


def test_an_empty_report_removes_nothing(marketing: Marketing) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(3), spend="10")
    fetch()
    marketing.reset()
    marketing.add_account(ADVERTISER, TOKEN, time_zone="UTC", currency="EUR")

    assert len(fetch().notes) == 3
    assert total() == 10


def test_a_deleted_and_renamed_ad_stays(marketing: Marketing) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(3), spend="10")
    fetch()
    gone = Ad(ad_id="31", adgroup_id="21", campaign_id="11", ad_name="Old dog", campaign_name="Spring", deleted=True)
    marketing.set_day(ADVERTISER, gone, ago(3), spend="10")

    assert fetch().notes == ()
    assert AdSpend.objects.get(level="ad", is_current=True).ad_name == "Old dog"


def test_a_csv_is_replaced_and_comes_back_by_undo(marketing: Marketing) -> None:
    imported(row(ago(2), "50"), advertiser=ADVERTISER)
    marketing.set_day(ADVERTISER, DOG, ago(2), spend="50")
    fetch()
    assert (total(), levels()) == (50, {"ad"})

    for one in SpendImport.objects.filter(source="api"):
        spend.undo(one.pk)
    assert (total(), levels()) == (50, {"campaign"})


def test_texts_of_tiktok_become_exact_amounts(marketing: Marketing, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"spend": "12.3456789", "currency": "-", "impressions": "-", "clicks": "1E+1", "conversion": "-"}
    found = [spend_fetch.ReportRow(day=ago(2).isoformat(), object_id="1", metrics=metrics)]
    monkeypatch.setattr(spend_fetch, "fetch_report", lambda *arguments, **options: found)
    assert fetch().fate is Fate.OK

    stored = AdSpend.objects.filter(level="ad").get()
    assert (stored.spend, stored.currency, stored.impressions, stored.clicks, stored.figures) == (
        *(Decimal("12.345679"), "EUR", None, 10),
        "{}",
    )


@pytest.mark.parametrize("metrics", [{"spend": "-"}, {"spend": "abc"}, {"spend": "-1"}, {"spend": "NaN"}, {}])
def test_a_row_that_can_not_be_read_leaves_its_day_alone(
    marketing: Marketing, metrics: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [spend_fetch.ReportRow(day=f"{ago(2)} 00:00:00", object_id="1", metrics={"currency": "EUR", **metrics})]
    monkeypatch.setattr(spend_fetch, "fetch_report", lambda *arguments, **options: found)

    assert "can't be read" in fetch().notes[0]
    assert total() == 0


@pytest.mark.parametrize(
    ("code", "fate", "words"),
    [
        (40100, Fate.LIMITED, "fetched again in an hour"),
        (40001, Fate.STOPPED, "permission Reporting"),
        (40102, Fate.STOPPED, "permission Reporting"),
        (40105, Fate.STOPPED, "permission Reporting"),
        (51000, Fate.AGAIN, "fetched again in an hour"),
        (40002, Fate.REFUSED, "import a CSV"),
    ],
)
def test_a_failure_says_what_to_do(marketing: Marketing, code: int, fate: Fate, words: str) -> None:
    marketing.fail(code, times=5)
    result = fetch()

    assert (result.fate, result.rows) == (fate, 0)
    assert words in result.notes[-1]
    assert TOKEN not in str(result)


def test_what_came_before_a_limit_is_kept(marketing: Marketing, monkeypatch: pytest.MonkeyPatch) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(2), spend="50")
    whole = spend_fetch.fetch_report

    def limited(*arguments: Any, **options: Any) -> Any:
        if arguments[3] == "ad":
            raise spend_fetch.FetchFailed(Fate.LIMITED, "40100 Too many requests")
        return whole(*arguments, **options)

    monkeypatch.setattr(spend_fetch, "fetch_report", limited)
    assert (fetch().fate, total(), levels()) == (Fate.LIMITED, 50, {"adgroup"})


def test_an_account_in_another_zone_or_currency_is_told(marketing: Marketing, settings: Any) -> None:
    marketing.add_account(ADVERTISER, TOKEN, time_zone="Asia/Tokyo", currency="JPY")
    _accounts(settings, {ADVERTISER: {"token": TOKEN, "currency": "EUR"}})

    assert fetch().notes == (
        "Its days are those of Asia/Tokyo. Set 'time_zone' to that zone in MARKETING_API, or its days are wrong.",
        "Its currency is JPY, and MARKETING_API says EUR.",
    )


def test_a_callable_without_a_token_stops_it(marketing: Marketing, settings: Any) -> None:
    _accounts(settings, {ADVERTISER: {"token": lambda advertiser_id: ""}})
    assert fetch().fate is Fate.STOPPED
    assert not spend_fetch.is_due()  # a person must act


@pytest.mark.privacy
def test_no_frame_of_an_error_holds_the_token(marketing: Marketing, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("unexpected")

    monkeypatch.setattr("requests.Session.get", fails)
    with pytest.raises(RuntimeError) as failed:
        fetch()
    trace, held = failed.value.__traceback__, []
    while trace is not None:
        held += [name for name, one in trace.tb_frame.f_locals.items() if TOKEN in repr(one)]
        trace = trace.tb_next
    assert held == []


# The background -------------------------------------------------------------------------------------------------------


def forget_try() -> None:
    Heartbeat.objects.filter(pk="spend-fetch").delete()


def test_it_is_due_once_an_hour_until_each_account_was_fetched(marketing: Marketing) -> None:
    assert spend_fetch.is_due()
    assert not spend_fetch.is_due()  # another process

    spend_fetch.fetch_waiting()
    forget_try()
    assert not spend_fetch.is_due()
    SpendImport.objects.update(created_at=django_timezone.now() - timedelta(hours=21))
    forget_try()
    assert spend_fetch.is_due()


def test_after_a_limit_it_is_due_again(marketing: Marketing) -> None:
    marketing.fail(40100)
    assert [one.fate for one in spend_fetch.fetch_waiting()] == [Fate.LIMITED]
    forget_try()
    assert spend_fetch.is_due()


def test_a_token_that_a_person_must_fix_is_left_alone_for_a_day(
    marketing: Marketing, caplog: pytest.LogCaptureFixture
) -> None:
    marketing.fail(40105)
    spend_fetch.fetch_waiting()
    forget_try()

    assert not spend_fetch.is_due()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert TOKEN not in caplog.text
    assert fetch().fate is Fate.OK  # by a person's command
    SpendImport.objects.all().delete()
    forget_try()
    assert spend_fetch.is_due()


def test_one_account_that_fails_does_not_stop_the_others(marketing: Marketing, settings: Any) -> None:
    _accounts(settings, {"7002": {"token": "wrong"}, ADVERTISER: {"token": TOKEN}, "7003": {}})
    assert {one.advertiser: one.fate for one in spend_fetch.fetch_waiting()} == {
        "7002": Fate.STOPPED,
        ADVERTISER: Fate.OK,
    }


def test_without_a_token_nothing_is_due(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": {ADVERTISER: {"currency": "EUR"}}}
    assert not spend_fetch.is_due()
    assert not Heartbeat.objects.exists()


def test_the_sweep_publishes_it_and_the_task_fetches(marketing: Marketing, monkeypatch: pytest.MonkeyPatch) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(2), spend="50")
    published = []
    monkeypatch.setattr(tasks, "_publish", lambda task, *arguments, **options: published.append(task))
    tasks.sweep()
    assert tasks.fetch_spend in published

    tasks.fetch_spend()
    assert total() == 50
    assert turns.SPEND == "spend"


# The command ----------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    told = StringIO()
    call_command("tiktok_spend", "--fetch", *arguments, stdout=told)
    return told.getvalue()


def test_the_command_fetches_now(marketing: Marketing) -> None:
    marketing.set_day(ADVERTISER, DOG, ago(2), spend="50")
    assert run() == f"{ADVERTISER}: 3 rows\n"
    assert total() == 50


def test_the_command_says_what_failed(marketing: Marketing) -> None:
    marketing.fail(40105)
    with pytest.raises(CommandError, match=f"Not fetched whole: {ADVERTISER}"):
        run()


@pytest.mark.usefixtures("marketing")
def test_the_command_needs_an_account_with_a_token() -> None:
    with pytest.raises(CommandError, match="has a token"):
        run("--advertiser=7009")
