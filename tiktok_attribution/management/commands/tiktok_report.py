"""`manage.py tiktok_report`: print the attribution report, for people and for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import router

from tiktok_attribution import conf
from tiktok_attribution.attribution.report import Report, event_names, report
from tiktok_attribution.attribution.report_figures import Money
from tiktok_attribution.attribution.report_lines import as_json, values_of
from tiktok_attribution.attribution.report_query import (
    CLOCKS,
    CUSTOMERS,
    LEVELS,
    MODELS,
    MOST_DAYS,
    PURCHASE,
    ReportQuery,
    today_of,
)
from tiktok_attribution.attribution.report_rows import Row
from tiktok_attribution.management.tables import TablesCommand
from tiktok_attribution.models import AttributionReport

ALL = "all"


def _day(text: str) -> date:
    if len(text) != 10:
        raise ValueError(text)
    return date.fromisoformat(text)


class Command(TablesCommand):
    """Print the same figures as the page "Attribution" of the admin. Changes nothing."""

    help = "Print what TikTok's ads cost and what they brought, by campaign, ad group, ad, placement or landing page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", choices=LEVELS, default=LEVELS[0], metavar="LEVEL", help=f"{', '.join(LEVELS)}")
        parser.add_argument(
            "--from", dest="first", type=_day, metavar="DAY", help="First day (6 days before the last)."
        )
        parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="Last day (today).")
        parser.add_argument("--model", choices=MODELS, default=MODELS[0], metavar="MODEL", help=f"{', '.join(MODELS)}")
        parser.add_argument("--window", type=int, metavar="DAYS", help="One of ATTRIBUTION['windows'].")
        parser.add_argument("--clock", choices=CLOCKS, default=CLOCKS[0], metavar="CLOCK", help=f"{', '.join(CLOCKS)}")
        parser.add_argument("--event", default="", metavar="NAME", help="One event, or all (Purchase if there is one).")
        parser.add_argument("--pixel", default="", metavar="CODE", help="One pixel (all).")
        parser.add_argument("--customers", choices=CUSTOMERS, default="", metavar="CUSTOMERS", help="new, returning")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        using = router.db_for_read(AttributionReport)
        today = today_of(options["pixel"], time.time())
        found = report(_query(options, today, using), using=using, today=today)
        rows = sorted(found.rows, key=lambda row: (-sum(row.figures.spend.values()), row.name, row.key))
        if options["json"]:
            self.stdout.write(json.dumps(as_json(found, rows), indent=2))
        else:
            self.stdout.write("\n".join(_in_words(found, rows)))


def _query(options: dict[str, Any], today: date, using: str) -> ReportQuery:
    last = options["last"] or today
    first = options["first"] or last - timedelta(days=6)
    if first > last:
        raise CommandError("--from comes after --to.")
    if (last - first).days >= MOST_DAYS:
        raise CommandError(f"The period is longer than {MOST_DAYS} days.")
    if first.year < 2000 or last.year > today.year + 1:
        raise CommandError("No such day can be in the report.")
    attribution = conf.current().attribution
    window = attribution.window if options["window"] is None else options["window"]
    if window not in attribution.windows:
        raise CommandError(
            f"--window is one of {', '.join(map(str, attribution.windows))}: see ATTRIBUTION['windows']."
        )
    event = options["event"]
    if not event and PURCHASE in event_names(first, last, using=using):
        event = PURCHASE
    return ReportQuery(
        first=first,
        last=last,
        clock=options["clock"],
        model=options["model"],
        window=window,
        shop=options["pixel"],
        name="" if event == ALL else event,
        customers=options["customers"],
        by=options["by"],
    )


def _in_words(found: Report, rows: list[Row]) -> Iterator[str]:
    query = found.query
    yield (
        f"{query.first} to {query.last}, {query.name or 'all events'}, {query.model}, {query.window} days, "
        f"by the day of the {query.clock}"
    )
    yield ""
    lines = [_line(row.name or row.id or "(unknown)", values_of(row.figures)) for row in rows]
    lines = [("", "spend", "conversions", "net value", "ROAS", "CPA"), *lines]
    lines += [_line("TikTok's ads", values_of(found.totals.ads)), _line("All", values_of(found.totals.every))]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for name, *cells in lines:
        yield "  ".join(
            [f"{name:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))]
        )
    yield ""
    yield f"Spend known until: {found.spend_until or 'never'}"


def _line(name: str, values: dict[str, Any]) -> tuple[str, ...]:
    cost = f" {values['currency_of_costs']}" if values["currency_of_costs"] else ""
    cpa = "–" if values["cpa"] is None else f"{values['cpa']}{cost}"
    return (
        # A name is a visitor's text: a terminal must not obey control characters in it.
        "".join(sign if sign.isprintable() else " " for sign in name)[:60],
        _money(values["spend"]),
        f"{values['conversions']:f}",
        _money(values["value"]),
        "–" if values["roas"] is None else f"{values['roas']:.2f}",
        cpa,
    )


def _money(sums: Money) -> str:
    return " ".join(f"{amount} {currency}".strip() for currency, amount in sums.items()) or "–"
