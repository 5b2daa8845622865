"""The data of the overview page: period, funnel, chart, match keys, and failures grouped by message.

`overview_page` collects everything as values, so that the template only arranges it.

Decision: the overview reads hourly statistics and not events. Hours add up, so a period costs its hours, however many
events it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.contrib.admin.utils import quote
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin import filters
from tiktok_attribution.admin.charts import Bar, stacked, width_of
from tiktok_attribution.admin.explanations import Text, Words, explain_stored, words_of_event
from tiktok_attribution.admin.formatting import here
from tiktok_attribution.delivery.figures import PixelFigures
from tiktok_attribution.delivery.turns import seen_at
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, State, moment
from tiktok_attribution.monitoring.hourly_statistics import HOUR, WHOLE, epoch_of
from tiktok_attribution.monitoring.summary import Summary, Totals, summarize


class Step(NamedTuple):
    """The events that were recorded in one step of time, by what became of them."""

    title: str
    delivered: int
    failed: int
    open: int


class Chart(NamedTuple):
    """The bars, the width of the view box, and the number that its height stands for."""

    bars: list[Bar]
    width: int
    most: int
    steps: Sequence[Step]


PARTS = ("delivered", "failed", "open")


def chart(steps: Sequence[Step]) -> Chart:
    """Build a stacked bar chart: delivered at the bottom, then failed, then open."""
    most = max((sum(getattr(step, kind) for kind in PARTS) for step in steps), default=0)
    bars = stacked([{kind: getattr(step, kind) for kind in PARTS} for step in steps], most)
    return Chart(bars, width_of(len(steps)), most, steps)


MOST_ATTEMPTS = 5000
MOST_INVALID = 2000
MOST_GROUPS = 20
MOST_MESSAGES = 100
"""The most different messages that are counted separately; each needs a query."""


@dataclass(slots=True, kw_only=True)
class Failure:
    """One message: the number of events and requests (0: never sent), the last time, and the page of an example."""

    text: str
    words: Words | None
    last: datetime
    address: str
    events: int = 0
    requests: int = 0


def failures(since: datetime, *, pixel_code: str, using: str, site: str) -> list[Failure]:
    """Group the newest `MOST_ATTEMPTS` requests and `MOST_INVALID` invalid events by message; most events first."""
    both = [
        *_of_attempts(since, pixel_code, using, site).values(),
        *_of_invalid(since, pixel_code, using, site).values(),
    ]
    return sorted(both, key=lambda failure: -failure.events)[:MOST_GROUPS]


def _of_attempts(since: datetime, pixel_code: str, using: str, site: str) -> dict[object, Failure]:
    rows = Attempt.objects.using(using).filter(started_at__gte=since).order_by("-started_at")
    if pixel_code:
        rows = rows.filter(pixel_code=pixel_code)
    columns = ("pk", "outcome", "http_status", "code", "message", "event_count")
    found: dict[object, Failure] = {}
    for pk, outcome, *key_parts, event_count in rows.values_list(*columns)[:MOST_ATTEMPTS]:
        if outcome == Outcome.DELIVERED:
            continue
        key = tuple(key_parts)
        if key not in found:
            if len(found) >= MOST_MESSAGES:
                continue
            found[key] = _example(Attempt.objects.using(using).get(pk=pk), site)
        found[key].events += event_count
        found[key].requests += 1
    return found


def _example(attempt: Attempt, site: str) -> Failure:
    return Failure(
        text=_in_words(attempt),
        words=explain_stored(attempt),
        last=attempt.started_at,
        address=reverse("admin:tiktok_attribution_attempt_change", args=[quote(attempt.pk)], current_app=site),
    )


def _in_words(attempt: Attempt) -> str:
    """Return code and message; without a code, the HTTP status and the message."""
    if attempt.code is not None or attempt.http_status is None:
        return str(attempt)
    return f"HTTP {attempt.http_status}: {attempt.message}" if attempt.message else f"HTTP {attempt.http_status}"


def _of_invalid(since: datetime, pixel_code: str, using: str, site: str) -> dict[object, Failure]:
    rows = OutboxEvent.objects.using(using).failed_since(since).in_state(State.INVALID)
    if pixel_code:
        rows = rows.filter(pixel_code=pixel_code)
    found: dict[object, Failure] = {}
    columns = ("pk", "name", "note", "object_label", "created_at")
    newest = rows.order_by("-created_at").values_list(*columns)[:MOST_INVALID]
    for pk, name, note, label, created_at in newest:
        if (name, note) not in found:
            words = words_of_event(State.INVALID, label)
            address = reverse("admin:tiktok_attribution_outboxevent_change", args=[pk], current_app=site)
            found[name, note] = Failure(text=f"{name}: {note}", words=words, last=created_at, address=address)
        found[name, note].events += 1
    return found


DAYS: Mapping[str, int] = {"today": 1, "7": 7, "30": 30}
TITLES: Mapping[str, Text] = {"today": _("Today"), "7": _("Last 7 days"), "30": _("Last 30 days")}
USUAL = "7"


@dataclass(frozen=True, slots=True)
class Period:
    """The chosen period and pixel ("" means all). `starts` are the steps of the chart, in epoch seconds."""

    key: str
    pixel_code: str
    pixels: list[str]
    starts: list[int]
    end: int

    @property
    def is_hourly(self) -> bool:
        """Whether a step is an hour. Otherwise it is a day."""
        return DAYS[self.key] == 1

    @property
    def query(self) -> dict[str, str]:
        """The choice as parameters of an address."""
        return {"period": self.key, **({"pixel": self.pixel_code} if self.pixel_code else {})}


def unread(parameters: QueryDict, period: Period) -> Iterator[str]:
    """Yield the parameters of the address that this period ignores. A page shows what it uses; a file can't."""
    for name, values in parameters.lists():
        if values not in ([period.query.get(name)], [""]):
            yield name


def chosen(parameters: Mapping[str, str], *, now: datetime | None = None) -> Period:
    """Read the parameters `period` and `pixel`. Days begin at midnight of the current time zone, to the full hour."""
    key = parameters.get("period", "")
    key = key if key in DAYS else USUAL
    pixels = filters.pixels()
    pixel_code = parameters.get("pixel", "")
    moment = here(now or timezone.now())
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    end = int(epoch_of(moment)) // HOUR * HOUR + HOUR
    if DAYS[key] == 1:
        starts = list(range(_hour(midnight), end, HOUR))
    else:
        starts = [_hour(midnight - timedelta(days=back)) for back in reversed(range(DAYS[key]))]
    return Period(key, pixel_code if pixel_code in pixels else "", pixels, starts, end)


def _hour(when: datetime) -> int:
    return int(epoch_of(when)) // HOUR * HOUR


LEVELS = 5
"""Colour steps of the heat map, without the step for zero."""


class Stopped(NamedTuple):
    """A stopped pixel, the meaning of its stop, and its number of waiting events."""

    pixel: PixelStatus
    words: Words | None
    waiting: int


class Cell(NamedTuple):
    """A share in the heat map as text, and its colour step."""

    text: str
    level: int


class FunnelRow(NamedTuple):
    """The funnel of one event name."""

    name: str
    counts: dict[str, int]
    failed: int
    delivered_share: str
    median: str
    slowest: str


class HeatRow(NamedTuple):
    """The match keys of one event name, in the order of MATCH_KEYS, and an estimate of its match quality."""

    name: str
    cells: list[Cell]
    quality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The data of the overview, in the order of the page."""

    period: Period
    stopped: list[Stopped]
    waiting: list[PixelFigures]
    oldest: str
    funnel: list[FunnelRow]
    total: FunnelRow
    chart: Chart
    failures: list[Failure]
    heat_keys: tuple[str, ...]
    heat: list[HeatRow]
    values: list[tuple[str, str, str]]
    is_counted_whole: bool

    @property
    def is_empty(self) -> bool:
        """Whether no event was recorded in the period."""
        return not self.funnel


def overview_page(period: Period, found: Sequence[PixelFigures], *, using: str, site: str) -> OverviewPage:
    """Read the hourly statistics and the newest attempts. `found` has the current figures of the pixels."""
    summary = summarize(period.starts, period.end, pixel_code=period.pixel_code, using=using)
    now = [one for one in found if not period.pixel_code or one.pixel_code == period.pixel_code]
    return OverviewPage(
        period=period,
        stopped=_stopped(period, now, using),
        waiting=[one for one in now if one.waiting],
        oldest=duration(max((one.oldest_due_seconds for one in now if one.due), default=None)),
        funnel=[_funnel_row(name, totals) for name, totals in sorted(summary.by_name.items())],
        total=_funnel_row(gettext("All events"), summary.all),
        chart=chart(list(_steps(period, summary))),
        failures=failures(moment(period.starts[0]), pixel_code=period.pixel_code, using=using, site=site),
        heat_keys=MATCH_KEYS,
        heat=[_heat_row(name, totals) for name, totals in sorted(summary.by_name.items()) if totals.built > 0],
        values=[
            (name, number_format(total.quantize(Decimal("0.01")), 2, use_l10n=True, force_grouping=True), currency)
            for name, totals in sorted(summary.by_name.items())
            for currency, total in sorted(totals.value_sums.items())
        ],
        is_counted_whole=seen_at(WHOLE.name, using=using) is not None,
    )


def duration(seconds: float | None) -> str:
    """Return a duration such as "3.2 s", "12 min", "5.0 h" or "2.0 d"; "" for None."""
    if seconds is None:
        return ""
    if seconds < 90:
        return gettext("%(n)s s") % {"n": _number(seconds, 1)}
    if seconds < 5400:
        return gettext("%(n)s min") % {"n": _number(seconds / 60, 0)}
    if seconds < 129_600:
        return gettext("%(n)s h") % {"n": _number(seconds / 3600, 1)}
    return gettext("%(n)s d") % {"n": _number(seconds / 86_400, 1)}


def _number(value: float, decimals: int) -> str:
    """Format a rounded number; `number_format` alone cuts digits off."""
    return number_format(round(value, decimals), decimals)


def _stopped(period: Period, now: list[PixelFigures], using: str) -> list[Stopped]:
    rows = PixelStatus.objects.using(using).filter(stopped_at__isnull=False).order_by("pk")
    waiting = {one.pixel_code: one.waiting for one in now if one.database == using}
    return [
        Stopped(pixel, explain_stored(pixel), waiting.get(pixel.pk, 0))
        for pixel in (rows.filter(pk=period.pixel_code) if period.pixel_code else rows)
    ]


def _funnel_row(name: str, totals: Totals) -> FunnelRow:
    share = _percent(totals.counts["delivered"], totals.counts["recorded"] - totals.counts["browser_only"])
    median, slowest = duration(totals.delay(0.5)), duration(totals.delay(0.95))
    return FunnelRow(name, totals.counts, totals.failed, share, median, slowest)


def _percent(part: float, whole: float) -> str:
    return gettext("%(n)s %%") % {"n": _number(100 * part / whole, 0)} if whole > 0 else ""


def _steps(period: Period, summary: Summary) -> Iterator[Step]:
    for start, totals in summary.by_step.items():
        counts = totals.counts
        done = counts["delivered"] + totals.failed + counts["browser_only"] + counts["cancelled"]
        when = here(moment(start))
        title = date_format(when, "TIME_FORMAT" if period.is_hourly else "SHORT_DATE_FORMAT")
        yield Step(title, counts["delivered"], totals.failed, max(0, counts["recorded"] - done))


def _heat_row(name: str, totals: Totals) -> HeatRow:
    coverage, quality = totals.coverage(), totals.quality()
    cells = [Cell(_percent(coverage[key], 1), round(LEVELS * coverage[key])) for key in MATCH_KEYS]
    return HeatRow(name, cells, "" if quality is None else _number(quality, 1))
