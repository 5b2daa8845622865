"""Addresses of pages as the settings let them be kept and sent.

Field paths: "customer.email" as people write it in the settings, read from an object.

Whether a request is for a page, of a page's script (and then of which page's), or for an image and the like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost, ObjectDoesNotExist
from django.http import HttpRequest
from django.urls import get_script_prefix

from tiktok_attribution import conf
from tiktok_attribution.conf import Settings
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.page_url import clean_address, decoded, split_address
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import report


def page_address(url: object, settings: Settings) -> str:
    """The address without personal data, secrets and what MASKED_PATHS names; of its host alone where that fails."""
    try:
        return clean_address(url, settings.allowed_parameters, settings.masked_paths)
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "MASKED_PATHS failed, so this address is kept without its path")
        return clean_address(url, (), _no_path)


def _no_path(path: str) -> str:
    return "/"


def steps_of(path: str) -> list[str]:
    """The attributes that a path goes through."""
    return path.replace("__", ".").split(".")


@errors_without_values
def resolve(obj: object, path: str) -> Any:
    """Follow attributes, dict keys and calls without arguments. An empty relation gives None.

    Raises InvalidEvent naming the step that is not there; never the value.
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
    """No attribute or key of this name; not what a property of this name may raise."""


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


def read(obj: object, path: Any) -> Any:
    """What a declaration names: a field path, a callable of the object, or {"constant": value}."""
    if isinstance(path, str):
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
# Destinations of the Fetch standard whose HTML becomes a document with scripts that run. An <iframe> is one: 3-D Secure
# and many checkouts return into one of this site's. A fenced frame is not: it gets no cookies.
DOCUMENTS = frozenset({"document", "iframe", "frame", "embed", "object"})


# What a request is for, in the order of what can be believed:
# - A library's own header. A boosted link of htmx is a page, and so is one that it goes back to; its other requests
#   are not. A Turbo frame is a part of a page.
# - Sec-Fetch-Dest, which browsers set by themselves (not on plain http, not Safari before 16.4). "empty" is a script's
#   request. Turbo, swup and barba bring whole pages so, and ask for HTML by name, which fetch() by itself does not.
# - Nothing of these: a page.
def is_of_script(request: HttpRequest) -> bool:
    """Whether a script has sent it for a page that stays, so that this request's address is no page's."""
    meta = request.META
    if "HTTP_HX_REQUEST" in meta:
        return meta.get("HTTP_HX_BOOSTED") != "true" and "HTTP_HX_HISTORY_RESTORE_REQUEST" not in meta
    if "HTTP_X_TIKTOK_EVENTS" in meta or "HTTP_TURBO_FRAME" in meta:
        return True
    if meta.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest":
        return "HTTP_X_PJAX" not in meta  # which brings a whole page
    return meta.get("HTTP_SEC_FETCH_DEST") == EMPTY and not names_html(request)


# HTML that nobody sees must not take what waits: the 404 page of a missing image, a page that a script fetches ahead.
# Where Sec-Fetch-Dest is not sent, browsers still ask for HTML by name in the Accept header of a document, and for
# no image, style or script. A client that sends neither (an app's own, a test's) gets a page. What waits then waits on.
def is_page_load(request: HttpRequest) -> bool:
    """Whether HTML in answer to this becomes a page, so that the pixel tag in its <head> runs.

    Not for htmx: it throws the <head> away, also of a boosted link. Its events go in a header.
    """
    meta = request.META
    if is_of_script(request) or "HTTP_HX_REQUEST" in meta:
        return False
    destination = meta.get("HTTP_SEC_FETCH_DEST", "")
    if destination and destination != EMPTY:
        return destination in DOCUMENTS
    return names_html(request) or not (destination or meta.get("HTTP_ACCEPT"))


def is_subresource(request: HttpRequest) -> bool:
    """Whether a browser says that it wants an image, a style, a script or the like: it shows no HTML then."""
    destination = request.META.get("HTTP_SEC_FETCH_DEST", "")
    return bool(destination) and destination != EMPTY and destination not in DOCUMENTS


def names_html(request: HttpRequest) -> bool:
    """Whether its Accept header asks for HTML by name, as a browser does for every document."""
    accepted = request.META.get("HTTP_ACCEPT", "")[:MOST_CHARACTERS].lower()
    return "text/html" in accepted or "application/xhtml+xml" in accepted


def page_of_script(request: HttpRequest) -> tuple[str, str] | None:
    """The address and path of the page whose script sends this; None where it is not one of this site.

    htmx names its page. Others have the referrer, which a policy of the site may cut to the origin.
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
    """The path of a page that a report names, as `request.path_info` would have it; None where it is not this site's.

    SITE_URL counts as well as the request's host, which behind some proxies is an inner name.
    """
    parts = split_address(address) if isinstance(address, str) and len(address) <= MOST_CHARACTERS else None
    if parts is None:
        return None
    if parts.netloc not in (request.get_host(), urlsplit(conf.current().site_url).netloc):
        return None
    path, prefix = decoded(parts.path) or "/", get_script_prefix()
    return f"/{path.removeprefix(prefix)}" if path.startswith(prefix) else path
