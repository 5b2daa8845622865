"""Read the address of the attribution report: the nearest question that can be answered, and what was wrong with it.

Every state of the page is an address, which people keep and send. So an address that can't be followed to the letter
still gives a page, with a sentence on what it shows instead. A file can't say that: the export refuses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.attribution.report import event_names
from tiktok_attribution.attribution.report_query import (
    CLOCKS,
    CUSTOMERS,
    LEVELS,
    MODELS,
    MOST_DAYS,
    PRESETS,
    PURCHASE,
    ReportQuery,
    preset,
    today_of,
)
from tiktok_attribution.attribution.report_spend import METRICS
from tiktok_attribution.conversions import registry

DATES = "dates"
"""The period that `from` and `to` give."""
USUAL_PERIOD = "7"
ALL = "all"
"""The value of the parameter `event` for all events; without the parameter it is the purchase."""
MOST_YEARS = 10
MOST_KEY = 251
"""Characters of the key of a campaign: its name and a sign."""
SORTS = (
    *("name", "spend", "impressions", "clicks", "conversions", "rate", "value", "roas", "cpa", "new", "cac"),
    *("own_conversions", "own_value", "own_roas", "difference"),
)
"""Columns to sort by; with "-" before them the highest comes first."""
USUAL_SORT = "-spend"
PARAMETERS = (
    *("period", "from", "to", "by", "campaign", "adgroup", "model", "window", "clock"),
    *("pixel", "event", "customers", "sort", "windows"),
)


@dataclass(slots=True)
class Asked:
    """What an address asks for. `problems` are sentences about what it can't have; `parameters` are its short form."""

    query: ReportQuery
    period: str
    sort: str
    with_windows: bool
    today: date
    problems: list[str]
    parameters: dict[str, str] = field(default_factory=dict)


def read_address(parameters: Mapping[str, str], *, using: str, now: float, shops: Collection[str]) -> Asked:
    """Read the parameters of an address. Never raises: what can't be read keeps its usual value."""
    problems: list[str] = []
    reader = AddressReader(parameters, problems)
    if any(name not in PARAMETERS for name in parameters):
        problems.append(_("The address has a parameter that this page does not know."))
    shop = reader.choice("pixel", ("", *shops))
    today = today_of(shop, now)
    period, first, last = reader.period(today)
    attribution = conf.current().attribution
    windows = {str(window): window for window in attribution.windows}
    sort = reader.choice("sort", [sign + name for name in SORTS for sign in ("-", "")], USUAL_SORT)
    query = ReportQuery(
        first=first,
        last=last,
        clock=reader.choice("clock", CLOCKS),
        model=reader.choice("model", MODELS),
        window=windows[reader.choice("window", list(windows), str(attribution.window))],
        shop=shop,
        name=reader.event(event_names(first, last, using=using)),
        customers=reader.choice("customers", ("", *CUSTOMERS)),
        by=reader.choice("by", LEVELS),
        campaign=reader.key("campaign"),
        adgroup=reader.key("adgroup"),
    )
    with_windows = reader.choice("windows", ("", "1")) == "1"
    asked = Asked(query, period, sort, with_windows, today, problems)
    asked.parameters = _address(asked, has_event=bool(parameters.get("event")))
    return asked


def shops() -> list[str]:
    """Return the pixels of the settings, and those of the advertisers."""
    settings = conf.current()
    accounts = [code for one in settings.marketing_api.values() for code in one.pixels]
    return list(dict.fromkeys([*settings.pixel_code, *accounts]))


def declared_events() -> set[str]:
    """Return the names of events that are conversions by the settings."""
    return {*(conversion.event for conversion in registry.every()), *conf.current().attribution.events}


def _address(asked: Asked, *, has_event: bool) -> dict[str, str]:
    """Return the parameters of this state of the page. What is usual is left out, so that addresses stay short."""
    query, period = asked.query, asked.period
    parameters = {"period": period}
    if period == DATES:
        parameters = {"from": query.first.isoformat(), "to": query.last.isoformat()}
    if has_event:
        parameters["event"] = query.name or ALL
    usual = ReportQuery(first=query.first, last=query.last, window=conf.current().attribution.window)
    for name, value, standard in (
        ("by", query.by, usual.by),
        ("model", query.model, usual.model),
        ("window", query.window, usual.window),
        ("clock", query.clock, usual.clock),
        ("pixel", query.shop, ""),
        ("customers", query.customers, ""),
        ("sort", asked.sort, USUAL_SORT),
        ("windows", "1" if asked.with_windows else "", ""),
    ):
        if value != standard:
            parameters[name] = str(value)
    return {**parameters, **query.inside}


class AddressReader:
    """Reads one parameter after the other, and notes a sentence for each that can't be followed."""

    def __init__(self, parameters: Mapping[str, str], problems: list[str]) -> None:
        self.parameters, self.problems = parameters, problems

    def choice(self, name: str, known: Collection[str], usual: str | None = None) -> str:
        """Return the value if it is one of those known; else the usual one, which is the first."""
        standard = next(iter(known)) if usual is None else usual
        given = self.parameters.get(name, "") or standard
        if given in known:
            return given
        self.problem(name)
        return standard

    def problem(self, name: str) -> None:
        """Note that the value of this parameter can't be used."""
        self.problems.append(_("The address has a value for “%(name)s” that can't be used.") % {"name": name})

    def key(self, name: str) -> str | None:
        """Return the key of a row of the report; "" stands for the unknown one, None for no choice."""
        given = self.parameters.get(name)
        if given is None or len(given) <= MOST_KEY:
            return given
        self.problem(name)
        return None

    def event(self, names: Collection[str]) -> str:
        """Return the name of an event, "" for all. `names` are those of the period."""
        given = self.parameters.get("event", "")
        usual = PURCHASE if PURCHASE in names else ""
        if given == ALL:
            return ""
        if not given or given in names or given in METRICS or given in declared_events():
            return given or usual
        self.problems.append(_("Nothing is known of this event. The page shows another one."))
        return usual

    def period(self, today: date, usual: str = USUAL_PERIOD) -> tuple[str, date, date]:
        """Return the name of the period, and its first and last day. Dates go before a name."""
        first, last = self._day("from"), self._day("to")
        if first is not None or last is not None:
            return (DATES, *self._bounded(first or last or today, last or first or today, today))
        key = self.parameters.get("period", "")
        if key in PRESETS:
            return (key, *preset(key, today))
        if key:
            self.problems.append(_("The address has a period that this page does not know."))
        return (usual, *preset(usual, today))

    def _day(self, name: str) -> date | None:
        given = self.parameters.get(name, "")
        try:
            # Only this form: `fromisoformat` of Python 3.11 and later also takes weeks, and days without hyphens.
            found = date.fromisoformat(given) if len(given) == 10 and given[4] == given[7] == "-" else None
        except ValueError:
            found = None
        if given and found is None:
            self.problems.append(_("The address has a day that can't be read. Write it as 2026-01-31."))
        return found

    def _bounded(self, first: date, last: date, today: date) -> tuple[date, date]:
        if first > last:
            first, last = last, first
            self.problems.append(_("The first day came after the last day, so they are exchanged."))
        oldest = today - timedelta(days=365 * MOST_YEARS)
        if last > today or first < oldest:
            first, last = (min(max(day, oldest), today) for day in (first, last))
            self.problems.append(
                _("The period is cut: it ends today at the latest, and begins %(years)d years ago at most.")
                % {"years": MOST_YEARS}
            )
        if (last - first).days >= MOST_DAYS:
            first = last - timedelta(days=MOST_DAYS - 1)
            self.problems.append(_("The period is cut to its last %(days)d days.") % {"days": MOST_DAYS})
        return first, last
