"""Why an event is left as it is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin.display.words import Text
from tiktok_attribution.delivery.manual import SkipReason


class Unbuilt(Enum):
    """Why an invalid event was not built again."""

    NO_OBJECT = "no object"
    GONE = "gone"
    UNDECLARED = "undeclared"
    NOT_HAPPENED = "not happened"
    STILL = "still"
    LATER = "later"


REASONS: Mapping[SkipReason | Unbuilt, Text] = {
    SkipReason.DELIVERED: _("TikTok has it already"),
    SkipReason.BROWSER_ONLY: _("it has no server event"),
    SkipReason.CLEARED: _("its text was cleared, so there is nothing to send"),
    SkipReason.TOO_OLD: _("it happened longer ago than MAX_AGE_DAYS, and would only expire again"),
    SkipReason.ALREADY_DUE: _("it is due already; see that a worker runs"),
    SkipReason.AWAITING_CONSENT: _("its visitor has not agreed yet"),
    SkipReason.DOUBTFUL: _("TikTok may have it and remember it no longer, so it could count twice: open it to decide"),
    SkipReason.SETTLED: _("only what waits can be cancelled"),
    Unbuilt.NO_OBJECT: _("it is invalid and belongs to no object, so it can't be built again: track() it anew"),
    Unbuilt.GONE: _("it is invalid and its object is not found any more"),
    Unbuilt.UNDECLARED: _("it is invalid and no conversion of this name is declared for its object"),
    Unbuilt.NOT_HAPPENED: _("it is invalid and its object does not count as this conversion any more"),
    Unbuilt.STILL: _("it was built again and is still invalid: the cause is not fixed yet"),
    Unbuilt.LATER: _("so many invalid events are not built in one go: repeat this"),
}
