"""The consent gate: code in the page that reads the visitor's opt-out signals and consent before the pixel loads.

The browser reads them itself, so the page has the same text for all visitors. A page from a shared cache still does
what this visitor wants. The browser can't read an answer in the session, or one that a callable of the site decides.
Then the server writes it into the page, and the page becomes private.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, reverse

from tiktok_attribution import conf
from tiktok_attribution.browser.inline_code import safe_json
from tiktok_attribution.consent.cookie_rules import SessionRule
from tiktok_attribution.setting_validation import DENY, IGNORE, LIMIT, OptOut, Policy
from tiktok_attribution.visitor.permission import policy_of
from tiktok_attribution.visitor.visitor import visitor_of
from tiktok_attribution.visitor.visitor_key import MARKER

SIGNALS = {"gpc": "navigator.globalPrivacyControl", "dnt": 'navigator.doNotTrack==="1"'}

# A browser may run a page before its visitor opens it (prerendering). gate.js and tiktok.js make the same check.
_WHEN_VISITED = (
    "!function(d,f){var m=Object.getPrototypeOf(d);"
    'Reflect.get(m,"prerendering",d)?m.addEventListener.call(d,"prerenderingchange",f):f()}'
    "(document,function(){%s});"
)
FILE = "tiktok_attribution/gate.js"
_RULE_OF_PAGE = (
    'JSON.parse(Object.getPrototypeOf(document).querySelector.call(document, "script#tiktok-gate").textContent)'
)


@lru_cache(maxsize=1)
def _code() -> str:
    """Return gate.js without its comment and the newline at its end."""
    text = (Path(__file__).parents[1] / "static" / FILE).read_text(encoding="utf-8")
    return text.partition("*/\n")[2].strip()


class Gate:
    """The gate of one page: what it has to check, as JavaScript around the pixel (`around`) or as data (`rule`)."""

    def __init__(self, settings: conf.Settings, request: HttpRequest | None) -> None:
        self.settings = settings
        policy = Policy() if request is None else policy_of(request, settings)
        self.effects = {"gpc": policy.on_gpc or settings.on_gpc, "dnt": policy.on_dnt or settings.on_dnt}
        limited = settings.limited_data_use if policy.limited_data_use is None else policy.limited_data_use
        self.limited = limited
        self.asks = settings.asks if policy.ask is None else policy.ask or settings.is_closed
        self.state = self._state(request)

    @property
    def is_full(self) -> bool:
        """Whether there is more to check than the signals of the browser."""
        return self.asks or self.settings.opt_out is not None or bool(self.state)

    def _state(self, request: HttpRequest | None) -> str:
        """Return the consent state that the server has to write into the page; "" if the browser can find it out."""
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
        """JavaScript that is true for a visitor whose data TikTok may use only in a limited way."""
        if self.limited:
            return "true"
        if self.is_full:
            return "tiktokAttribution.limited"
        return "||".join(SIGNALS[name] for name, effect in self.effects.items() if effect == LIMIT)

    @property
    def awaiting_expression(self) -> str:
        """JavaScript that is true if the pixel is loaded before there is an answer."""
        return "tiktokAttribution.awaiting" if self.is_full and self.settings.hold_consent else ""

    def around(self, text: str, *, first: bool) -> str:
        """Return `text` behind this gate. The `first` script of a page also contains the gate itself."""
        if not text:
            return ""
        if self.is_full:
            return f"{self._text() if first else ''}tiktokAttribution.when(function(){{{text}}});"
        condition = "||".join(SIGNALS[name] for name, effect in self.effects.items() if effect == DENY)
        left = _withdrawal(self.settings) if first else ""
        return _WHEN_VISITED % (f"if({condition}){{{left}return}}{text}" if condition else text)

    def _text(self) -> str:
        return _code().replace(_RULE_OF_PAGE, safe_json(self.rule()))

    @property
    def has_work(self) -> bool:
        """Whether the gate can treat any visitor differently from the others."""
        return self.is_full or is_personal(self.settings) or any(one != IGNORE for one in self.effects.values())

    def rule(self) -> dict[str, Any]:
        """Return the data that gate.js reads, ready for JSON.

        Decision: the cookie rules are data that the settings reader builds. Python and the page's gate run the same
        rules, so both decide alike.
        """
        settings = self.settings
        rule: dict[str, Any] = {name: effect for name, effect in self.effects.items() if effect != IGNORE}
        rule |= {"hold": settings.hold_consent, "limited": self.limited, "url": _address(), "state": self.state}
        if prefixes := private_prefixes(settings):
            rule["private"] = prefixes
        if is_told_by_server(settings):
            rule["remote"] = True
        if settings.attribution.enabled:
            rule["landed"] = MARKER
        if self.asks and not hides_answer(settings):
            own = {"days": settings.click_id_days, "domain": settings.cookie_domain}
            own |= {"frames": True} if settings.in_frames else {}
            rule |= {"consent": settings.consent.as_data(), **own}
        if isinstance(settings.opt_out, OptOut):
            rule |= {"out": settings.opt_out.rule.as_data(), "effect": settings.opt_out.effect}
        return rule


def hides_answer(settings: conf.Settings) -> bool:
    """Return whether only the server knows the visitor's answer."""
    return settings.is_closed or callable(settings.consent) or isinstance(settings.consent, SessionRule)


def is_told_by_server(settings: conf.Settings) -> bool:
    """Return whether a page that is shown again has to ask the server for its visitor's answer.

    Decision: the consent cookie outranks what the page was given, and is read before each call. No message reaches a
    page in the back-forward cache. If only the server knows the answer, a page that is shown again asks the
    consent endpoint. It keeps its calls until there is an answer.
    """
    return not settings.is_closed and (hides_answer(settings) or callable(settings.opt_out))


def private_prefixes(settings: conf.Settings) -> list[str]:
    """Return PRIVATE_PATHS as they appear in a page's address.

    The page's scripts stay loaded when htmx, Turbo or `pushState` shows such a path, so they need the list. It is the
    same for all visitors and is no secret, since the site links to these paths.
    """
    return [get_script_prefix().rstrip("/") + path for path in settings.private_paths]


def is_personal(settings: conf.Settings) -> bool:
    """Return whether the page's text depends on the visitor."""
    return hides_answer(settings) or callable(settings.opt_out) or settings.region is not None


def _withdrawal(settings: conf.Settings) -> str:
    """Return code that tells the server of a refusal, if a landing has given this browser a key (see gate.js)."""
    if not settings.attribution.enabled or not _address():
        return ""
    send = f'navigator.sendBeacon(new URL({safe_json(_address())},location.origin).href,"{{}}")'
    return f"/(^|; ){MARKER}=/.test(document.cookie)&&navigator.sendBeacon&&{send};"


def _address() -> str:
    """Return the URL of the consent endpoint, "" if the site has not included this app's URLs."""
    try:
        return reverse("tiktok_attribution:consent")
    except NoReverseMatch:
        return ""
