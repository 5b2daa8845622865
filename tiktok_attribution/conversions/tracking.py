"""Record an event by hand with `track` and `atrack`, from a view or from code without a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Consent, Decision, Reason, as_consent, denied
from tiktok_attribution.conversions.accounts import KEYS
from tiktok_attribution.conversions.building import build_event
from tiktok_attribution.conversions.conversion import BOTH, BROWSER, CHANNELS, SERVER
from tiktok_attribution.conversions.event_source import Built, EventSource
from tiktok_attribution.conversions.person import teller_of
from tiktok_attribution.conversions.recorded import Recorded
from tiktok_attribution.conversions.recorder import is_paused, permitted, record
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.errors import errors_without_values, strip_values
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.ids import random_event_id, valid_event_id, valid_pixel_codes
from tiktok_attribution.events.types import NO_USER
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import report
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.caller import pixels_of_request
from tiktok_attribution.visitor.matching import hashed
from tiktok_attribution.visitor.page import page_address
from tiktok_attribution.visitor.request_data import in_event_loop
from tiktok_attribution.visitor.snapshot import NOBODY, Signals
from tiktok_attribution.visitor.visitor import Requester, Unseen, Visitor, requester_of
from tiktok_attribution.visitor.visitor_key import key_for_event

logger = logging.getLogger("tiktok_attribution")

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

NO_AWAIT = (
    "track() was called in a running event loop, where Django refuses the database: nothing is recorded. "
    "In an async view or task write: await atrack(request, …), from tiktok_attribution"
)


@errors_without_values
def track(
    request: HttpRequest | None,
    event: str,
    *,
    event_id: Any = None,
    event_time: Any = None,
    user: Mapping[str, Any] | None = None,
    pixels: Sequence[str] | str = (),
    channels: str = BOTH,
    page_url: str = "",
    consent: bool | None = None,
    using: str | None = None,
    properties: Mapping[str, Any] | None = None,
    **standard_properties: Any,
) -> list[str]:
    """Record an event: `track(request, "AddToCart", value=cart.total, currency="EUR", contents=[…])`.

    Returns the event ids that were recorded: one, or none if nothing was new. The server event is written in the
    current transaction. The pixel call is shown on this page or on the visitor's next page.

    - `request`: None if there is no request. Then there is only a server event; pass `user` and `page_url`.
    - `event_id`: makes the event count once, however often this is called.
    - `consent`: what the site knows of the consent of a person who is not here.

    Invalid arguments are recorded as an invalid event with its reason. Nothing is raised unless the setting STRICT is
    on. Some requests are not the visitor's: those of the admin, of a webhook, or of staff who name another person in
    `user`. Their signals are not used. A refusal in such a request still counts, unless it comes from a back office
    (see `Caller`). In async code use `atrack`.
    """
    recorded = track_event(
        request,
        event,
        event_id=event_id,
        event_time=event_time,
        user=user,
        pixels=pixels,
        channels=channels,
        page_url=page_url,
        consent=consent,
        using=using,
        properties=properties,
        more_properties=standard_properties,
    )
    return [] if recorded is None else [recorded.event.event_id]


def track_event(
    request: HttpRequest | None,
    event: str,
    *,
    event_id: Any = None,
    event_time: Any = None,
    user: Mapping[str, Any] | None = None,
    pixels: Sequence[str] | str = (),
    channels: str = BOTH,
    page_url: str = "",
    consent: bool | None = None,
    using: str | None = None,
    properties: Mapping[str, Any] | None = None,
    more_properties: Mapping[str, Any] = MappingProxyType({}),
) -> Recorded | None:
    """Record an event as `track` does, for callers that show the pixel call. Return None if nothing was new."""
    if is_paused():
        return None
    if in_event_loop():
        _refuse_event_loop()
        return None
    requester = _requester(request, event, user)
    visitor = None if requester is None else requester.shopper
    problem: InvalidEvent | None = None
    try:
        codes = _pixel_codes(request, pixels)
    except InvalidEvent as error:
        codes, problem = conf.current().pixel_code, error  # the invalid event is listed under these pixels
    if codes is None:
        return None
    decision = _decision(requester, as_consent(consent))
    source_id = random_event_id() if event_id is None or event_id == "" else event_id

    def build() -> Built:
        if problem is not None:
            raise problem
        if channels not in CHANNELS or (channels == BROWSER and visitor is None):
            raise InvalidEvent(_wrong_channels(channels))
        keys, notes = hashed(user or {})
        built, more = build_event(
            event,
            event_id=valid_event_id(source_id),
            event_time=event_time,
            user=keys.merged(visitor.user.merged(visitor.signed_in)) if visitor else keys,
            page=_page(visitor, page_url),
            properties={**(properties or {}), **more_properties},
            limited_data_use=decision.limited_data_use,
        )
        return Built(built, notes + more)

    if decision.reason is Reason.PREFETCH and visitor is not None and channels == BOTH and problem is None:
        given = {**(properties or {}), **more_properties}
        _leave_to_page(
            visitor, Unseen(name=str(event), event_id=str(source_id), properties=given, pixel_codes=tuple(codes))
        )
    source = EventSource(
        name=str(event),
        event_id=str(source_id),
        build=build,
        using=using or write_database(),
        pixel_codes=codes,
        channels=SERVER if visitor is None else channels,
        signals=_with_key(visitor),
        decision=decision,
    )
    return record(source, visitor)


def _async_twin(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, Coroutine[Any, Any, _Result]]:
    """Return the same function for async code, with the same arguments.

    It runs in the thread that Django's own async ORM calls share (thread-sensitive). So it uses their connection and
    the transaction on it. asgiref passes the context variables on: the current request, and `paused()`.
    """

    @wraps(function)
    async def twin(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return await sync_to_async(function, thread_sensitive=True)(*args, **kwargs)
        except BaseException as error:
            del args, kwargs  # the frames of asgiref hold them as well
            raise strip_values(error)  # noqa: B904 -- the same error, which keeps its causes

    return twin


atrack = _async_twin(track)
atrack.__name__ = atrack.__qualname__ = "atrack"
atrack.__doc__ = "As `track`, for async views and tasks: `await atrack(request, …)`."


def _refuse_event_loop() -> None:
    """Report which call is right. No row can be written here, not even an invalid event."""
    if conf.current().strict:
        raise SynchronousOnlyOperation(NO_AWAIT)
    logger.error("tiktok: %s", NO_AWAIT)


@errors_without_values
def _requester(request: HttpRequest | None, event: str, user: Mapping[str, Any] | None) -> Requester | None:
    """Return who sends the request. If `user` names another person, the sender counts as a stranger."""
    if request is None:
        return None
    with protected(write_database()):
        requester = requester_of(request)
    if not user:
        return requester
    try:
        with protected(write_database()):
            return teller_of(event, _told_of(user), requester)
    except Exception as error:
        report(error, "it can't be told whose an event by hand is, so it goes without its visitor")
        return requester.as_stranger


@errors_without_values
def _told_of(user: Mapping[str, Any]) -> User:
    """Hash the keys that tell a person from others. What is wrong with them is reported when the event is built."""
    try:
        return hashed({key: value for key, value in user.items() if key in (*KEYS, "phone")})[0]
    except Exception:
        return NO_USER


def _leave_to_page(visitor: Visitor, unseen: Unseen) -> None:
    """Have the prefetched page send the event: its visitor may see the page without another request."""
    # Decision: a prefetched page carries its events, signed. To record at the prefetch would count pages that no
    # visitor opens, and a second request does not come. The page's signed action has the server's event_id, so a page
    # that is shown twice records once. Personal data that `track(user=…)` was given is left out of the page.
    with protected(write_database()):
        is_refused = visitor.will.is_denied
    if not is_refused:
        visitor.unseen.append(unseen)


def _decision(requester: Requester | None, declared: Consent) -> Decision:
    """Decide whether the request allows an event that it tracks itself, whatever the arguments."""
    if requester is None:
        return permitted(declared, None)
    circumstance = requester.circumstance
    if circumstance is not None:
        return denied(circumstance)
    if requester.shopper is not None:
        return permitted(declared, requester.will)
    with protected(write_database()):  # calls the site's CONSENT and OPT_OUT, which may not expect such a request
        return permitted(declared, requester.will)


def _with_key(visitor: Visitor | None) -> Signals:
    """Return signals that hold the visitor's key alone, for an event without an object."""
    if visitor is None or not conf.current().attribution.enabled:
        return NOBODY
    with protected(write_database()):
        key = key_for_event(visitor.request, visitor.will)
    return NOBODY if key is None else Signals(visitor_key=key)


def _pixel_codes(request: HttpRequest | None, wanted: object) -> Sequence[str] | None:
    """Return the pixels; None if the request's shop has no pixel. Raises InvalidEvent for an impossible code."""
    if codes := valid_pixel_codes(wanted):
        return codes
    own = pixels_of_request(request)
    return None if own == () else own or conf.current().pixel_code


def _wrong_channels(channels: object) -> str:
    if channels == BROWSER:
        return 'channels is "browser", but there is no visitor whose page could show it: pass the shopper\'s request.'
    return f"channels is not one of {', '.join(CHANNELS)}."


def _page(visitor: Visitor | None, page_url: str) -> Page:
    if page_url:
        return Page(url=page_address(page_url, conf.current()))
    return visitor.page if visitor else Page()
