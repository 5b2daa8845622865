"""The list of conversions behind a figure holds exactly those that the roll-up counted in it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import product

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.attribution.models import Sale
from tests.attribution.samples import DAY, LAPTOP, PHONE, PIXEL, SECOND_PIXEL, clicked, converted, moment_of, worked
from tiktok_attribution.attribution import conversion_search
from tiktok_attribution.attribution.conversion_search import WITHOUT, ConversionSearch, Place, search
from tiktok_attribution.attribution.credit import REPORT_MODELS
from tiktok_attribution.attribution.credited_touches import last_clicks_of
from tiktok_attribution.attribution.days import zone_of
from tiktok_attribution.attribution.report import report
from tiktok_attribution.attribution.report_query import CLOCKS, ReportQuery
from tiktok_attribution.attribution.roll_up import parts_of, with_touches
from tiktok_attribution.models import RecordedConversion, Traffic

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 3)
NOON = moment_of("2026-03-02 12:00")
ACCOUNTS = {"7001234567890123456": {"pixels": [SECOND_PIXEL], "time_zone": "America/Los_Angeles"}}


@pytest.fixture(autouse=True)
def _on(configure: Configure) -> None:
    configure()


def asked(**values: object) -> ReportQuery:
    return ReportQuery(**{"first": FIRST, "last": LAST, **values})  # type: ignore[arg-type]


def found(of: ConversionSearch, **place: Place | None) -> list[int]:
    return search(of, using="default", most=500, **place).pks


def month(seed: int) -> None:
    """Conversions and touches at odd moments: many in one second, some after the order was placed."""
    dice = random.Random(seed)
    for number in range(30):
        at = NOON + dice.randrange(-3 * DAY, 3 * DAY) // 3600 * 3600
        shop = dice.choice((PIXEL, SECOND_PIXEL))
        browser = dice.choice((LAPTOP, PHONE))
        for _ in range(dice.randrange(3)):
            traffic = dice.choice((*Traffic.values, "paid"))
            campaign = dice.choice("ABC")
            clicked(
                at - dice.randrange(9 * DAY) // 3600 * 3600,
                campaign if dice.random() < 0.6 else "",
                campaign_name=dice.choice((f"Campaign {campaign}", "")),
                browser=browser,
                shop=shop,
                traffic=traffic,
                landing_path=dice.choice(("/a/", "/b/")),
            )
        placed_at = at - DAY if dice.random() < 0.3 else None
        converted(at, event_id=f"sale-{number}", shop=shop, visitor_key=browser, placed_at=placed_at)
    worked(NOON + 10 * DAY)


def counted(query: ReportQuery) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The conversions that the roll-up's own rule counts in this period, with what brought each."""
    days = {query.first + timedelta(days=number) for number in range(query.days)}
    pks = RecordedConversion.objects.values_list("pk", flat=True)
    for conversion, touches in with_touches(list(pks), using="default"):
        for part in parts_of(conversion, touches, zone_of(conversion.shop)):
            key = part.key
            is_asked = (key.clock, key.model, key.window) == (query.clock, query.model, query.window)
            if is_asked and part.day in days and query.shop in ("", conversion.shop):
                yield conversion.pk, key.source


@pytest.mark.parametrize("other_channels", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_each_figure_leads_to_what_it_counts(configure: Configure, seed: int, other_channels: bool) -> None:
    configure(MARKETING_API=ACCOUNTS, other_channels=other_channels)
    month(seed)
    seen = 0
    for clock, model, window, shop in product(CLOCKS, REPORT_MODELS, (1, 7), ("", SECOND_PIXEL)):
        query = asked(clock=clock, model=model, window=window, shop=shop)
        wanted = list(counted(query))
        assert set(found(ConversionSearch(query=query))) == {pk for pk, _ in wanted}
        for traffic in (*Traffic.values, WITHOUT):
            told = traffic if traffic != WITHOUT else ""
            theirs = {pk for pk, source in wanted if source[0] == told}
            assert set(found(ConversionSearch(query=query, traffic=traffic))) == theirs
        for by in ("campaign", "landing"):
            one = asked(clock=clock, model=model, window=window, shop=shop, by=by)
            rows = report(one, using="default", today=LAST).rows
            listed = {row.key: set(found(ConversionSearch(query=one, row=row.key))) for row in rows}
            assert set().union(*listed.values()) == {pk for pk, source in wanted if source[0] == "paid"}
            if model != "linear":
                counts = {row.key: row.figures.conversions for row in rows if row.figures.conversions}
                assert {key: len(pks) for key, pks in listed.items() if pks} == counts
            seen += len(rows)
    assert seen > 20


def test_pages_hold_every_conversion_once_in_both_directions() -> None:
    for number in range(23):
        converted(NOON + number // 4, event_id=f"sale-{number}")
    of = ConversionSearch(query=asked())
    every = found(of)
    place = {row.pk: (row.at, row.pk) for row in RecordedConversion.objects.all()}
    pages, before = [], None
    while True:
        page = search(of, using="default", most=5, before=before)
        pages.append(page.pks)
        if not page.has_more:
            break
        before = place[page.pks[-1]]
    assert [pk for page in pages for pk in page] == every
    assert len(every) == 23
    back = search(of, using="default", most=5, after=place[pages[2][0]])
    assert (back.pks, back.has_more) == (pages[1], True)
    assert search(of, using="default", most=5, after=place[pages[1][0]]).pks == pages[0]


def test_a_scan_stops_and_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion_search, "MOST_SCANNED", 10)
    clicked(NOON - DAY, "A", browser=PHONE)
    for number in range(25):
        converted(NOON - number, event_id=f"sale-{number}", visitor_key=PHONE if number == 24 else None)
    worked(NOON + DAY)
    of = ConversionSearch(query=asked(), traffic="paid")
    first = search(of, using="default", most=5)
    assert (first.pks, first.looked_to is not None) == ([], True)
    second = search(of, using="default", most=5, before=first.looked_to)
    third = search(of, using="default", most=5, before=second.looked_to)
    assert [len(second.pks), len(third.pks), third.looked_to] == [0, 1, None]
    back = search(of, using="default", most=5, after=(NOON - 20, 0))
    assert (back.pks, back.looked_to is not None) == ([], True)


def test_a_row_that_nothing_stands_for_finds_nothing() -> None:
    converted(NOON)
    assert found(ConversionSearch(query=asked(), row="~no such campaign")) == []


def test_the_last_click_of_objects_costs_one_statement() -> None:
    sales = [Sale.objects.create(status="new") for _ in range(4)]
    clicked(NOON - 2 * DAY, "A", browser=LAPTOP)
    clicked(NOON - 3 * DAY, "", campaign_name="", browser=PHONE)
    for sale, browser in zip(sales, (LAPTOP, PHONE, None), strict=False):
        converted(NOON, event_id=f"x{sale.pk}", object_label="shop.Sale", object_pk=str(sale.pk), visitor_key=browser)
    worked(NOON + DAY)
    with CaptureQueriesContext(connection) as statements:
        told = last_clicks_of(sales)
    assert len(statements) == 1
    keys = [str(sale.pk) for sale in sales]
    assert [told.get(key) for key in keys] == [("Campaign A", 2 * DAY), ("", 3 * DAY), ("", None), None]


def test_without_attribution_nothing_is_asked(configure: Configure) -> None:
    configure(ATTRIBUTION=False)
    sale = Sale.objects.create(status="new")
    with CaptureQueriesContext(connection) as statements:
        assert last_clicks_of([sale]) == {}
    assert len(statements) == 0
