"""What people do to events in the admin, with the words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin.display.words import Text
from tiktok_attribution.admin.steering.run import ManualAction
from tiktok_attribution.delivery import manual


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """`plan` and `done` take a number of events and make a sentence of it."""

    name: str
    action: ManualAction
    question: Text
    button: Promise
    logged: Promise
    asked: Promise
    plan: Callable[[int], str]
    done: Callable[[int], str]
    warning: Text = ""


def _will_retry(count: int) -> str:
    return ngettext(
        "%(count)d event is sent again, with the same event_id and the same time.",
        "%(count)d events are sent again, with the same event_id and the same time.",
        count,
    ) % {"count": count}


def _retried(count: int) -> str:
    return ngettext("%(count)d event is due now.", "%(count)d events are due now.", count) % {"count": count}


def _will_cancel(count: int) -> str:
    return ngettext(
        "%(count)d waiting event is not sent to TikTok.", "%(count)d waiting events are not sent to TikTok.", count
    ) % {"count": count}


def _cancelled(count: int) -> str:
    return ngettext("%(count)d event was cancelled.", "%(count)d events were cancelled.", count) % {"count": count}


def will_rebuild(count: int) -> str:
    """What becomes of invalid events."""
    return ngettext(
        "%(count)d invalid event is built again from its object.",
        "%(count)d invalid events are built again from their objects.",
        count,
    ) % {"count": count}


def may_count_twice(count: int) -> str:
    """The risk of a late retry."""
    return ngettext(
        "%(count)d of them may have reached TikTok more than 47 hours ago, by an attempt without an answer or by the "
        "browser. TikTok remembers an event_id for 48 hours: sent again, it could be counted twice.",
        "%(count)d of them may have reached TikTok more than 47 hours ago, by an attempt without an answer or by the "
        "browser. TikTok remembers an event_id for 48 hours: sent again, they could be counted twice.",
        count,
    ) % {"count": count}


def left_alone(count: int, reason: Text) -> str:
    """How many were not changed, and why."""
    return ngettext(
        "%(count)d event is left as it is: %(reason)s.", "%(count)d events are left as they are: %(reason)s.", count
    ) % {"count": count, "reason": reason}


def all_that_fit(count: int, choice: str, *, more: bool) -> str:
    """How many a whole filter has, as far as they were counted."""
    if more:
        return gettext("At least %(count)d events fit: %(choice)s.") % {"count": count, "choice": choice}
    return ngettext("%(count)d event fits: %(choice)s.", "%(count)d events fit: %(choice)s.", count) % {
        "count": count,
        "choice": choice,
    }


IN_BACKGROUND = _("This is done in the background; a page shows how far it is, and can stop it.")
CAREFUL = _(
    "Left as they are: events that TikTok has, whose text was cleared, that are too old, that are invalid, and those "
    "that could count twice."
)

RETRY = Verb(
    name="retry",
    action=manual.retry,
    question=_("Send again?"),
    button=_("Send again"),
    logged=_("Sent again by hand."),
    asked=_("Asked to send all events of a filter again."),
    plan=_will_retry,
    done=_retried,
)
CANCEL = Verb(
    name="cancel",
    action=manual.cancel,
    question=_("Cancel?"),
    button=_("Cancel sending"),
    logged=_("Cancelled by hand."),
    asked=_("Asked to cancel all events of a filter."),
    plan=_will_cancel,
    done=_cancelled,
    warning=_(
        "What is on its way this very moment may still arrive, and is then marked as delivered. "
        "What a page has shown to the browser is not undone."
    ),
)
