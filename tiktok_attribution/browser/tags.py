"""Build the text of `{% tiktok_pixel %}` and `{% tiktok_event %}`: base code, pixel calls, or a data block.

The base code is the same for all visitors. The pixel calls are one visitor's, and make the page private.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from django.conf import settings as django_settings
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tiktok_attribution import conf
from tiktok_attribution.browser import page_data, page_response, stored_calls
from tiktok_attribution.browser.consent_gate import Gate, is_personal
from tiktok_attribution.browser.csp_nonce import has_nonce, script
from tiktok_attribution.browser.inline_code import ONCE, base_code, identify_call, landing_call, once_call, report_call
from tiktok_attribution.browser.signed_events import Later
from tiktok_attribution.browser.stored_calls import keys_of
from tiktok_attribution.browser.untagged import LOADED
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.conversions.recorder import is_paused
from tiktok_attribution.conversions.tracking import track_event
from tiktok_attribution.errors import errors_without_values, strip_values
from tiktok_attribution.events import BrowserCall, Page, User
from tiktok_attribution.events.ids import random_event_id, valid_event_id
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.page import is_page_load
from tiktok_attribution.visitor.permission import is_preview, is_private
from tiktok_attribution.visitor.request_data import in_event_loop
from tiktok_attribution.visitor.visitor import PixelCall, visitor_of

logger = logging.getLogger("tiktok_attribution")

T = TypeVar("T")


def pixel_text(request: HttpRequest | None) -> SafeString:
    """Return the text of `{% tiktok_pixel %}`.

    Decision: pages stay cacheable. If nothing is pending, the text depends on the settings alone, is built once, and
    touches neither session nor cookies. The tag must not be inside `{% cache %}`: that would keep one visitor's events.
    """
    settings = conf.current()
    if not settings.enabled or _is_veiled(request, settings):
        return script("", request)
    if request is None or settings.mode == conf.STANDARD or not page_response.is_needed(request):
        if settings.pixel_for_request is None and not has_nonce(request) and not is_personal(settings):
            return _everybodys(settings, request)
        return _with_base(request, _codes(request), [], loaded=())
    codes = _codes(request)
    is_here = page_response.is_open(request) and is_page_load(request) and not page_response.by_header(request)
    pixel_calls = _harmless(lambda: page_response.of(request).take() if is_here else [])
    return _with_base(request, codes, pixel_calls, loaded=())


_everybodys_text: tuple[tuple[object, ...], SafeString] = ((), script("", None))


def _everybodys(settings: conf.Settings, request: HttpRequest | None) -> SafeString:
    """Return the text that depends only on the settings. It is built once for each settings object."""
    global _everybodys_text
    site: tuple[object, ...] = (settings,)
    if (settings.page_script or settings.private_paths or settings.attribution.enabled) and request is not None:
        # The endpoint's URL and the private prefixes depend on these two. Django's own get_urlconf() costs ten times
        # as much as the rest of this function.
        site = (settings, getattr(request, "urlconf", django_settings.ROOT_URLCONF), request.META.get("SCRIPT_NAME"))
    if _everybodys_text[0] != site:
        _everybodys_text = (site, _with_base(None, settings.pixel_code, [], loaded=()))
    if request is not None:
        if settings.page_script and request.__dict__.get(LOADED):  # a second tag must not load the file again
            return _with_file(request, settings.pixel_code, [])
        request.__dict__[LOADED] = settings.pixel_code
    return _everybodys_text[1]


@errors_without_values
def event_tag(
    request: HttpRequest | None, event: Any, /, *, server: bool = False, event_id: Any = "", **properties: Any
) -> SafeString:
    """Return the text of `{% tiktok_event %}`: a named event, or the pixel calls of an object's conversions."""
    settings = conf.current()
    if not settings.enabled or _is_veiled(request, settings):
        return script("", request)

    def find() -> list[PixelCall]:
        if isinstance(event, Model):
            return _claim_object(request, event)
        if server:
            return _track_now(request, event, event_id, properties)
        return _browser_only(event, event_id, properties)

    pixel_calls = _harmless(find)
    is_unseen = request is not None and page_response.has_unseen(request)
    if settings.mode == conf.STANDARD or not (pixel_calls or is_unseen):
        return script("", request)
    loaded = () if request is None else request.__dict__.get(LOADED, ())
    return _with_base(request, _codes(request), pixel_calls, loaded=loaded)


def _claim_object(request: HttpRequest | None, obj: Model) -> list[PixelCall]:
    if request is None or not page_response.has_middleware(request):
        return []
    models = sorted({conversion.model._meta.label for conversion in registry.of(obj.__class__)})
    labels = [f"{label}:{obj.pk}" for label in models]
    if in_event_loop():
        page_response.of(request).claim_later(labels)
        return []
    found = stored_calls.of_objects(labels) if page_response.is_open(request) else []
    for one in found:
        # An order by phone or from an import stores nothing to recognise a visitor by. The view that shows this object
        # knows whose it is. If a visitor is stored, a page that was passed on to another person shows no hashes.
        if one.stored is not None and not one.stored.names_browser:
            one.stored = None
    return page_response.of(request).show(found) if found else []


def _track_now(request: HttpRequest | None, name: str, event_id: Any, properties: dict[str, Any]) -> list[PixelCall]:
    """Record the event in both channels, and show its pixel call on this page instead of the next one."""
    if request is not None and in_event_loop() and page_response.has_middleware(request):
        if not is_paused():
            later = partial(track_event, request, name, event_id=event_id or None, properties=properties)
            page_response.of(request).postpone(later)
        return []
    recorded = track_event(request, name, event_id=event_id or None, properties=properties)
    pixel_call = None if recorded is None else recorded.pixel_call
    if request is None or pixel_call is None or not page_response.is_open(request):
        return []
    visitor_of(request).to_show.remove(pixel_call)
    found = stored_calls.of_keys(keys_of(pixel_call))
    for one in found:
        one.stored = None  # this request made the event, so its hashes are the visitor's own
    return page_response.of(request).show(found)


def _browser_only(name: str, event_id: Any, properties: dict[str, Any]) -> list[PixelCall]:
    """Return a pixel call without a server event. It is the same for all visitors, so the page stays cacheable.

    It needs no event_id, because there is no server event to merge it with. An id from the template is kept.
    """
    event_id = valid_event_id(event_id) if event_id not in (None, "") else ""
    event, notes = build_event(
        name, event_id=random_event_id(), event_time=None, user=User(), page=Page(), properties=properties
    )
    for note in notes:
        logger.info("tiktok: {%% tiktok_event %r %%}: %s", name, note)
    call = BrowserCall(name=event.name, properties=event.properties, event_id=event_id)
    return [PixelCall(call=call, pixel_codes=(), identify={})]


def _with_base(
    request: HttpRequest | None, codes: Sequence[str], pixel_calls: Sequence[PixelCall], *, loaded: Sequence[str]
) -> SafeString:
    """Return the pixel calls, after the base code of each pixel that they need and that the page does not have."""
    settings = conf.current()
    needed = dict.fromkeys([*codes, *(code for pixel_call in pixel_calls for code in pixel_call.pixel_codes)])
    if not needed:
        return script("", request)
    is_unseen = request is not None and settings.mode != conf.STANDARD and page_response.has_unseen(request)
    unseen = _harmless(page_response.of(request).take_unseen) if request is not None and is_unseen else []
    if settings.page_script:
        return _with_file(request, tuple(needed), pixel_calls, unseen)
    missing = tuple(code for code in needed if code not in loaded)
    gate = Gate(settings, request)
    landing = _landing_call(settings) if not loaded else ""
    limited, awaiting = gate.limited_expression, gate.awaiting_expression
    base = base_code(missing, settings.pixel_host, settings.history_observer is True, limited, awaiting)
    together = (*loaded, *missing)
    if request is not None:
        request.__dict__[LOADED] = together
        if is_personal(settings):
            page_response.of(request).make_personal()
    return script(
        gate.around(base + calls(pixel_calls, together) + later_calls(unseen, together) + landing, first=not loaded),
        request,
    )


def _landing_call(settings: conf.Settings) -> str:
    url = page_data.beacon_url() if settings.attribution.enabled else ""
    return landing_call(url) if url else ""


def _is_veiled(request: HttpRequest | None, settings: conf.Settings) -> bool:
    return request is not None and (is_private(request.path_info, settings) or is_preview(request))


def _with_file(
    request: HttpRequest | None, codes: Sequence[str], pixel_calls: Sequence[PixelCall], unseen: Sequence[Later] = ()
) -> SafeString:
    """Return a data block for tiktok.js, and the script element of the file if the page does not have it."""
    if request is None:
        return page_data.head(codes, pixel_calls, request)
    if is_personal(conf.current()):
        page_response.of(request).make_personal()
    loaded = request.__dict__.get(LOADED, ())
    together = request.__dict__[LOADED] = tuple(dict.fromkeys([*loaded, *codes]))
    if loaded:
        return page_data.element(page_data.content(together, pixel_calls, unseen))
    return page_data.head(together, pixel_calls, request, unseen)


def calls(pixel_calls: Iterable[PixelCall], codes: Sequence[str]) -> str:
    """Return `identify` and `track` calls. `identify` comes before the first `track` that uses its hashes.

    A call names single pixels only if it is not for all pixels of the page.
    """
    text = []
    identified: dict[str, str] = {}
    pixel_calls = list(pixel_calls)
    if any(pixel_call.call.event_id for pixel_call in pixel_calls):
        text.append(ONCE)
    for pixel_call in pixel_calls:
        if pixel_call.identify != identified and pixel_call.identify and conf.current().user_matching:
            text.append(identify_call(pixel_call.identify))
            identified = pixel_call.identify
        text.append(once_call(pixel_call.call, _single(pixel_call.pixel_codes, codes)))
    return "".join(text)


def later_calls(unseen: Sequence[Later], codes: Sequence[str]) -> str:
    """Return what a prefetched page does when it is shown: the pixel calls, and a report of each to the server."""
    if not unseen:
        return ""
    url = page_data.beacon_url()
    made = (once_call(one.call, _single(one.pixel_codes, codes)) + report_call(one.action, url) for one in unseen)
    return ONCE + "".join(made)


def _single(wanted: Sequence[str], codes: Sequence[str]) -> Sequence[str]:
    """Return the pixels that a call has to name; () if it is for all pixels of the page."""
    return () if not wanted or set(wanted) == set(codes) else wanted


def _codes(request: HttpRequest | None) -> tuple[str, ...]:
    try:
        return tuple(pixel_codes(request))
    except Exception:  # the site's PIXEL_FOR_REQUEST failed
        if conf.current().strict:
            raise
        logger.exception("tiktok: PIXEL_FOR_REQUEST failed; the configured pixel is used")
        return conf.current().pixel_code


@errors_without_values
def _harmless(find: Callable[[], list[T]]) -> list[T]:
    """Run `find`, and log an error instead of breaking the page. With the setting STRICT the error is raised."""
    try:
        return find()
    except InvalidEvent as error:
        if conf.current().strict:
            raise
        logger.warning("tiktok: a {%% tiktok_event %%} was left out: %s", error)
    except Exception as error:
        if conf.current().strict:
            raise
        logger.exception("tiktok: this page has no pixel calls, because of an error", exc_info=strip_values(error))
    return []
