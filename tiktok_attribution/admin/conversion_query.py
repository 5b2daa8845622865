"""Read the address of the list of conversions. It has the report's own parameters, so that figures can link to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.admin.attribution_query import ALL, DATES, AddressReader
from tiktok_attribution.attribution.conversion_search import WITHOUT, ConversionSearch, Place
from tiktok_attribution.attribution.report import event_names
from tiktok_attribution.attribution.report_query import CLOCKS, CUSTOMERS, LEVELS, MODELS, ReportQuery, today_of
from tiktok_attribution.models import Traffic

BEFORE, AFTER, TRAFFIC = "before", "after", "traffic"
INSIDE = ("campaign", "adgroup")
ROWS = tuple(level for level in LEVELS if level not in INSIDE)
"""Parameters that hold the key of a row below a campaign and an ad group; one of them at most."""
PARAMETERS = (
    *("period", "from", "to", "event", "pixel", "customers", "model", "window", "clock"),
    *(TRAFFIC, *LEVELS, BEFORE, AFTER),
)
USUAL_PERIOD = "28"
_PLACE = re.compile(r"([0-9]{1,12})-([0-9]{1,18})", re.ASCII)


@dataclass(slots=True)
class AskedList:
    """What an address asks for. `problems` and `parameters` are as in `attribution_query.Asked`, without the place."""

    search: ConversionSearch
    period: str
    before: Place | None
    after: Place | None
    problems: list[str]
    parameters: dict[str, str] = field(default_factory=dict)


def read_list(parameters: Mapping[str, str], *, using: str, now: float, shops: Collection[str]) -> AskedList:
    """Read the parameters of an address. Never raises: what can't be read keeps its usual value."""
    problems: list[str] = []
    reader = AddressReader(parameters, problems)
    if any(name not in PARAMETERS for name in parameters):
        problems.append(_("The address has a parameter that this page does not know."))
    shop = reader.choice("pixel", ("", *shops))
    period, first, last = reader.period(today_of(shop, now), USUAL_PERIOD)
    attribution = conf.current().attribution
    windows = {str(window): window for window in attribution.windows}
    by, row, inside = _row(reader)
    is_any = parameters.get("event", "") in ("", ALL)
    query = ReportQuery(
        first=first,
        last=last,
        clock=reader.choice("clock", CLOCKS),
        model=reader.choice("model", MODELS),
        window=windows[reader.choice("window", list(windows), str(attribution.window))],
        shop=shop,
        name="" if is_any else reader.event(event_names(first, last, using=using)),
        customers=reader.choice("customers", ("", *CUSTOMERS)),
        by=by,
        **inside,
    )
    traffic = reader.choice(TRAFFIC, ("", *Traffic.values, WITHOUT))
    places = [_place(reader, name) for name in (BEFORE, AFTER)]
    asked = AskedList(ConversionSearch(query=query, traffic=traffic, row=row), period, places[0], places[1], problems)
    asked.parameters = _address(asked)
    return asked


def _row(reader: AddressReader) -> tuple[str, str | None, dict[str, str]]:
    """Return what the report is divided by, the key of its row, and the keys of what that row is inside of."""
    keys = {level: key for level in LEVELS if (key := reader.key(level)) is not None and key != ALL}
    rows = [level for level in ROWS if level in keys]
    if len(rows) > 1:
        reader.problem(rows[-1])
    inside = {level: keys[level] for level in INSIDE if level in keys}
    if rows:
        return rows[0], keys[rows[0]], inside
    if not inside:
        return LEVELS[0], None, {}
    by = list(inside)[-1]
    return by, inside.pop(by), inside


def _place(reader: AddressReader, name: str) -> Place | None:
    given = reader.parameters.get(name, "")
    read = _PLACE.fullmatch(given)
    if given and read is None:
        reader.problem(name)
    return None if read is None else (int(read[1]), int(read[2]))


def _address(asked: AskedList) -> dict[str, str]:
    """Return the parameters of this state of the list, without the place in it. What is usual is left out."""
    query = asked.search.query
    parameters = {"period": asked.period}
    if asked.period == DATES:
        parameters = {"from": query.first.isoformat(), "to": query.last.isoformat()}
    usual = ReportQuery(first=query.first, last=query.last, window=conf.current().attribution.window)
    for name, value, standard in (
        ("event", query.name, ""),
        ("pixel", query.shop, ""),
        ("customers", query.customers, ""),
        ("model", query.model, usual.model),
        ("window", query.window, usual.window),
        ("clock", query.clock, usual.clock),
        (TRAFFIC, asked.search.traffic, ""),
    ):
        if value != standard:
            parameters[name] = str(value)
    own = {} if asked.search.row is None else {query.by: asked.search.row}
    return {**parameters, **query.inside, **own}
