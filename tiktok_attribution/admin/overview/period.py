"""The period and the pixel that the overview shows, as the address says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin.choice import known
from tiktok_attribution.admin.display.moments import here
from tiktok_attribution.admin.display.words import Text
from tiktok_attribution.monitoring.hourly import HOUR, epoch_of

DAYS: Mapping[str, int] = {"today": 1, "7": 7, "30": 30}
TITLES: Mapping[str, Text] = {"today": _("Today"), "7": _("Last 7 days"), "30": _("Last 30 days")}
USUAL = "7"


@dataclass(frozen=True, slots=True)
class Period:
    """A choice of period and pixel ("" means all). `starts` are the steps of the chart, in epoch seconds."""

    key: str
    pixel_code: str
    pixels: list[str]
    starts: list[int]
    end: int

    @property
    def is_hourly(self) -> bool:
        """Whether a step is an hour; else it is a day."""
        return DAYS[self.key] == 1

    @property
    def query(self) -> dict[str, str]:
        """As parameters of an address."""
        return {"period": self.key, **({"pixel": self.pixel_code} if self.pixel_code else {})}


def unread(parameters: QueryDict, period: Period) -> Iterator[str]:
    """The parameters of the address that this period does not go by. The page shows what it goes by; a file can't."""
    for name, values in parameters.lists():
        if values not in ([period.query.get(name)], [""]):
            yield name


def chosen(parameters: Mapping[str, str], *, now: datetime | None = None) -> Period:
    """From the parameters `period` and `pixel`; days begin at midnight of the current time zone, to the full hour."""
    key = parameters.get("period", "")
    key = key if key in DAYS else USUAL
    pixels = known.pixels()
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
