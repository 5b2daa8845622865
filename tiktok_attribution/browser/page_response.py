"""Hand pending events to the visitor's browser with one response, and keep the rest for the visitor's next page.

A `Handover` belongs to one request. The template tags take pixel calls from it, and the middleware settles it with the
response. An error page, a redirect, an HTML mail or a fragment in JSON is not seen as a page. It hands nothing over,
and all events keep waiting. So each event is shown at least once. TikTok drops a repeated call by its event_id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf, tasks
from tiktok_attribution.browser import page_data, pending_cookie, stored_calls, untagged
from tiktok_attribution.browser.inline_code import safe_json
from tiktok_attribution.browser.pending_cookie import Key
from tiktok_attribution.browser.signed_events import Later, later
from tiktok_attribution.browser.stored_calls import keys_of
from tiktok_attribution.consent.types import Decision, Reason
from tiktok_attribution.conversions.building import pixel_codes
from tiktok_attribution.delivery import consent_hold
from tiktok_attribution.visitor.cookies import make_private
from tiktok_attribution.visitor.page import is_page_load, is_subresource
from tiktok_attribution.visitor.permission import is_prefetch, is_private
from tiktok_attribution.visitor.visitor import ATTRIBUTE as VISITOR
from tiktok_attribution.visitor.visitor import PixelCall, Visitor, current_request, visitor_of

ATTRIBUTE = "_tiktok_handover"
HTML = ("text/html", "application/xhtml+xml")
WITHOUT_BODY = (204, 205)
HEADER = "X-TikTok-Events"
HTMX_HEADER = "HX-Trigger"
HTMX_EVENT = "tiktok:events"
# Decision: a page that htmx restores shows no events. htmx 2 reads neither its <head> nor its HX-Trigger header.
# The events wait for the next page.
HTMX_RESTORES = "HTTP_HX_HISTORY_RESTORE_REQUEST"
HTMX_LEAVES = ("HX-Redirect", "HX-Refresh", "HX-Location")  # the next page follows at once and can show the events
MOST_HEADER_CHARACTERS = 6000  # servers and proxies accept 8 kB for all headers together


class Handover:
    """What one request shows and keeps. Create it with `of`, and only if there is something to show or to keep."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.pending = pending_cookie.load(request)
        self.shown: list[PixelCall] = []
        self.is_given = False  # True if `pending_events` put the calls into a JSON response
        self._stored, self._known = self.pending.as_entries(), self.pending.entries
        self._earlier: list[PixelCall] | None = None
        self._shown_rows = stored_calls.ShownRows()
        self._answered = False
        self._postponed: list[Callable[[], object]] = []
        self.is_personal = False

    def answer(self, *, is_granted: bool = False) -> None:
        """Apply the visitor's consent answer to what waits: release the waiting events, or suppress all of them.

        `is_granted`: the visitor was just asked (`is_open`), and agrees.
        """
        if self._answered or not self.pending:
            return
        self._answered = True
        decision = None if is_granted else visitor_of(self.request).decision
        if decision is not None and decision.is_refusal:
            consent_hold.drop(self.pending.everything, _reason_of(decision))
            self.pending.clear()
        elif (decision is None or decision.is_granted) and self.pending.has_awaiting:
            released = consent_hold.release(self.pending.awaiting)
            self.pending.agree()
            self.pending.add(key for key, _ in released)
            for code, using in {(key.pixel_code, using) for key, using in released}:
                tasks.wake_worker(code, using)

    def prepare(self, *, is_taken: bool = False) -> list[PixelCall]:
        """Read what waits from earlier requests, and forget events that were rolled back since.

        What is taken for a page is marked as shown by the same statement, where that is possible.
        """
        if self._earlier is None:
            self.answer(is_granted=is_taken)
            waiting, early = self.pending.events, self._shown_rows if is_taken else None
            found = stored_calls.of_keys(waiting, early)
            self.pending.forget(set(waiting).difference(_keys(found)))
            self._earlier = found + stored_calls.of_objects(self.pending.watched, early)
        return self._earlier

    def take(self) -> list[PixelCall]:
        """Return all pixel calls that wait for this visitor and are not on this page yet. Only if `is_open`."""
        visitor = self._visitor
        own = [] if visitor is None else visitor.to_show
        return self.show([*self.prepare(is_taken=True), *own])

    def show(self, found: Iterable[PixelCall]) -> list[PixelCall]:
        """Add these pixel calls to the page. Return those that were not on it before."""
        found = list(found)
        for pixel_call in found:  # before all else: if it fails, nothing counts as shown
            self._hide_from_others(pixel_call)
        fresh = []
        for pixel_call in found:
            if not _keys(self.shown).keys() >= set(keys_of(pixel_call)):
                self.shown.append(pixel_call)
                fresh.append(pixel_call)
        if fresh:
            self._not_for_everybody()
        return fresh

    def take_unseen(self) -> list[Later]:
        """Return the signed events of a prefetched page, which the page sends when it is shown. Makes it private."""
        visitor = self._visitor
        if visitor is None or not visitor.unseen or not page_data.beacon_url():
            return []
        unseen, visitor.unseen = visitor.unseen, []
        self.make_personal()
        return later(unseen)

    def _hide_from_others(self, pixel_call: PixelCall) -> None:
        """Remove the hashes of a stored event if the request is not recognised as its visitor's.

        Decision: the pending cookie can be copied, so hashes need a second sign of the same visitor
        (`Visitor.is_recognised`). A second secret cookie would be a new identifier.
        """
        if not pixel_call.identify or pixel_call.stored is None or not conf.current().user_matching:
            return
        if not visitor_of(self.request).is_recognised(pixel_call.stored):
            pixel_call.identify = {}

    # A template that an async view renders runs in the event loop, where Django refuses database access. The middleware
    # does the database work of its tags after the view, in the thread of Django's async ORM. It is too late for this
    # page then, so the visitor's next page shows the events. `sync_to_async(render)` keeps them on this page.
    def postpone(self, step: Callable[[], object]) -> None:
        """Run a step after the view. The next page shows the events that it finds."""
        self._postponed.append(step)
        self._not_for_everybody()

    def claim_later(self, labels: Iterable[str]) -> None:
        """After the view, keep the conversions of these objects ("shop.Order:42") for the next page."""
        labels = tuple(labels)

        def claim() -> None:
            if _may_show(self.request):  # asked here as well: the consent answer may be in the session
                self.pending.add((), labels)

        self.postpone(claim)

    def make_personal(self) -> None:
        """Make the page private: its text depends on this visitor's answer, and a browser can't see that."""
        self.is_personal = True
        self._not_for_everybody()

    def hand_over(self) -> list[PixelCall]:
        """Return all pixel calls that wait, for a response that is not a page but whose script makes the calls."""
        found = self.take()
        if found:
            self._note_shown(_keys(found))
            self.pending.forget(_keys(found))
            self.shown, self.is_personal = [], True
        return found

    def _note_shown(self, keys: Iterable[Key]) -> None:
        """Note what goes out, as far as the statement that read it has not noted it yet."""
        stored_calls.note_shown([key for key in keys if key not in self._shown_rows.keys])
        self._shown_rows.keys.difference_update(keys)

    def _not_for_everybody(self) -> None:
        # Django's cache_page stores a view's response before any middleware can make it private. Its middleware
        # reads this attribute to see whether it may. UpdateCacheMiddleware also reads the header.
        self.request.__dict__["_cache_update_cache"] = False

    def settle(self, response: HttpResponseBase) -> None:
        """Finish the response after the view: note what was shown, keep the rest, and make personal pages private.

        Decision: a pixel call counts as shown only if its page went out as HTML (see `is_page`).
        """
        for step in self._postponed:
            step()
        if (visitor := self._visitor) is not None:
            self.pending.add(_keys(visitor.to_show), visitor.to_watch)
            self.pending.note_answers(visitor.of_interest)
        self.answer()
        in_header = self._put_into_header(response)
        keys = _keys(self.shown)
        is_given = is_page(response) or (self.is_given and response.status_code < 300)
        given = keys if is_given else _keys(in_header)
        if given:
            self._note_shown(given)
            self.pending.forget(given)
        if self._shown_rows.keys:
            self._shown_rows.take_back(list(self._shown_rows.keys))
        if left := [key for key in keys if key not in given]:
            self.pending.add(left)
        is_changed = self._store(response)
        if keys:
            _never_again(response)
        elif is_changed or self.is_personal:
            make_private(response)
        self._look_for_tag(response)

    def _look_for_tag(self, response: HttpResponseBase) -> None:
        """Note a page that lacks the tag although an event waits that it could have shown."""
        settings, request = conf.current(), self.request
        if not (self.pending.events or self.pending.watched) or settings.mode != conf.DEVELOPER:
            return
        if (
            not untagged.is_suspect(request, response)
            or not is_page(response)
            or not is_page_load(request)
            or is_private(request.path_info, settings)
            or not visitor_of(request).is_shopper
        ):
            return
        if _may_show(request) and untagged.looks_untagged(request, response) and self._waits():
            untagged.note(request)

    def _waits(self) -> bool:
        visitor = self._visitor
        return bool(self.prepare() or (visitor is not None and visitor.to_show))

    def _store(self, response: HttpResponseBase) -> bool:
        """Set the cookies that name what waits. Return True if a cookie changes.

        Decision: a script's request writes what it adds into a cookie beside the first one, since several such requests
        may run at once. See `pending_cookie.MOST_BESIDE`.
        """
        request = self.request
        rest, fresh, beside = self.pending, self.pending, ""
        if not is_page_load(request):
            kept, fresh = self.pending.split(self._known)
            beside = fresh.as_short_text()
            rest = kept if beside else rest
        is_useless = not rest and pending_cookie.is_marked(request)
        is_changed = is_useless or rest.as_entries() != self._stored or pending_cookie.is_crowded(request)
        if is_changed:
            pending_cookie.save(request, response, rest)
        if beside:
            pending_cookie.save_beside(request, response, fresh, beside)
        return is_changed or bool(beside)

    def _put_into_header(self, response: HttpResponseBase) -> list[PixelCall]:
        """Put pixel calls into a header of a script's request, such as htmx's. Return the calls that it carries."""
        header, status = by_header(self.request), response.status_code
        is_read = status < 300 or 400 <= status < 500
        if not header or not is_read or any(map(response.has_header, HTMX_LEAVES)):
            return []
        fresh, unseen = self.take() if _may_show(self.request) else [], self.take_unseen()
        if not fresh and not unseen:
            return []
        text = safe_json(page_data.content(pixel_codes(self.request), fresh, unseen))
        if header == HTMX_HEADER:
            text = _with_trigger(response.get(HTMX_HEADER, ""), text)
        if not 0 < len(text) <= MOST_HEADER_CHARACTERS:
            self.shown = [pixel_call for pixel_call in self.shown if pixel_call not in fresh]
            return []
        response[header] = text
        return fresh

    @property
    def _visitor(self) -> Visitor | None:
        return self.request.__dict__.get(VISITOR)


def of(request: HttpRequest) -> Handover:
    """Return the handover of a request; create it at the first call."""
    made: Handover | None = request.__dict__.get(ATTRIBUTE)
    if made is None:
        made = request.__dict__[ATTRIBUTE] = Handover(request)
    return made


def is_needed(request: HttpRequest) -> bool:
    """Return whether anything may wait for this visitor. False for an ordinary page, which needs no more work."""
    visitor = request.__dict__.get(VISITOR)
    own = visitor is not None and (visitor.to_show or visitor.to_watch or visitor.of_interest or visitor.unseen)
    return bool(own) or ATTRIBUTE in request.__dict__ or pending_cookie.is_marked(request)


def has_unseen(request: HttpRequest) -> bool:
    """Return whether this is a prefetched page with events to send when it is shown. Creates no visitor."""
    visitor = request.__dict__.get(VISITOR)
    return visitor is not None and bool(visitor.unseen)


def is_open(request: HttpRequest) -> bool:
    """Return whether this response can still carry events, and its visitor agrees.

    False without the middleware, and after it has finished (a template that is rendered while the response streams).
    Also False if the browser does not show the response: HEAD, a missing image, a prefetch.
    """
    return has_middleware(request) and _may_show(request)


def has_middleware(request: HttpRequest) -> bool:
    """Return whether the middleware is around this request and will settle it."""
    return current_request.get() is request


def _may_show(request: HttpRequest) -> bool:
    is_unseen = request.method == "HEAD" or is_prefetch(request) or is_subresource(request)
    is_unseen = is_unseen or HTMX_RESTORES in request.META
    return not is_unseen and visitor_of(request).decision.is_granted


def by_header(request: HttpRequest) -> str:
    """Return the header that carries events to htmx, or to a `fetch` that asks for it; "" for a page.

    A boosted link of htmx counts too: htmx throws away the <head> of that page, and the pixel tag in it.
    """
    meta = request.META
    if "HTTP_HX_REQUEST" in meta:
        return HTMX_HEADER if conf.current().page_script else ""
    return HEADER if "HTTP_X_TIKTOK_EVENTS" in meta and conf.current().page_script else ""


def pending_events(request: HttpRequest) -> dict[str, Any]:
    """Return what waits for this visitor, as a field of a JSON response; pass it to `tiktokAttribution.fire`.

    Empty if nothing waits. The events count as shown when the response goes out with a status below 300.
    """
    request = getattr(request, "_request", request)  # Django REST framework wraps the request
    if not conf.current().enabled or not is_needed(request) or not is_open(request):
        return {}
    handover = of(request)
    pixel_calls = handover.take()
    handover.is_given = True
    return page_data.content(pixel_codes(request), pixel_calls) if pixel_calls else {}


def _with_trigger(existing: str, detail: str) -> str:
    """Add our event to an HX-Trigger header. Return "" if the view's own value can't be read."""
    if not existing.lstrip().startswith("{"):
        events = dict.fromkeys(filter(None, map(str.strip, existing.split(","))))
    else:
        try:
            events = json.loads(existing)
        except ValueError:
            return ""
    return safe_json({**events, HTMX_EVENT: json.loads(detail)})


def _reason_of(decision: Decision) -> Reason:
    return Reason.WITHDRAWN if decision.reason is Reason.DENIED else Reason.OPT_OUT


def _keys(pixel_calls: Iterable[PixelCall]) -> dict[Key, None]:
    """Return the outbox rows of these pixel calls, each once and in order."""
    return {key: None for pixel_call in pixel_calls for key in keys_of(pixel_call)}


def is_page(response: HttpResponseBase) -> bool:
    """Return whether the response is HTML that a browser shows as a page."""
    status = response.status_code
    is_content = 200 <= status < 300 or 400 <= status < 500
    is_inline = not response.get("Content-Disposition", "").startswith("attachment")
    return is_content and is_inline and status not in WITHOUT_BODY and response.get("Content-Type", "").startswith(HTML)


def _never_again(response: HttpResponseBase) -> None:
    """Keep the browser from using this page again from its cache.

    It does not use no-store: then a shopper who comes back would also lose what they typed into a form.
    """
    make_private(response, max_age=0)
    for validator in ("ETag", "Last-Modified"):
        if response.has_header(validator):
            del response[validator]
