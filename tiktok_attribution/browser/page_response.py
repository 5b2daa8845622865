"""What one response hands to the visitor's browser, and what it leaves for the next page.

A page that was made but never seen hands nothing over: an error page, a redirect, an HTML mail or a fragment in JSON.
Then everything waits on. So an event is shown at least once, and TikTok drops a second showing by its event_id.
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
from tiktok_attribution.consent.decision import Decision, Reason
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
HTMX_RESTORES = "HTTP_HX_HISTORY_RESTORE_REQUEST"  # of such a page, htmx 2 reads neither <head> nor HX-Trigger
HTMX_LEAVES = ("HX-Redirect", "HX-Refresh", "HX-Location")  # the next page follows at once and can show it
MOST_HEADER_CHARACTERS = 6000  # servers and proxies take 8 kB for all headers together


class Handover:
    """Of one request; made when there is something to hand over or to keep."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.pending = pending_cookie.load(request)
        self.shown: list[PixelCall] = []
        self.is_given = False  # in a JSON answer, by `pending_events`
        self._stored, self._known = self.pending.as_entries(), self.pending.entries
        self._earlier: list[PixelCall] | None = None
        self._answered = False
        self._postponed: list[Callable[[], object]] = []
        self.is_personal = False

    def answer(self) -> None:
        """Let this visitor's answer decide over what waits: held events go, or all of it is dropped."""
        if self._answered or not self.pending:
            return
        self._answered = True
        decision = visitor_of(self.request).decision
        if decision.is_refusal:
            consent_hold.drop(self.pending.everything, _reason_of(decision))
            self.pending.clear()
        elif decision.is_granted and self.pending.awaiting:
            released = consent_hold.release(self.pending.awaiting)
            self.pending.agree()
            self.pending.add(key for key, _ in released)
            for code, using in {(key.pixel_code, using) for key, using in released}:
                tasks.wake_worker(code, using)

    def prepare(self) -> list[PixelCall]:
        """Read what waits from earlier requests; what was rolled back since is forgotten."""
        if self._earlier is None:
            self.answer()
            waiting = self.pending.events
            found = stored_calls.of_keys(waiting)
            self.pending.forget(set(waiting).difference(_keys(found)))
            self._earlier = found + stored_calls.of_objects(self.pending.watched)
        return self._earlier

    def take(self) -> list[PixelCall]:
        """Everything that waits for this visitor and is not on this page yet."""
        visitor = self._visitor
        own = [] if visitor is None else visitor.to_show
        return self.show([*self.prepare(), *own])

    def show(self, found: Iterable[PixelCall]) -> list[PixelCall]:
        """These stand on this page from now on; returns those that did not yet."""
        found = list(found)
        for pixel_call in found:  # first of all, for it may fail, and then nothing counts as shown
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
        """What this page, which was fetched ahead, makes up for when it is shown. The page becomes private."""
        visitor = self._visitor
        if visitor is None or not visitor.unseen or not page_data.beacon_url():
            return []
        unseen, visitor.unseen = visitor.unseen, []
        self.make_personal()
        return later(unseen)

    def _hide_from_others(self, pixel_call: PixelCall) -> None:
        """Leave out the hashes of a stored event where the request is not recognised as its visitor's."""
        if not pixel_call.identify or pixel_call.stored is None or not conf.current().user_matching:
            return
        if not visitor_of(self.request).is_recognised(pixel_call.stored):
            pixel_call.identify = {}

    # A template that an async view renders by itself runs in the event loop, where Django refuses the database. What a
    # tag asks for there is done by the middleware when the view has answered, in the thread of Django's async ORM.
    # This page can't show it any more, so the visitor's next one does. `sync_to_async(render)` keeps it on this page.
    def postpone(self, step: Callable[[], object]) -> None:
        """Do this after the view; what it finds is shown by the next page."""
        self._postponed.append(step)
        self._not_for_everybody()

    def claim_later(self, labels: Iterable[str]) -> None:
        """The same for the conversions of these objects ("shop.Order:42")."""
        labels = tuple(labels)

        def claim() -> None:
            if _may_show(self.request):  # asked there too: the answer may lie in the session
                self.pending.add((), labels)

        self.postpone(claim)

    def make_personal(self) -> None:
        """The page depends on this visitor's answer, in a way that no browser can tell from a cached one."""
        self.is_personal = True
        self._not_for_everybody()

    def hand_over(self) -> list[PixelCall]:
        """Everything that waits, for a response that is no page but whose script runs it."""
        found = self.take()
        if found:
            stored_calls.note_shown(_keys(found))
            self.pending.forget(_keys(found))
            self.shown, self.is_personal = [], True
        return found

    def _not_for_everybody(self) -> None:
        # Django's cache_page stores a view's response before any middleware can make it private; this is
        # where its middleware looks whether it may. UpdateCacheMiddleware looks at the header as well.
        self.request.__dict__["_cache_update_cache"] = False

    def settle(self, response: HttpResponseBase) -> None:
        """After the view: note what was shown, keep the rest, make private what is one visitor's own."""
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
            stored_calls.note_shown(given)
            self.pending.forget(given)
        self.pending.add(key for key in keys if key not in given)
        is_changed = self._store(response)
        if is_changed or keys or self.is_personal:
            make_private(response)
        if keys:
            _never_again(response)
        self._look_for_tag(response)

    def _look_for_tag(self, response: HttpResponseBase) -> None:
        """Note a page that lacks the tag while something waits that it could have shown."""
        settings, request = conf.current(), self.request
        if not (self.pending.events or self.pending.watched) or settings.mode != conf.DEVELOPER:
            return
        if (
            not is_page(response)
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
        """Set the cookies of what waits from now on; True where one changes."""
        request = self.request
        kept, fresh = self.pending.split(self._known)
        beside = "" if is_page_load(request) else fresh.as_short_text()
        rest = kept if beside else self.pending
        is_useless = not rest and pending_cookie.is_marked(request)
        is_changed = is_useless or rest.as_entries() != self._stored or pending_cookie.is_crowded(request)
        if is_changed:
            pending_cookie.save(request, response, rest)
        if beside:
            pending_cookie.save_beside(request, response, fresh, beside)
        return is_changed or bool(beside)

    def _put_into_header(self, response: HttpResponseBase) -> list[PixelCall]:
        """For a request of a script's own, such as htmx's, whose answer is no page."""
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
    """The handover of a request, made when first asked for."""
    made: Handover | None = request.__dict__.get(ATTRIBUTE)
    if made is None:
        made = request.__dict__[ATTRIBUTE] = Handover(request)
    return made


def is_needed(request: HttpRequest) -> bool:
    """Whether anything may be on its way to this visitor; an ordinary page is done here."""
    visitor = request.__dict__.get(VISITOR)
    own = visitor is not None and (visitor.to_show or visitor.to_watch or visitor.of_interest or visitor.unseen)
    return bool(own) or ATTRIBUTE in request.__dict__ or pending_cookie.is_marked(request)


def has_unseen(request: HttpRequest) -> bool:
    """Whether this page was fetched ahead and has events to make up for; asks for no visitor that nobody needs."""
    visitor = request.__dict__.get(VISITOR)
    return visitor is not None and bool(visitor.unseen)


def is_open(request: HttpRequest) -> bool:
    """Whether this response can still hand something over, and its visitor agrees.

    Not where the middleware is missing or has finished (a template that is rendered while it streams), and not for a
    browser that throws the page away (HEAD, a missing image) or only may show it (prefetch).
    """
    return has_middleware(request) and _may_show(request)


def has_middleware(request: HttpRequest) -> bool:
    """Whether the middleware stands around this request and will settle it."""
    return current_request.get() is request


def _may_show(request: HttpRequest) -> bool:
    is_unseen = request.method == "HEAD" or is_prefetch(request) or is_subresource(request)
    is_unseen = is_unseen or HTMX_RESTORES in request.META
    return not is_unseen and visitor_of(request).decision.is_granted


def by_header(request: HttpRequest) -> str:
    """The header that hands events to whoever asked: htmx, or a `fetch` that says so. "" for a page.

    A boosted link of htmx counts too, for it throws the <head> of the page away, and the pixel tag in it.
    """
    meta = request.META
    if "HTTP_HX_REQUEST" in meta:
        return HTMX_HEADER if conf.current().page_script else ""
    return HEADER if "HTTP_X_TIKTOK_EVENTS" in meta and conf.current().page_script else ""


def pending_events(request: HttpRequest) -> dict[str, Any]:
    """What waits for this visitor, as a field of a JSON answer; the page hands it to `tiktokAttribution.fire`.

    Empty where nothing waits. Counts as shown when the answer goes out with a status below 300.
    """
    request = getattr(request, "_request", request)  # a view of Django REST framework wraps it
    if not conf.current().enabled or not is_needed(request) or not is_open(request):
        return {}
    handover = of(request)
    pixel_calls = handover.take()
    handover.is_given = True
    return page_data.content(pixel_codes(request), pixel_calls) if pixel_calls else {}


def _with_trigger(existing: str, detail: str) -> str:
    """The events that the view triggers already, and ours; "" where theirs can't be read."""
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
    """The rows that these stand for, each once, in their order."""
    return {key: None for pixel_call in pixel_calls for key in keys_of(pixel_call)}


def is_page(response: HttpResponseBase) -> bool:
    """Whether the answer is HTML that a browser shows."""
    status = response.status_code
    is_content = 200 <= status < 300 or 400 <= status < 500
    is_inline = not response.get("Content-Disposition", "").startswith("attachment")
    return is_content and is_inline and status not in WITHOUT_BODY and response.get("Content-Type", "").startswith(HTML)


def _never_again(response: HttpResponseBase) -> None:
    """The browser must not show this page again from its cache when it is asked for the next time.

    Without no-store, for that would also cost the shopper what was typed into a form when coming back to it.
    """
    make_private(response, max_age=0)
    for validator in ("ETag", "Last-Modified"):
        if response.has_header(validator):
            del response[validator]
