"""The question that the report answers: period, clock, model, window, filters and what to divide by.

`ReportQuery` is the question. `preset` and `period_before` give its days, `zone_of` the time zone in which days begin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.attribution.days import shop_pixels
from tiktok_attribution.models import Clock

MODELS = ("last_tiktok", "last_touch", "first_touch", "linear")
"""Attribution models that the report offers. A conversion's own page also shows the other two."""
CLOCKS: tuple[str, ...] = tuple(Clock.values)
OBJECT_LEVELS = ("campaign", "adgroup", "ad")
"""What TikTok's spend is known by, the widest first."""
LEVELS = (*OBJECT_LEVELS, "placement", "landing")
"""What a report can be divided by: a row for each."""
CUSTOMERS = ("new", "returning")
PURCHASE = "Purchase"

PRESETS = ("today", "yesterday", "7", "28", "30", "month", "last-month")
"""Periods by name: numbers are so many days up to today."""
MOST_DAYS = 400
"""The longest period, in days: that of KEEP_ATTRIBUTION_DAYS's default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportQuery:
    """One question to the report. Both days belong to the period; "" in a filter means all.

    `campaign` and `adgroup` are keys of rows of a report by campaign or ad group: only what belongs to them is listed.
    The totals of the whole period do not change with them.
    """

    first: date
    last: date
    clock: str = Clock.CONVERSION.value
    model: str = MODELS[0]
    window: int = 7
    shop: str = ""
    name: str = ""
    customers: str = ""
    by: str = LEVELS[0]
    campaign: str | None = None
    adgroup: str | None = None

    @property
    def days(self) -> int:
        """Return how many days the period has."""
        return (self.last - self.first).days + 1

    @property
    def inside(self) -> dict[str, str]:
        """Return the keys of the chosen campaign and ad group, by level."""
        chosen = {"campaign": self.campaign, "adgroup": self.adgroup}
        return {level: key for level, key in chosen.items() if key is not None}

    def before(self) -> ReportQuery:
        """Return the same question about the period before."""
        first, last = period_before(self.first, self.last)
        return replace(self, first=first, last=last)


def preset(key: str, today: date) -> tuple[date, date]:
    """Return the first and the last day of a period in PRESETS."""
    start = today.replace(day=1)
    if key == "today":
        return today, today
    if key == "yesterday":
        return today - timedelta(days=1), today - timedelta(days=1)
    if key == "month":
        return start, today
    if key == "last-month":
        end = start - timedelta(days=1)
        return end.replace(day=1), end
    return today - timedelta(days=int(key) - 1), today


def period_before(first: date, last: date) -> tuple[date, date]:
    """Return the period to compare with: the same days of the month before for a month, else as many days before.

    A month that has begun is compared with the same days of the month before, and a whole month with a whole month.
    """
    if first.day == 1 and first < last and (first.year, first.month) == (last.year, last.month):
        end = first - timedelta(days=1)
        is_whole = (last + timedelta(days=1)).month != last.month
        return end.replace(day=1), end if is_whole else end.replace(day=min(last.day, end.day))
    length = last - first + timedelta(days=1)
    return first - length, first - timedelta(days=1)


# Decision: a day of the report is a day of the advertiser's account, because spend is known by those days alone. Where
# the shops of a report have accounts in several zones, the site's TIME_ZONE decides which day "today" is.
def zone_of(shop: str) -> tzinfo:
    """Return the time zone of a shop's days: its advertiser's in MARKETING_API, else TIME_ZONE. "" means all shops."""
    settings = conf.current()
    zones: dict[str, tzinfo] = {}
    for advertiser in settings.marketing_api.values():
        if advertiser.time_zone is not None:
            for pixel_code in advertiser.pixels:
                zones.setdefault(pixel_code, advertiser.time_zone)
    standard = timezone.get_default_timezone()
    if shop:
        return zones.get(shop_pixels(shop)[0], standard)
    every = {zones.get(pixel_code, standard) for pixel_code in (*settings.pixel_code, *zones)}
    return every.pop() if len(every) == 1 else standard


def today_of(shop: str, now: float) -> date:
    """Return the day of a shop at this moment, in epoch seconds."""
    return datetime.fromtimestamp(now, tz=zone_of(shop)).date()
