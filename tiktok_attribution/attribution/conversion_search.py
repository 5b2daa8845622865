"""Find the recorded conversions that a figure of the report counts, a page at a time.

`ConversionSearch` is the question, in the report's own words: period, clock, model, window, filters, and what brought
the conversion. `search` answers with the keys of one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from tiktok_attribution import conf
from tiktok_attribution.attribution.credit import DAY_SECONDS
from tiktok_attribution.attribution.credited_touches import credited_row, eligible_rows, is_for_one
from tiktok_attribution.attribution.days import bounds_of, zone_of
from tiktok_attribution.attribution.report_query import LEVELS, ReportQuery
from tiktok_attribution.attribution.report_rows import Listed
from tiktok_attribution.attribution.report_sums import Rates, spend_rows
from tiktok_attribution.models import Clock, ConversionTouch, RecordedConversion, Traffic

WITHOUT = "none"
"""The value of `traffic` for conversions that no touch in the window led to."""
MOST_SCANNED = 10_000
"""Conversions that one page looks at, if it has to look at their touches."""
MOST_SOURCES = 100
"""Combinations of ids and names that one row of the report may stand for here."""

Place = tuple[int, int]
"""Where a page begins: time and key of a conversion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversionSearch:
    """Which conversions are asked for. `query.by` and `row` choose one row of the report; None chooses none.

    `traffic` is one of `Traffic`, WITHOUT, or "" for all.
    """

    query: ReportQuery
    traffic: str = ""
    row: str | None = None

    @property
    def needs_touches(self) -> bool:
        """Whether the answer depends on the touches of a conversion."""
        return bool(self.traffic) or self.row is not None or self.query.clock == Clock.CLICK


class FoundPage(NamedTuple):
    """The keys of one page, the newest conversion first.

    `has_more` says whether there are more on the far side. `looked_to` is where the scan stopped before the page was
    full; None if it came to the end of the period.
    """

    pks: list[int]
    has_more: bool
    looked_to: Place | None = None


# Decision: no column holds the credits of a conversion, because they follow from touches, refunds and settings. So a
# list by campaign looks at touches, conversion by conversion in the order of time. It looks at MOST_SCANNED of them and
# then says how far it came. A page without such a filter reads the rows that it lists.
def search(
    asked: ConversionSearch, *, using: str, most: int, before: Place | None = None, after: Place | None = None
) -> FoundPage:
    """Return a page of conversions older than `before`, or newer than `after`; the newest page without both."""
    condition = _condition(asked, using)
    if condition is None:
        return FoundPage([], has_more=False)
    rows = _narrowed(asked.query, using)
    down = after is None
    order = ("-at", "-pk") if down else ("at", "pk")
    if before is not None and down:
        rows = rows.filter(_older(before))
    if after is not None:
        rows = rows.filter(_newer(after))
    edge = None
    if asked.needs_touches:
        edge = rows.order_by(*order).values_list("at", "pk")[MOST_SCANNED - 1 : MOST_SCANNED].first()
        if edge is not None:
            rows = rows.exclude(_older(edge)) if down else rows.exclude(_newer(edge))
    if is_for_one(asked.query.model) and asked.needs_touches:
        credited = credited_row(asked.query.model, asked.query.window, using=using)
        rows = rows.annotate(credited=Subquery(credited.values("pk")))
    pks = list(rows.filter(condition).order_by(*order).values_list("pk", flat=True)[: most + 1])
    has_more = len(pks) > most
    pks = pks[:most]
    return FoundPage(pks if down else pks[::-1], has_more, None if has_more else edge)


def _older(place: Place) -> Q:
    return Q(at__lt=place[0]) | Q(at=place[0], pk__lt=place[1])


def _newer(place: Place) -> Q:
    return Q(at__gt=place[0]) | Q(at=place[0], pk__gt=place[1])


def _narrowed(query: ReportQuery, using: str) -> QuerySet[RecordedConversion]:
    """Return the conversions of the widest period that may matter, with the filters that need no touch."""
    bounds = [bounds for _shops, bounds in _periods(query)]
    start, end = min(first for first, _ in bounds), max(last for _, last in bounds)
    if query.clock == Clock.CLICK:
        end += query.window * DAY_SECONDS
    rows = RecordedConversion.objects.using(using).filter(at__gte=start, at__lt=end)
    if query.shop:
        rows = rows.filter(shop=query.shop)
    if query.name:
        rows = rows.filter(name=query.name)
    if query.customers:
        rows = rows.filter(is_new=query.customers == "new")
    return rows


def _periods(query: ReportQuery) -> list[tuple[Q, tuple[int, int]]]:
    """Return the period in epoch seconds for each time zone, with the condition over the shops that have it."""
    shops = [code for one in conf.current().marketing_api.values() for code in one.pixels]
    if query.shop:
        return [(Q(), _bounds(query, zone_of(query.shop)))]
    standard = zone_of("")
    by_zone: dict[tzinfo, list[str]] = {}
    for shop in shops:
        by_zone.setdefault(zone_of(shop), []).append(shop)
    by_zone.pop(standard, None)
    others = [shop for theirs in by_zone.values() for shop in theirs]
    periods = [(Q(shop__in=theirs), _bounds(query, zone)) for zone, theirs in by_zone.items()]
    return [*periods, (~Q(shop__in=others) if others else Q(), _bounds(query, standard))]


def _bounds(query: ReportQuery, zone: tzinfo) -> tuple[int, int]:
    return bounds_of(query.first, zone)[0], bounds_of(query.last, zone)[1]


def _condition(asked: ConversionSearch, using: str) -> Q | None:
    """Return what is asked for as a condition; None if nothing can fit."""
    source = Q()
    if asked.row is not None:
        found = _sources(asked, using)
        if found is None:
            return None
        source = found
    whole = Q(pk__in=())
    for shops, (start, end) in _periods(asked.query):
        inside = Q(at__gte=start, at__lt=end)
        whole |= shops & _of_period(asked, using, inside, source)
    return whole


def _of_period(asked: ConversionSearch, using: str, inside: Q, source: Q) -> Q:
    if not asked.needs_touches:
        return inside
    if asked.traffic == WITHOUT:
        return inside & ~_touched(asked, Q(), using) if asked.row is None else Q(pk__in=())
    wanted = source
    if asked.row is not None:  # rows of the report are of clicks on ads
        wanted &= Q(traffic=Traffic.PAID)
    if asked.traffic:
        wanted &= Q(traffic=asked.traffic)
    if asked.query.clock != Clock.CLICK:
        return inside & _touched(asked, wanted, using)
    by_touch = _touched(asked, wanted & inside, using)  # the touch's own day decides
    if asked.traffic or asked.row is not None:
        return by_touch
    return by_touch | (inside & ~_touched(asked, Q(), using))


def _touched(asked: ConversionSearch, wanted: Q, using: str) -> Q:
    """Return the condition that a touch gets a share of the conversion, and is as wanted."""
    if is_for_one(asked.query.model):
        if not wanted:
            return Q(credited__isnull=False)
        return Q(Exists(ConversionTouch.objects.using(using).filter(wanted, pk=OuterRef("credited"))))
    return Q(Exists(eligible_rows(asked.query.window, using=using).filter(wanted)))


def _sources(asked: ConversionSearch, using: str) -> Q | None:
    """Return the condition for the ids and names that the report puts into this row; None if there are none."""
    query = asked.query if asked.query.by in LEVELS else replace(asked.query, by=LEVELS[0])
    spend = list(spend_rows(query, using))
    listed = Listed(query, using, Rates(spend))
    listed.learn(spend)
    found = listed.sources(asked.row or "")[:MOST_SOURCES]
    condition = Q(pk__in=())
    for columns in found:
        condition |= Q(**columns)
    return condition if found else None


def touches_of(conversions: Sequence[int], using: str) -> dict[int, list[ConversionTouch]]:
    """Return the touches of listed conversions by their keys, in order: one statement."""
    touches: dict[int, list[ConversionTouch]] = {pk: [] for pk in conversions}
    for touch in ConversionTouch.objects.using(using).filter(conversion__in=conversions).order_by("at", "key"):
        touches[touch.conversion_id].append(touch)
    return touches
