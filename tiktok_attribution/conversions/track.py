"""`track`: an event by hand, from a view or from code without a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from tiktok_attribution import conf
from tiktok_attribution.consent.answer import Consent, Decision, as_consent, denied
from tiktok_attribution.conversions.accounts import KEYS
from tiktok_attribution.conversions.building import build_event, pixels_of_request
from tiktok_attribution.conversions.declaration import BOTH, BROWSER, HALVES, SERVER
from tiktok_attribution.conversions.fact import Built, Fact
from tiktok_attribution.conversions.pausing import is_paused
from tiktok_attribution.conversions.permitted import permitted
from tiktok_attribution.conversions.person import teller_of
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.conversions.recorder import Recorded, record
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.ids import random_event_id, valid_event_id, valid_pixel_codes
from tiktok_attribution.events.types import NO_USER
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.identity import hashed
from tiktok_attribution.visitor.page_address import page_address
from tiktok_attribution.visitor.visitor import Requester, Visitor, requester_of


@errors_without_values
def track(
    request: HttpRequest | None,
    event: str,
    *,
    event_id: Any = None,
    event_time: Any = None,
    user: Mapping[str, Any] | None = None,
    pixels: Sequence[str] | str = (),
    halves: str = BOTH,
    page_url: str = "",
    consent: bool | None = None,
    using: str | None = None,
    properties: Mapping[str, Any] | None = None,
    **standard_properties: Any,
) -> Recorded | None:
    """Record an event: `track(request, "AddToCart", value=cart.total, currency="EUR", contents=[…])`.

    The server half is written in the current transaction, the browser half is shown on this page or the visitor's next.
    Without a request (None) there is only a server half; say who and where with `user` and `page_url`. `event_id`
    makes it count once however often this is called. `consent` is what the site
    knows of a person who is not here. Returns None when nothing new was recorded. Bad arguments are recorded as
    invalid, with their reason; nothing is raised unless the setting STRICT is on. A request that is no
    shopper's (the admin's, a webhook's), or one of staff for whom `user` names another person, gives none of its
    signals; a refusal that it carries holds all the same, unless it comes from a back office (see `Caller`).
    """
    if is_paused():
        return None
    requester = _requester(request, event, user)
    visitor = None if requester is None else requester.shopper
    unusable: InvalidEvent | None = None
    try:
        codes = _pixel_codes(request, pixels)
    except InvalidEvent as error:
        codes, unusable = conf.current().pixel_code, error  # listed as invalid there
    if codes is None:
        return None
    decision = _decision(requester, as_consent(consent))
    fact_id = random_event_id() if event_id is None or event_id == "" else event_id

    def build() -> Built:
        if unusable is not None:
            raise unusable
        if halves not in HALVES or (halves == BROWSER and visitor is None):
            raise InvalidEvent(_wrong_halves(halves))
        keys, notes = hashed(user or {})
        built, more = build_event(
            event,
            event_id=valid_event_id(fact_id),
            event_time=event_time,
            user=keys.merged(visitor.user.merged(visitor.signed_in)) if visitor else keys,
            page=_page(visitor, page_url),
            properties={**(properties or {}), **standard_properties},
            limited_data_use=decision.limited_data_use,
        )
        return Built(built, notes + more)

    fact = Fact(
        name=str(event),
        event_id=str(fact_id),
        build=build,
        using=using or write_database(),
        pixel_codes=codes,
        halves=SERVER if visitor is None else halves,
        decision=decision,
    )
    return record(fact, visitor)


@errors_without_values
def _requester(request: HttpRequest | None, event: str, user: Mapping[str, Any] | None) -> Requester | None:
    """Who sends the request; as a stranger, where the event is told of another person."""
    if request is None:
        return None
    with protected(write_database()):
        requester = requester_of(request)
        return teller_of(event, _told_of(user), requester) if user else requester


@errors_without_values
def _told_of(user: Mapping[str, Any]) -> User:
    """What tells the person from others; what is wrong with it is said when the event is built."""
    try:
        return hashed({key: value for key, value in user.items() if key in KEYS})[0]
    except Exception:
        return NO_USER


def _decision(requester: Requester | None, declared: Consent) -> Decision:
    """What the request allows for what it tracks itself, whatever the arguments."""
    if requester is None:
        return permitted(declared, None)
    circumstance = requester.circumstance
    if circumstance is not None:
        return denied(circumstance)
    if requester.shopper is not None:
        return permitted(declared, requester.will)
    with protected(write_database()):  # the site's CONSENT and OPT_OUT are asked, of a request that they may not expect
        return permitted(declared, requester.will)


def _pixel_codes(request: HttpRequest | None, wanted: object) -> Sequence[str] | None:
    """None where the request's shop has no pixel. Raises InvalidEvent for a code that can't be one."""
    if codes := valid_pixel_codes(wanted):
        return codes
    own = pixels_of_request(request)
    return None if own == () else own or conf.current().pixel_code


def _wrong_halves(halves: object) -> str:
    if halves == BROWSER:
        return 'halves is "browser", but there is no visitor whose page could show it: pass the shopper\'s request.'
    return f"halves is not one of {', '.join(HALVES)}."


def _page(visitor: Visitor | None, page_url: str) -> Page:
    if page_url:
        return Page(url=page_address(page_url, conf.current()))
    return visitor.page if visitor else Page()
