"""Read page addresses, field paths, and what kind of page load a request is.

`page_address` cleans an address by the settings. `read` and `resolve` follow field paths such as "customer.email".
`is_page_load` tells whether a request is for a page, `is_subresource` whether it is for an image or the like.
`is_of_script` tells whether a page's script sends it; `page_of_script` names that page.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost, ObjectDoesNotExist
from django.db.models.query_utils import DeferredAttribute
from django.http import HttpRequest
from django.urls import get_script_prefix

from tiktok_attribution import conf
from tiktok_attribution.conf import Settings
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.page_url import clean_address, decoded, split_address
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import report


def page_address(url: object, settings: Settings) -> str:
    """Return the address without personal data, secrets and MASKED_PATHS. If MASKED_PATHS fails, without its path."""
    try:
        return clean_address(url, settings.allowed_parameters, settings.masked_paths)
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "MASKED_PATHS failed, so this address is kept without its path")
        return clean_address(url, (), _no_path)


def _no_path(path: str) -> str:
    return "/"


def steps_of(path: str) -> list[str]:
    """Return the attributes that a path goes through."""
    return path.replace("__", ".").split(".")


@errors_without_values
def resolve(obj: object, path: str) -> Any:
    """Follow a field path: attributes, dict keys and calls without arguments. An empty relation gives None.

    Raises InvalidEvent, which names the step that is missing and never the value.
    """
    value: Any = obj
    for step in steps_of(path):
        if value is None:
            return None
        try:
            value = _step(value, step)
        except ObjectDoesNotExist:
            return None
        except _NotThere:
            raise InvalidEvent(f"{type(value).__name__} has no {step!r} (of the path {path!r}).") from None
    return value


class _NotThere(Exception):
    """No attribute or key has this name. An AttributeError inside a property of this name is not meant."""


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        if step not in value:
            raise _NotThere
        found = value[step]
    else:
        try:
            found = getattr(value, step)
        except AttributeError:
            if hasattr(type(value), step):
                raise
            raise _NotThere from None
    if not callable(found) or hasattr(found, "all"):
        return found
    if getattr(found, "alters_data", False):
        raise InvalidEvent(f"{step!r} changes data, and a path only reads.")
    return found()


@lru_cache(maxsize=1024)
def _is_column(model: type, name: str) -> bool:
    """Return whether an attribute of this name shows what the object's own column holds, and runs no code."""
    return type(inspect.getattr_static(model, name, None)) is DeferredAttribute


def read(obj: object, path: Any) -> Any:
    """Read what a declaration names: a field path, a callable of the object, or {"constant": value}."""
    if isinstance(path, str):
        # Most paths are columns that are loaded: a checkout reads a dozen, and `resolve` makes six calls for each.
        if _is_column(type(obj), path) and path in obj.__dict__:  # type: ignore[arg-type]  # a class is hashable
            return obj.__dict__[path]
        return resolve(obj, path)
    if callable(path):
        return path(obj)
    if not isinstance(path, Mapping):
        raise InvalidEvent(f"a path is text, a callable or a dict with 'constant', not {type(path).__name__}.")
    if "constant" not in path:
        raise InvalidEvent('a dict in place of a path is {"constant": value}.')
    return path["constant"]


MOST_CHARACTERS = 4000
EMPTY = "empty"
# Destinations of the Fetch standard whose HTML becomes a document with running scripts. An <iframe> is one: 3-D Secure
# and many checkouts return into an iframe of this site. A fenced frame is not: it gets no cookies.
DOCUMENTS = frozenset({"document", "iframe", "frame", "embed", "object"})


# What a request is for, the most reliable sign first:
# - A library's own header. A boosted link of htmx is a page, and so is a page that htmx restores from its history.
# Other
#   requests of htmx are not. A Turbo frame is a part of a page.
# - Sec-Fetch-Dest, which browsers set themselves (not on plain http, not Safari before 16.4). "empty" is a script's
#   request. Turbo, swup and barba load whole pages with it. They ask for HTML by name; plain fetch() does not.
# - None of these: a page.
def is_of_script(request: HttpRequest) -> bool:
    """Return whether a script has sent this request for a page that stays, so that its address is not a page's."""
    meta = request.META
    if "HTTP_HX_REQUEST" in meta:
        return meta.get("HTTP_HX_BOOSTED") != "true" and "HTTP_HX_HISTORY_RESTORE_REQUEST" not in meta
    if "HTTP_X_TIKTOK_EVENTS" in meta or "HTTP_TURBO_FRAME" in meta:
        return True
    if meta.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest":
        return "HTTP_X_PJAX" not in meta  # PJAX loads a whole page
    return meta.get("HTTP_SEC_FETCH_DEST") == EMPTY and not names_html(request)


# Decision: only what becomes a document takes the waiting pixel calls. HTML that no visitor sees must not take them:
# the 404 page of a missing image, or a page that a script prefetches. Where Sec-Fetch-Dest is missing, browsers still
# ask for HTML by name in the Accept header of a document. They never do for an image, style or script. A client that
# sends neither header (an app, a test) gets a page. Otherwise the calls wait for the next page.
def is_page_load(request: HttpRequest) -> bool:
    """Return whether the HTML in answer to this request becomes a page whose pixel tag in the <head> runs.

    False for htmx, which discards the <head>, also of a boosted link. Its events go in a header.
    """
    # Decision: a page that htmx restores from its history shows no pixel call either. Version 2 reads neither its
    # <head> nor its `HX-Trigger`. What waits stays for the next page.
    meta = request.META
    if is_of_script(request) or "HTTP_HX_REQUEST" in meta:
        return False
    destination = meta.get("HTTP_SEC_FETCH_DEST", "")
    if destination and destination != EMPTY:
        return destination in DOCUMENTS
    return names_html(request) or not (destination or meta.get("HTTP_ACCEPT"))


def is_subresource(request: HttpRequest) -> bool:
    """Return whether the browser asks for an image, a style, a script or the like, and would not show HTML."""
    destination = request.META.get("HTTP_SEC_FETCH_DEST", "")
    return bool(destination) and destination != EMPTY and destination not in DOCUMENTS


def names_html(request: HttpRequest) -> bool:
    """Return whether the Accept header asks for HTML by name, as a browser does for every document."""
    accepted = request.META.get("HTTP_ACCEPT", "")[:MOST_CHARACTERS].lower()
    return "text/html" in accepted or "application/xhtml+xml" in accepted


def page_of_script(request: HttpRequest) -> tuple[str, str] | None:
    """Return address and path of the page whose script sends this. None if it is not a page of this site.

    htmx names its page in a header. Others send a referrer, which a policy of the site may cut to the origin.
    """
    meta = request.META
    named = meta.get("HTTP_HX_CURRENT_URL", "") if "HTTP_HX_REQUEST" in meta else ""
    if meta.get("HTTP_HX_CURRENT_URL_URI_AUTOENCODED") == "true":
        named = decoded(named[:MOST_CHARACTERS])
    for address in (named, meta.get("HTTP_REFERER", "")):
        try:
            if address and (path := path_of_page(request, address)) is not None:
                return address, path
        except DisallowedHost:
            return None
    return None


def path_of_page(request: HttpRequest, address: object) -> str | None:
    """Return the path of a page that a report names, in the form of `request.path_info`. None if it is another site's.

    The hosts of SITE_URL and of the request both count. Behind some proxies, the request's host is an internal name.
    """
    parts = split_address(address) if isinstance(address, str) and len(address) <= MOST_CHARACTERS else None
    if parts is None:
        return None
    if parts.netloc not in (request.get_host(), urlsplit(conf.current().site_url).netloc):
        return None
    path, prefix = decoded(parts.path) or "/", get_script_prefix()
    return f"/{path.removeprefix(prefix)}" if path.startswith(prefix) else path
