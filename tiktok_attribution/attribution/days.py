"""The days of the report: those of one time zone for each shop, computed from epoch seconds and never by a database."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

from django.utils import timezone

from tiktok_attribution import conf


# Decision: several pixels in PIXEL_CODE are one shop, whichever of them a person filters by. An order has one
# conversion, not one for each pixel: a report of the second pixel alone would show its spend without any conversion.
def shop_pixels(pixel_code: str) -> tuple[str, ...]:
    """Return the pixels of the shop that has this one. Touches, conversions and days of the shop have the first."""
    codes = conf.current().pixel_code
    return codes if pixel_code in codes else (pixel_code,)


# Decision: days are those of the advertiser's time zone, because TikTok's spend has these days. A conversion at 07:30
# in Berlin counts on the day before if the account is in Los Angeles, beside that day's spend. MariaDB without its
# table of zones would answer NULL, so no database computes a day.
def zone_of(shop: str) -> tzinfo:
    """Return the time zone of a shop (pixel): that of its advertiser in MARKETING_API, else TIME_ZONE."""
    shop = shop_pixels(shop)[0]
    for advertiser in conf.current().marketing_api.values():
        if shop in advertiser.pixels and advertiser.time_zone is not None:
            return advertiser.time_zone
    return timezone.get_default_timezone()


def day_of(epoch: float, zone: tzinfo) -> date:
    """Return the day of a moment (epoch seconds) in this time zone."""
    return datetime.fromtimestamp(epoch, tz=zone).date()


def start_of(day: date, zone: tzinfo) -> int:
    """Return the first epoch second of a day in this time zone. A day may have 23 or 25 hours."""
    return int(datetime.combine(day, time.min, tzinfo=zone).timestamp())


def bounds_of(day: date, zone: tzinfo) -> tuple[int, int]:
    """Return the first epoch second of a day, and that of the next day."""
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)
