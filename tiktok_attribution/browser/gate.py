"""What stands before the pixel in the page: the visitor's opt-out signals and answer, read by the browser itself.

So the page is the same text for everybody, and one from a shared cache still does what this visitor wants. Where the
answer can't be read in the browser (a callable of the site's, a session) it stands in the text, and the page is this
visitor's own.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from tiktok_attribution import conf
from tiktok_attribution.browser.script import safe_json
from tiktok_attribution.consent.adapters import SessionRule
from tiktok_attribution.readers import DENY, IGNORE, LIMIT, OptOut, Policy
from tiktok_attribution.visitor.permission import policy_of
from tiktok_attribution.visitor.visitor import visitor_of

SIGNALS = {"gpc": "navigator.globalPrivacyControl", "dnt": 'navigator.doNotTrack==="1"'}

# `when` keeps what needs an answer until there is one. `consent` is the hook for a banner that answers without a page
# load: it tells the server too, which then hands over what was held. Cookies: the last one of a name counts, as Django
# reads them; a value that can't be decoded is no answer.
_GATE = """\
!function (w, d, n, rule) {
  var t = w.tiktokAttribution = w.tiktokAttribution || {}, waiting = [], state;
  if (t.when) { return; }
  function cookie(name) {
    var found = "";
    d.cookie.split(";").forEach(function (part) {
      var at = part.indexOf("=");
      if (part.slice(0, at).trim() === name) { found = part.slice(at + 1).trim().replace(/^"(.*)"$/, "$1"); }
    });
    return found;
  }
  function number(bits, start, length) {
    return start + length > bits.length ? NaN : parseInt(bits.slice(start, start + length), 2);
  }
  function tcf(text, asked) {
    var core = text.split(".")[0], bits = "", vendor = asked.vendor, place = 242, entries, first, last, has = false;
    if (!/^[A-Za-z0-9_-]+$/.test(core)) { return "unknown"; }
    core.split("").forEach(function (c) {
      var six = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(c);
      bits += ("00000" + six.toString(2)).slice(-6);
    });
    bits = bits.slice(0, bits.length - bits.length %% 8);
    if (number(bits, 0, 6) !== 2 || bits.length < 230) { return "unknown"; }
    if (!asked.purposes.every(function (one) { return bits[151 + one] === "1"; })) { return "denied"; }
    if (vendor === null) { return "granted"; }
    if (vendor > number(bits, 213, 16)) { return "denied"; }
    if (bits[229] === "0") { return {"0": "denied", "1": "granted"}[bits[229 + vendor]] || "unknown"; }
    for (entries = number(bits, 230, 12); entries > 0 && !has; entries--) {
      first = number(bits, place + 1, 16);
      last = bits[place] === "1" ? number(bits, place + 17, 16) : first;
      if (isNaN(last)) { return "unknown"; }
      has = first <= vendor && vendor <= last;
      place += bits[place] === "1" ? 33 : 17;
    }
    return has ? "granted" : isNaN(entries) ? "unknown" : "denied";
  }
  function read(asked) {
    var text = cookie(asked.cookie);
    if (asked.purposes) { return tcf(text, asked); }
    try { text = decodeURIComponent(text); } catch (error) { text = ""; }
    if (!text || /[\\x00-\\x1f\\x7f]/.test(text)) { return "unknown"; }
    if (new RegExp(asked.granted).test(text)) { return "granted"; }
    return (!asked.by || cookie(asked.by)) && new RegExp(asked.denied).test(text) ? "denied" : "unknown";
  }
  function effects() {
    return [n.globalPrivacyControl && rule.gpc, n.doNotTrack === "1" && rule.dnt,
      rule.out && read(rule.out) === "granted" && rule.effect];
  }
  function answer() {
    if (effects().indexOf("deny") >= 0) { return "denied"; }
    return state || rule.state || (rule.consent ? read(rule.consent) : "granted");
  }
  function flush() { while (waiting.length) { waiting.shift()(); } }
  t.limited = rule.limited || effects().indexOf("limited_data_use") >= 0;
  t.held = false;
  t.when = function (run) {
    var now = answer();
    if (now === "granted") { run(); }
    else if (now === "unknown" && rule.hold) { t.held = true; run(); }
    else if (now === "unknown") { waiting.push(run); }
  };
  t.consent = function (granted) {
    state = granted ? "granted" : "denied";
    if (rule.consent && rule.consent.own) {
      d.cookie = rule.consent.cookie + "=" + state + ";path=/;max-age=" + rule.days * 86400 + ";samesite=lax"
        + (rule.domain ? ";domain=" + rule.domain : "") + (w.location.protocol === "https:" ? ";secure" : "");
    }
    if (answer() === "granted") {
      if (t.held && w.ttq) { w.ttq.grantConsent(); }
      t.held = false;
      flush();
    } else {
      waiting = [];
      if (w.ttq && w.ttq.revokeConsent) { w.ttq.revokeConsent(); }
    }
    if (rule.url) {
      w.fetch(rule.url, {method: "POST", credentials: "same-origin", keepalive: true,
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({search: w.location.search})})
        .then(function (response) { return response.ok ? response.json() : {calls: []}; })
        .then(function (found) {
          if (answer() === "granted") {
            found.calls.forEach(function (call) {
              var on = call[0] ? w.ttq.instance(call[0]) : w.ttq;
              on[call[1]].apply(on, call[2]);
            });
          }
        }, function () {});
    }
  };
}(window, document, navigator, %(rule)s);"""


class Gate:
    """For one page. `condition`: a JavaScript expression that is true where nothing may be loaded."""

    def __init__(self, settings: conf.Settings, request: HttpRequest | None) -> None:
        self.settings = settings
        policy = Policy() if request is None else policy_of(request, settings)
        self.effects = {"gpc": policy.gpc or settings.gpc, "dnt": policy.dnt or settings.dnt}
        limited = settings.limited_data_use if policy.limited_data_use is None else policy.limited_data_use
        self.limited = limited
        self.asks = settings.asks if policy.ask is None else policy.ask or settings.is_closed
        self.state = self._state(request)

    @property
    def is_full(self) -> bool:
        """Whether there is more to look at than the browser's signals."""
        return self.asks or self.settings.opt_out is not None or bool(self.state)

    def _state(self, request: HttpRequest | None) -> str:
        """What no browser can find out by itself."""
        if not is_personal(self.settings):
            return ""
        if request is None:
            return "unknown" if self.asks else ""
        decision = visitor_of(request).decision
        self.limited = decision.limited_data_use
        browser_asks = self.asks and not hides_answer(self.settings) and not decision.is_denied
        return "" if browser_asks else decision.consent.value

    @property
    def limited_expression(self) -> str:
        """JavaScript that is true for a visitor whose data TikTok may use in a limited way only."""
        if self.limited:
            return "true"
        if self.is_full:
            return "tiktokAttribution.limited"
        return "||".join(SIGNALS[name] for name, effect in self.effects.items() if effect == LIMIT)

    @property
    def held_expression(self) -> str:
        """JavaScript that is true where the pixel is loaded before there is an answer."""
        return "tiktokAttribution.held" if self.is_full and self.settings.hold_consent else ""

    def around(self, text: str, *, first: bool) -> str:
        """`text` behind this gate; the gate itself stands in the `first` script of a page."""
        if not text:
            return ""
        if self.is_full:
            return f"{self._text() if first else ''}tiktokAttribution.when(function(){{{text}}});"
        condition = "||".join(SIGNALS[name] for name, effect in self.effects.items() if effect == DENY)
        return f"if(!({condition})){{{text}}}" if condition else text

    def _text(self) -> str:
        settings = self.settings
        rule: dict[str, Any] = {name: effect for name, effect in self.effects.items() if effect != IGNORE}
        rule |= {"hold": settings.hold_consent, "limited": self.limited, "url": _address(), "state": self.state}
        if self.asks and not hides_answer(settings):
            own = {"days": settings.click_id_days, "domain": settings.cookie_domain}
            rule |= {"consent": settings.consent.as_data(), **own}
        if isinstance(settings.opt_out, OptOut):
            rule |= {"out": settings.opt_out.rule.as_data(), "effect": settings.opt_out.effect}
        return _GATE % {"rule": safe_json(rule)}


def hides_answer(settings: conf.Settings) -> bool:
    """Whether only the server can tell what the visitor answered."""
    return settings.is_closed or callable(settings.consent) or isinstance(settings.consent, SessionRule)


def is_personal(settings: conf.Settings) -> bool:
    """Whether the page's text depends on who asks for it."""
    return hides_answer(settings) or callable(settings.opt_out) or settings.region is not None


def _address() -> str:
    """Where the hook tells the server; "" where the site has not included this app's addresses."""
    try:
        return reverse("tiktok_attribution:consent")
    except NoReverseMatch:
        return ""
