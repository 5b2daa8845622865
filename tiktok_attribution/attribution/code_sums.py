"""Sum up conversions by voucher code: by day for the roll-up, and over a period for the report.

Decision: a code is no click. A conversion with a creator's code counts here, and also with the click that led to it, if
there was one. So these sums have a table of their own, and are never added to the credits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date

from django.db import router
from django.db.models import Q, Sum

from tiktok_attribution.attribution.credited import net_value
from tiktok_attribution.attribution.days import bounds_of, day_of, zone_of
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.attribution.report_figures import Money, add_money
from tiktok_attribution.attribution.report_query import ReportQuery
from tiktok_attribution.attribution.stale_days import mark_days
from tiktok_attribution.models import DailyCode, RecordedConversion, VoucherCode, folded_code

MOST_CODES = 5000
"""Codes of the list that count: the first ones."""
MOST_LISTED = 200
"""Codes that the report shows."""


def listed_codes() -> frozenset[str]:
    """Return the codes of the list, folded."""
    rows = VoucherCode.objects.using(router.db_for_write(VoucherCode)).order_by("pk")
    return frozenset(rows.values_list("folded", flat=True)[:MOST_CODES])


def code_rows(
    conversions: Iterable[RecordedConversion], *, codes: Collection[str], is_erased: bool = False
) -> list[DailyCode]:
    """Add up conversions with one of these codes to rows. They are not saved. A reversed conversion counts as 0."""
    rows: dict[tuple[object, ...], DailyCode] = {}
    for one in conversions:
        folded = folded_code(one.code)
        if folded not in codes:
            continue
        day = day_of(one.at, zone_of(one.shop))
        key = (day, one.shop, one.name, folded, one.is_new, one.currency)
        if key not in rows:
            names = ("day", "shop", "name", "folded", "is_new", "currency")
            rows[key] = DailyCode(**dict(zip(names, key, strict=True)), is_erased=is_erased)
        rows[key].conversions += 0 if one.is_reversed else 1
        rows[key].value += net_value(one)
    return [rows[key] for key in sorted(rows, key=repr)]


def refresh_codes(day: date, shop: str, *, using: str) -> None:
    """Compute the rows of a day of a shop again. Call it in the transaction that stores the day."""
    start, end = bounds_of(day, zone_of(shop))
    conversions = RecordedConversion.objects.using(using).filter(shop=shop, at__gte=start, at__lt=end)
    codes = listed_codes()
    rows = code_rows(conversions.exclude(code="").iterator(chunk_size=500), codes=codes) if codes else []
    stored = DailyCode.objects.using(using).filter(day=day, shop=shop, is_erased=False)
    if rows or stored.exists():
        stored.delete()
        DailyCode.objects.using(using).bulk_create(rows, batch_size=200)


def mark_days_of_code(code: str) -> None:
    """Have the worker compute the days again on which conversions have this code. For a code that is new in the list.

    It reads the whole table of conversions once, which is a second or so for a million.
    """
    using = attribution_database()
    spellings = {code, code.strip(), code.upper(), code.lower(), folded_code(code)}
    rows = RecordedConversion.objects.using(using).filter(Q(code__in=spellings) | Q(code__iexact=code.strip()))
    found = rows.order_by().values_list("at", "shop").iterator(chunk_size=2000)
    mark_days({(day_of(at, zone_of(shop)), shop) for at, shop in found}, using=using)


@dataclass(slots=True)
class CodeSum:
    """What a listed code came to in a period, by the day of the conversion."""

    voucher: VoucherCode
    conversions: int = 0
    value: Money = field(default_factory=dict)


def code_sums(query: ReportQuery, *, using: str) -> list[CodeSum]:
    """Return the listed codes that have conversions in the period, the most conversions first; at most MOST_LISTED."""
    rows = DailyCode.objects.using(using).filter(day__range=(query.first, query.last))
    if query.shop:
        rows = rows.filter(shop=query.shop)
    if query.name:
        rows = rows.filter(name=query.name)
    if query.customers:
        rows = rows.filter(is_new=query.customers == "new")
    groups = list(rows.order_by().values_list("folded", "currency").annotate(Sum("conversions"), Sum("value")))
    vouchers = VoucherCode.objects.using(router.db_for_read(VoucherCode)).order_by("pk")[:MOST_CODES]
    sums = {voucher.folded: CodeSum(voucher) for voucher in vouchers} if groups else {}
    for folded, currency, conversions, value in groups:
        if folded in sums:
            sums[folded].conversions += conversions
            add_money(sums[folded].value, currency, value)
    used = [one for one in sums.values() if one.conversions]
    return sorted(used, key=lambda one: (-one.conversions, one.voucher.folded))[:MOST_LISTED]
