"""Delivered events that lost their value on the way: seen in the newest events, without a scan of the table."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.diagnosis.result import CheckResult, Level
from tiktok_attribution.events.properties import REVENUE_EVENTS
from tiktok_attribution.models import OutboxEvent

NEWEST = 500
"""Events that are looked through, by their key, so that it costs the same in a table of any size."""


# Only lost revenue is a finding. Other notes (a phone number that is none, a long text) belong to single events, and
# stand in the list of events under its filter "delivered, with a warning".
def results() -> Iterator[CheckResult]:
    """A warning where delivered events count no revenue, with the note of the newest one."""
    columns = ("pk", "name", "state", "note", "value")
    newest = OutboxEvent.objects.using(write_database()).order_by("-pk").only(*columns)[:NEWEST]
    lost = [row for row in newest if row.has_warning and _lost_its_value(row)]
    if lost:
        yield CheckResult(
            id="value",
            level=Level.WARNING,
            what=_("Delivered without their value: %(count)d of the newest events. %(note)s")
            % {"count": len(lost), "note": lost[0].note},
            reason=_("TikTok counts them, but not in revenue and ROAS, and a delivered event can't be changed."),
            fix=_(
                'Set DEFAULT_CURRENCY, or write "value" and "currency" in the declaration. New events will have both.'
            ),
        )


def _lost_its_value(row: OutboxEvent) -> bool:
    return row.value is None and (row.name in REVENUE_EVENTS or "value" in row.note)
