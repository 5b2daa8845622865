"""Build the pixel's inline JavaScript: base code, `identify` and `track` calls.

The stub queues calls in the array `window.ttq` until TikTok's events.js is loaded and runs them. An entry is
[method, argument, …]. Names and order of the methods are those that events.js expects.

Decision: one inline script, with the CSP nonce if the page has one (`csp_nonce`). All data in it passes `safe_json`, an
escaping that is safe inside <script>.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from tiktok_attribution.events import BrowserCall

METHODS = (
    *("page", "track", "identify", "instances", "debug", "on", "off", "once", "ready", "alias", "group"),
    *("enableCookie", "disableCookie", "holdConsent", "revokeConsent", "grantConsent"),
)

# The stub keeps what exists already: a second tag on the page, or the stub of another tag manager. A pixel is loaded
# once, and each pixel has one page view. The common `page` call counts for all pixels that exist when events.js runs
# it. If events.js has run it before a pixel came, that pixel makes its own call.
# Elements that the content names (<a id="ttq">, <img name="createElement">) hide members of window and document. So the
# stub takes the queue only if window itself has it, and takes members from the prototype.
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

# Decision: the browser remembers the calls it has made. A page from the browser's cache runs again when its visitor
# goes back or restores tabs, and TikTok drops a repeated id only for 48 hours. It keeps digests of the newest 100 calls
# for 30 days. If it can store nothing, the call is made again. tiktok.js does the same.
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

_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_UNSAFE = {ord(character): f"\\u{ord(character):04X}" for character in "<>&'"}


def safe_json(value: Any) -> str:
    """Return JSON that can't end a <script>, open a comment in it, or break out of a single-quoted attribute.

    ASCII only, so U+2028 and U+2029 are escaped too. Raises ValueError for NaN and infinity.
    """
    return _ENCODER.encode(value).translate(_UNSAFE)


@lru_cache(maxsize=64)
def base_code(
    pixel_codes: tuple[str, ...], host: str, history_observer: bool, limited_data_use: str = "", awaiting: str = ""
) -> str:
    """Return the base code for these pixels. It is the same for all visitors.

    `limited_data_use` and `awaiting` are JavaScript expressions of `browser.consent_gate`; "" means never.
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
    """Return the second argument of `ttq.load`: only the options that differ from TikTok's defaults."""
    options: dict[str, bool] = {}
    if not history_observer:
        options["historyObserver"] = False
    if limited_data_use:
        options["limited_data_use"] = True
    return options


def identify_call(keys: Mapping[str, str]) -> str:
    """Return a `ttq.identify` call with hashes. It must come before the first `track` call that it is for."""
    return f"ttq.identify({safe_json(keys)});" if keys else ""


def track_call(call: BrowserCall, pixel_codes: Sequence[str] = ()) -> str:
    """Return a `ttq.track` call with the event_id in its third argument, for these pixels or for all of the page."""
    options = {"event_id": call.event_id} if call.event_id else {}
    arguments = ",".join(map(safe_json, (call.name, dict(call.properties), options)))
    if not pixel_codes:
        return f"ttq.track({arguments});"
    return "".join(f"ttq.instance({safe_json(code)}).track({arguments});" for code in pixel_codes)


def once_call(call: BrowserCall, pixel_codes: Sequence[str] = ()) -> str:
    """Return a `track_call` that runs once a browser. `ONCE` must come before it. Without an id it runs each time."""
    text = track_call(call, pixel_codes)
    if not call.event_id:
        return text
    return f"once({safe_json([call.name, call.event_id, *pixel_codes])},function(){{{text}}});"


def landing_call(url: str) -> str:
    """Return a call that reports the landing of a page to the site, because a shared cache may have answered for it.

    At most 400 bytes. It does nothing unless the address may be that of a landing.
    """
    report = "JSON.stringify({landing:document.referrer,page:location.href})"
    send = f"navigator.sendBeacon(new URL({safe_json(url)},location.origin).href,{report})"
    return f"/[?&](ttclid=|utm_)/.test(location.search)&&navigator.sendBeacon&&{send};"


def report_call(action: str, url: str) -> str:
    """Return a call that reports an event of a prefetched page to the site. `action` is signed."""
    report = f"JSON.stringify({{action:{safe_json(action)},page:location.href}})"
    return f"navigator.sendBeacon&&navigator.sendBeacon(new URL({safe_json(url)},location.origin).href,{report});"
