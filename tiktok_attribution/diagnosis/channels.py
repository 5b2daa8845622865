"""Whether pages show pixel calls at all: seen from the counted hours, without asking for a page."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db.models import Sum
from django.utils.translation import gettext as _

from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.delivery.turns import untagged_since
from tiktok_attribution.diagnosis.result import CheckResult, Level
from tiktok_attribution.models import HourlyStatistics

DAY = 86_400
MOST_VIEWS = 10
FEW = 5
"""Fewer events say nothing: their visitors may not have come back."""


def results() -> Iterator[CheckResult]:
    """A warning where none of the last day's pixel calls was shown. Its id is that of the look at the front page."""
    tallies = HourlyStatistics.objects.using(write_database()).filter(hour__gte=int(time.time()) - DAY)
    sums = tallies.aggregate(wanted=Sum("wanted"), shown=Sum("shown"))
    if (sums["wanted"] or 0) >= FEW and not sums["shown"]:
        yield CheckResult(
            id="tag",
            level=Level.WARNING,
            what=_("None of the last day's %(count)d pixel calls was shown by a page.") % {"count": sums["wanted"]},
            reason=_("TikTok gets the server event alone."),
            fix=_("See whether the pages carry the tag {% tiktok_pixel %}."),
        )


def untagged() -> Iterator[CheckResult]:
    """Views whose page went out without the tag in the last day, though an event waited for a page."""
    views = untagged_since(time.time() - DAY, using=write_database())
    if views:
        yield CheckResult(
            id="untagged",
            level=Level.WARNING,
            what=_("Pages without the tag, while an event waited for a page: %(views)s.")
            % {"views": ", ".join(views[:MOST_VIEWS])},
            reason=_(
                "The event stays waiting there, and is lost to the browser if no other page follows within an hour."
            ),
            fix=_(
                "See whether the template overrides the block that holds {% tiktok_pixel %}, and write "
                '{{ block.super }} into it; or set "INSERT_TAG": True.'
            ),
        )
