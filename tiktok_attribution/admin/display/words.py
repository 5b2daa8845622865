"""What the states of events and pixels mean, in words for whoever looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models import State

Text = str | Promise


class Words(NamedTuple):
    """What it means, and what to do about it ("" where there is nothing to do)."""

    meaning: Text
    advice: Text


STATES: Mapping[str, Words] = {
    State.WAITING: Words(
        _("Recorded here and not yet taken by TikTok."),
        _(
            "Nothing to do for the first minute. If it stays, see that a Celery worker runs, "
            "or run: manage.py tiktok_deliver"
        ),
    ),
    State.AWAITING_CONSENT: Words(
        _("The visitor has not answered the question for consent. Nothing is sent before a yes."),
        _("Nothing to do: the answer releases it or drops it, and without one it is dropped in time."),
    ),
    State.DELIVERED: Words(_("TikTok has accepted this event. Events Manager shows it after some time."), ""),
    State.INVALID: Words(
        _("The event could not be built, so nothing was sent. The order or sign-up itself is not affected."),
        _("Fix what the reason names, in the settings or in the object; then send it again."),
    ),
    State.REJECTED: Words(
        _("TikTok refused this event."),
        _(
            "Sent again, it goes out word for word as it is stored. That helps where the cause lay outside the event: "
            "in the account, or at TikTok."
        ),
    ),
    State.EXPIRED: Words(
        _("Given up: it waited too long to be sent safely."),
        _("Find out what kept it: no worker, a stopped pixel, or TikTok out of reach."),
    ),
    State.CANCELLED: Words(
        _("Called off by hand. Its pixel call, if a page showed it, is not undone."),
        _("It can be sent again."),
    ),
    State.BROWSER_ONLY: Words(_("Declared for the browser alone: no server event is sent for it."), ""),
}

INVALID_ALONE = Words(
    _("The event could not be built, so nothing was sent. The visitor noticed nothing."),
    _("It belongs to no object and can't be built again here: fix what the reason names, where track() is called."),
)
WARNED = Words(
    _("TikTok has accepted this event, but not all of it could be sent, or something is missing in it."),
    _("A delivered event can't be changed. Fix what the reason names; future events will have it."),
)
STOPPED = Words(
    _("TikTok refuses everything of this pixel, so nothing more is sent. Its events wait and are not lost."),
    _("Fix the cause, then resume the pixel. A new token resumes it by itself."),
)
PIXEL_DOWN = Words(
    _("TikTok does not answer this pixel's requests. Its events wait and are not lost."),
    _(
        "Nothing to do while TikTok is down: one event is sent now and then to see whether it is back. If other sites "
        "reach TikTok, see that this server may open HTTPS connections outwards: firewall, proxy, DNS."
    ),
)
PIXEL_RUNS = Words(_("This pixel may send. What stopped or delayed it once is over."), "")


def words_of_event(state: str, object_label: str) -> Words:
    """What its state means; of one that tells of no object, nobody's order is spoken of."""
    if state == State.INVALID and not object_label:
        return INVALID_ALONE
    return STATES.get(state, Words("", ""))
