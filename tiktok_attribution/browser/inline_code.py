"""The page's Content-Security-Policy nonce, where the site has one.

The pixel's text: base code, `identify` and `track` calls. All data passes JSON escaping that fits a <script>.

The stub queues calls in `window.ttq`, an Array, until TikTok's events.js has loaded and drains it: entries of the form
[method, argument, …]. Names and order of the methods are those that events.js expects.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tiktok_attribution.events import BrowserCall

logger = logging.getLogger("tiktok_attribution")

# django-csp's attribute, then the one of Django 6 (django.middleware.csp.get_nonce), which 5.2 doesn't have.
_ATTRIBUTES = ("csp_nonce", "_csp_nonce")


def has_nonce(request: HttpRequest | None) -> bool:
    """Whether the site has one; this does not ask for it."""
    return any(getattr(request, attribute, None) is not None for attribute in _ATTRIBUTES)


def nonce_of(request: HttpRequest | None) -> str:
    """django-csp's nonce or Django's own, else "". To ask for it is what puts it into the page's header.

    A template that is rendered while it streams asks too late, unless its view has asked before.
    """
    for attribute in _ATTRIBUTES:
        nonce = getattr(request, attribute, None)
        if nonce is not None:  # not its truth: both are false until somebody has asked for their text
            return _text(nonce)
    return ""


def _text(nonce: object) -> str:
    try:
        return str(nonce)
    except Exception:  # django-csp's CSPNonceError, which is not ours to import
        logger.exception("tiktok: the pixel's script has no nonce, so the browser refuses it")
        return ""


def script(text: str, request: HttpRequest | None) -> SafeString:
    """An inline script with the page's nonce; "" for no text. `text` comes from `browser.script`, which escapes."""
    if not text:
        return mark_safe("")
    nonce = nonce_of(request)
    opening = format_html('<script nonce="{}">', nonce) if nonce else "<script>"
    return mark_safe(f"{opening}{text}</script>")  # noqa: S308 -- see the docstring


METHODS = (
    *("page", "track", "identify", "instances", "debug", "on", "off", "once", "ready", "alias", "group"),
    *("enableCookie", "disableCookie", "holdConsent", "revokeConsent", "grantConsent"),
)

# What is there already is kept: the tag twice on a page, or another tag manager's stub. A pixel is loaded once, and
# each has one page view: by the common call, which counts for every pixel that is there when events.js drains it, or
# by its own where that call has been drained before it came.
# Elements that the page's content names (<a id="ttq">, <img name="createElement">) hide members of window and document,
# so the queue is taken where window itself has it, and members from the prototype.
_BASE = """\
!function (w, d, name, ids, options, host) {
  var ttq = w[name] = {}.hasOwnProperty.call(w, name) && w[name] || [], alone = !ttq._i;
  var members = Object.getPrototypeOf(d);
  w.TiktokAnalyticsObject = name;
  if (!ttq.load) {
    ttq.methods = %(methods)s;
    ttq.setAndDefer = function (target, method) {
      target[method] = function () { target.push([method].concat([].slice.call(arguments))); };
    };
    ttq.methods.forEach(function (method) { ttq.setAndDefer(ttq, method); });
    ttq.instance = function (id) {
      var queue = ttq._i && ttq._i[id] || [];
      ttq.methods.forEach(function (method) { ttq.setAndDefer(queue, method); });
      return queue;
    };
    ttq.load = function (id, settings) {
      var address = host + "/i18n/pixel/events.js", script = members.createElement.call(d, "script");
      var first = members.getElementsByTagName.call(d, "script")[0];
      ttq._i = ttq._i || {}; ttq._i[id] = []; ttq._i[id]._u = address;
      ttq._t = ttq._t || {}; ttq._t[id] = +new Date;
      ttq._o = ttq._o || {}; ttq._o[id] = settings || {};
      script.async = true; script.src = address + "?sdkid=" + id + "&lib=" + name;
      first.parentNode.insertBefore(script, first);
    };
  }
  ids = ids.filter(function (id) { return !ttq._i || !ttq._i[id]; });
%(hold)s  ids.forEach(function (id) { ttq.load(id, options); });
  if (alone) { ttq.page(); }
  else if (![].some.call(ttq, function (call) { return call && call[0] === "page"; })) {
    ids.forEach(function (id) { ttq.instance(id).page(); });
  }
}(window, document, "ttq", %(ids)s, %(options)s, %(host)s);"""

# A page out of the browser's cache runs again, when its visitor goes back to it or the browser restores its tabs, and
# TikTok drops a repeated id for 48 hours only. So the browser remembers what it has fired, as digests: the newest 100,
# for 30 days. Where it keeps nothing, the call is made again. tiktok.js has the same.
ONCE = """\
function once(key, fire) {
  var made = {}, now = Date.now(), digest = 5381, text = key.join(" "), at, store;
  for (at = 0; at < text.length; at++) { digest = (digest * 33 ^ text.charCodeAt(at)) >>> 0; }
  try { store = localStorage; made = JSON.parse(store.getItem("tiktok_fired")) || {}; } catch (error) {}
  if (now - made[digest] < 2592e6) { return; }
  fire();
  made[digest] = now;
  Object.keys(made).sort(function (a, b) { return made[b] - made[a]; }).slice(100).forEach(function (old) {
    delete made[old];
  });
  try { store.setItem("tiktok_fired", JSON.stringify(made)); } catch (error) {}
}
"""

_UNSAFE = {ord(character): f"\\u{ord(character):04X}" for character in "<>&'"}


def safe_json(value: Any) -> str:
    """JSON that can't end a <script>, open a comment in one, or break out of an attribute in single quotes.

    ASCII only, so U+2028 and U+2029 are escaped too. Raises ValueError for NaN and infinity.
    """
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_UNSAFE)


@lru_cache(maxsize=64)
def base_code(
    pixel_codes: tuple[str, ...], host: str, history_observer: bool, limited_data_use: str = "", awaiting: str = ""
) -> str:
    """Base code for these pixels: the same text for every visitor.

    `limited_data_use` and `held` are JavaScript expressions of `browser.gate`, "" for never.
    """
    if not pixel_codes:
        return ""
    plain = safe_json(options_of(history_observer, limited_data_use == "true"))
    if limited_data_use not in ("", "true"):
        plain = f"({limited_data_use})?{safe_json(options_of(history_observer, True))}:{plain}"
    return _BASE % {
        "methods": safe_json(METHODS),
        "ids": safe_json(pixel_codes),
        "options": plain,
        "hold": f"  if ({awaiting}) {{ ttq.holdConsent(); }}\n" if awaiting else "",
        "host": safe_json(host),
    }


def options_of(history_observer: bool, limited_data_use: bool) -> dict[str, bool]:
    """The second argument of `ttq.load`: what is not TikTok's default."""
    options: dict[str, bool] = {}
    if not history_observer:
        options["historyObserver"] = False
    if limited_data_use:
        options["limited_data_use"] = True
    return options


def identify_call(keys: Mapping[str, str]) -> str:
    """`ttq.identify` with hashes; it must stand before the first `track` that it is for."""
    return f"ttq.identify({safe_json(keys)});" if keys else ""


def track_call(call: BrowserCall, pixel_codes: Sequence[str] = ()) -> str:
    """`ttq.track` with the event_id in its third argument, on each of the named pixels or on all of the page."""
    options = {"event_id": call.event_id} if call.event_id else {}
    arguments = ",".join(map(safe_json, (call.name, dict(call.properties), options)))
    if not pixel_codes:
        return f"ttq.track({arguments});"
    return "".join(f"ttq.instance({safe_json(code)}).track({arguments});" for code in pixel_codes)


def once_call(call: BrowserCall, pixel_codes: Sequence[str] = ()) -> str:
    """`track_call`, unless this browser has made it before; `ONCE` has to stand before it. Without an id, each time."""
    text = track_call(call, pixel_codes)
    if not call.event_id:
        return text
    return f"once({safe_json([call.name, call.event_id, *pixel_codes])},function(){{{text}}});"


def report_call(action: str, url: str) -> str:
    """Tell the site of an event that its page has made up for; `action` is signed. Needs the endpoint's address."""
    report = f"JSON.stringify({{action:{safe_json(action)},page:location.href}})"
    return f"navigator.sendBeacon&&navigator.sendBeacon(new URL({safe_json(url)},location.origin).href,{report});"
