"""Moments and spans of time as people read them."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _


def here(moment: datetime) -> datetime:
    """In the current time zone; naive ones, as USE_TZ=False has them, are that already."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def since(before: datetime, after: datetime) -> str:
    """How much later, in words: "at once", "41 s later", "3 hours later"."""
    late = (after - before).total_seconds()
    if late < 2:
        return _("at once")
    if late < 60:
        return _("%(seconds)d s later") % {"seconds": late}
    return _("%(span)s later") % {"span": timesince(before, after, depth=1)}


def moment_text(moment: datetime) -> str:
    """Date and time, short."""
    return date_format(here(moment), "SHORT_DATETIME_FORMAT")


def seconds(duration: float | None) -> str:
    """ "0.412 s"; empty where the request never ended."""
    return "" if duration is None else _("%(seconds)s s") % {"seconds": number_format(duration, 3)}
