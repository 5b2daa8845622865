"""Stored spend: imports replace days and can be undone, one level counts for a day, and names belong to one object."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone as django_timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attribution.spend_samples import ADVERTISER, imported, row
from tiktok_attribution.attribution import spend
from tiktok_attribution.attribution.spend import API, CSV, CannotUndo, Origin
from tiktok_attribution.models import AdSpend, SpendImport

pytestmark = pytest.mark.django_db
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def counted(first: date = FIRST, last: date = LAST, **values: Any) -> dict[date, Decimal]:
    """The spend that counts, by day."""
    found: dict[date, Decimal] = {}
    for one in spend.effective_spend(first, last, **values):
        found[one.day] = found.get(one.day, Decimal(0)) + one.spend
    return found


def total(**values: Any) -> Decimal:
    return sum(counted(**values).values(), Decimal(0))


def march(*days: int, each: str = "10") -> dict[date, Decimal]:
    return {date(2026, 3, day): Decimal(each) for day in days}


# Imports --------------------------------------------------------------------------------------------------------------


def test_an_import_is_a_row_with_its_sums() -> None:
    origin = Origin(source=CSV, user_label="ann", file_name="march.csv", file_hash="ab" * 32)
    rows = [row(1, "12.34"), row(2, "7.66"), row(2, "5", campaign_id="12", currency="USD")]
    made = spend.import_rows(ADVERTISER, "campaign", rows, origin=origin)

    made.refresh_from_db()
    assert (made.rows, made.first_day, made.last_day) == (3, date(2026, 3, 1), date(2026, 3, 2))
    assert made.sums == '{"EUR": "20.00", "USD": "5.00"}'
    assert (made.user_label, made.file_name, made.file_hash, made.source) == ("ann", "march.csv", "ab" * 32, "csv")
    assert spend.same_file(ADVERTISER, "ab" * 32) == made
    assert spend.same_file("7002", "ab" * 32) is None


def test_rows_keep_what_they_say() -> None:
    imported(row(1, "0.123456", clicks=3, impressions=2**40, figures={"conversion": "2"}, adgroup_id="5"))
    stored = AdSpend.objects.get()

    assert (stored.spend, stored.clicks, stored.impressions) == (Decimal("0.123456"), 3, 2**40)
    assert (stored.figures, stored.adgroup_id, stored.campaign_name) == ('{"conversion": "2"}', "5", "Spring")


def test_an_import_replaces_the_days_that_it_has_at_its_level() -> None:
    imported(row(1), row(2), row(3), row(2, campaign_id="12"))
    imported(row(2, "7"), row(4, "7"))

    assert counted() == march(1, 3) | march(2, 4, each="7")


def test_an_import_leaves_other_accounts_and_levels_alone() -> None:
    imported(row(1), advertiser="7002")
    imported(row(1, "10", ad_id="21"), level="ad")
    imported(row(1, "99"))

    assert set(AdSpend.objects.filter(is_current=True).values_list("level", "spend")) == {
        ("campaign", Decimal(10)),
        ("ad", Decimal(10)),
        ("campaign", Decimal(99)),
    }


def test_without_rows_and_period_there_is_no_import() -> None:
    with pytest.raises(ValueError, match="rows or a period"):
        imported()


def test_an_import_that_fails_changes_nothing() -> None:
    imported(row(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        imported(row(1, "7"), row(2, campaign_name=None))

    assert SpendImport.objects.count() == 1
    assert counted() == march(1)


# Undo -----------------------------------------------------------------------------------------------------------------


def test_undo_brings_back_what_was_replaced() -> None:
    imported(row(1), row(2))
    second = imported(row(2, "7"), row(3, "7"))
    spend.undo(second.pk)

    assert counted() == march(1, 2)
    second.refresh_from_db()
    assert second.undone_at is not None


def test_undo_of_an_earlier_import_leaves_the_later_one() -> None:
    imported(row(1, "1"))
    second = imported(row(1, "2"))
    third = imported(row(1, "3"))

    spend.undo(second.pk)
    assert total() == 3
    spend.undo(third.pk)
    assert total() == 1


def test_undo_twice_or_of_nothing_is_refused() -> None:
    made = imported(row(1))
    spend.undo(made.pk)

    with pytest.raises(CannotUndo, match="undone before"):
        spend.undo(made.pk)
    with pytest.raises(CannotUndo, match="no import"):
        spend.undo(made.pk + 999)
    assert counted() == {}


def test_an_old_import_is_final_and_its_replaced_rows_are_deleted() -> None:
    imported(row(1, "1"))
    second = imported(row(1, "2"))
    SpendImport.objects.update(created_at=django_timezone.now() - timedelta(days=31))

    with pytest.raises(CannotUndo, match="final"):
        spend.undo(second.pk)
    imported(row(5))
    assert AdSpend.objects.filter(is_current=False).count() == 0


def test_a_file_that_was_undone_may_come_again() -> None:
    made = spend.import_rows(ADVERTISER, "campaign", [row(1)], origin=Origin(source=CSV, file_hash="a"))
    spend.undo(made.pk)
    assert spend.same_file(ADVERTISER, "a") is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("import"), st.sets(st.integers(1, 5), min_size=1)),
        st.tuples(st.just("undo"), st.integers(0, 9)),
    ),
    max_size=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(STEPS)
def test_whatever_is_imported_and_undone_the_newest_that_stands_counts(steps: list[tuple[str, Any]]) -> None:
    SpendImport.objects.all().delete()
    standing: list[tuple[int, set[int]]] = []
    for number, (step, what) in enumerate(steps, 1):
        if step == "import":
            standing.append((imported(*(row(day, str(number)) for day in what)).pk, what))
        elif what < len(standing):
            spend.undo(standing.pop(what)[0])
    expected = {day: pk for pk, days in standing for day in days}

    found = AdSpend.objects.filter(is_current=True).values_list("day__day", "spend_import")
    assert dict(found) == expected
    assert len(found) == len(expected)


# Fetches --------------------------------------------------------------------------------------------------------------


def test_a_fetch_replaces_an_earlier_one_without_leaving_rows() -> None:
    imported(row(1), row(2), source=API)
    imported(row(1, "11"), row(2, "12"), source=API)

    assert AdSpend.objects.count() == 2
    assert total() == 23


def test_a_file_that_a_fetch_replaced_comes_back_when_the_last_fetch_is_undone() -> None:
    imported(row(1, "1"))
    imported(row(1, "2"), source=API)
    last = imported(row(1, "3"), source=API)
    assert total() == 3

    spend.undo(last.pk)
    assert total() == 1


def test_a_file_over_a_fetch_can_be_undone() -> None:
    imported(row(1, "2"), source=API)
    spend.undo(imported(row(1, "5")).pk)
    assert total() == 2


# What counts ----------------------------------------------------------------------------------------------------------


def test_levels_are_never_added() -> None:
    imported(row(1, "50.00"))
    imported(row(1, "30.00", ad_id="21"), row(1, "20.00", ad_id="22"), level="ad", source=API)

    assert total() == 50
    assert {one.level for one in spend.effective_spend(FIRST, LAST)} == {"ad"}


@pytest.mark.parametrize(("by_ad", "level"), [("49.60", "ad"), ("49.40", "campaign"), ("55", "ad")])
def test_the_finest_level_that_is_complete_counts(by_ad: str, level: str) -> None:
    imported(row(1, "50.00"))
    imported(row(1, by_ad, ad_id="21"), level="ad")

    assert spend.counting_levels(FIRST, LAST) == {(ADVERTISER, date(2026, 3, 1)): level}
    assert total() == Decimal("50.00" if level == "campaign" else by_ad)


def test_a_level_without_one_of_the_currencies_is_not_complete() -> None:
    imported(row(1, "50"), row(1, "5", campaign_id="12", currency="USD"))
    imported(row(1, "50", ad_id="21"), level="ad")

    assert {one.level for one in spend.effective_spend(FIRST, LAST)} == {"campaign"}


def test_each_day_and_account_has_its_own_level() -> None:
    imported(row(1), row(2), row(3))
    imported(row(2, adgroup_id="5"), level="adgroup")
    imported(row(3, "4", ad_id="21"), level="ad")
    imported(row(1, ad_id="31"), level="ad", advertiser="7002")

    levels = {(one.advertiser, one.day.day): one.level for one in spend.effective_spend(FIRST, LAST)}
    assert levels == {
        (ADVERTISER, 1): "campaign",
        (ADVERTISER, 2): "adgroup",
        (ADVERTISER, 3): "campaign",
        ("7002", 1): "ad",
    }


def test_the_period_has_both_ends_and_accounts_can_be_chosen() -> None:
    imported(row(1), row(2), row(3), row(4))
    imported(row(2), advertiser="7002")

    assert counted(date(2026, 3, 2), date(2026, 3, 3), advertisers=[ADVERTISER]) == march(2, 3)
    assert counted(advertisers=[]) == {}
    assert counted(date(2025, 1, 1), date(2025, 1, 31)) == {}


def test_a_year_of_several_accounts_takes_two_statements(django_assert_num_queries: Any) -> None:
    start = date(2025, 3, 1)
    for advertiser in ("7001", "7002"):
        imported(*(row(start + timedelta(days=day)) for day in range(365)), advertiser=advertiser)
        imported(
            *(row(start + timedelta(days=day), ad_id="1") for day in range(0, 365, 2)),
            level="ad",
            advertiser=advertiser,
        )

    with django_assert_num_queries(2):
        assert len(spend.effective_spend(start, LAST)) == 730


# Known until ----------------------------------------------------------------------------------------------------------


def at(made: SpendImport, *moment: int) -> None:
    aware = datetime(*moment, tzinfo=timezone.utc)  # type: ignore[arg-type]  # year, month, day, hour
    SpendImport.objects.filter(pk=made.pk).update(created_at=aware)


def test_spend_is_known_until_the_last_day_of_an_import() -> None:
    imported(row(1), row(4))
    imported(row(2), advertiser="7002")
    spend.undo(imported(row(9)).pk)

    assert spend.known_until() == {ADVERTISER: date(2026, 3, 4), "7002": date(2026, 3, 2)}


def test_the_day_of_the_import_itself_is_not_over(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": {"7002": {"time_zone": "America/Los_Angeles"}}}
    for advertiser in ("7001", "7002"):
        at(imported(row(10), advertiser=advertiser), 2026, 3, 11, 5)  # the evening of the tenth in Los Angeles

    assert spend.known_until() == {"7001": date(2026, 3, 10), "7002": date(2026, 3, 9)}


def test_a_fetch_without_spend_says_that_there_was_none() -> None:
    imported(row(1), source=API)
    imported(source=API, period=(date(2026, 2, 1), date(2026, 3, 7)))

    assert spend.known_until() == {ADVERTISER: date(2026, 3, 7)}
    assert counted() == march(1)


# Names ----------------------------------------------------------------------------------------------------------------


def test_names_belong_to_the_one_object_that_had_them_in_the_period() -> None:
    imported(
        row(1, campaign_id="11", campaign_name="Spring"),
        row(1, campaign_id="12", campaign_name="Sale"),
        row(2, campaign_id="13", campaign_name="Sale"),
        row(1, campaign_id="", campaign_name="Loose"),
        row(date(2026, 1, 1), campaign_id="14", campaign_name="Spring"),
        row(3, campaign_id="11", campaign_name="Spring 2"),
        row(1, campaign_id="15", campaign_name="spring"),
    )
    found = spend.match_names("campaign", ["Spring", "Sale", "Loose", "Never", "Spring 2", "spring"], FIRST, LAST)

    assert {name: one.object_id or one.problem for name, one in found.items()} == {
        "Spring": "11",
        "Sale": "ambiguous name",
        "Loose": "name without id",
        "Never": "unknown name",
        "Spring 2": "11",
        "spring": "15",
    }


def test_names_of_other_levels_and_accounts() -> None:
    imported(row(1, ad_id="21", ad_name="Dog"), level="ad")
    imported(row(1, ad_id="22", ad_name="Dog"), level="ad", advertiser="7002")

    assert spend.match_names("ad", ["Dog"], FIRST, LAST)["Dog"].problem == "ambiguous name"
    assert spend.match_names("ad", ["Dog"], FIRST, LAST, advertisers=["7002"])["Dog"].object_id == "22"


# Two at once ----------------------------------------------------------------------------------------------------------


@pytest.mark.on_engine("postgres", "mariadb")
@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_do_not_both_count() -> None:
    def run(amount: str) -> None:
        try:
            imported(*(row(day, amount) for day in range(1, 20)))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(str(number),)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert AdSpend.objects.filter(is_current=True).count() == 19
    assert len({one.spend for one in spend.effective_spend(FIRST, LAST)}) == 1
