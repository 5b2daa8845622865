"""What stands before the pixel in the page: the visitor's opt-out signals and answer, read by the browser itself.

So the page is the same text for everybody, and one from a shared cache still does what this visitor wants. Where the
answer can't be read in the browser (a callable of the site's, a session) it stands in the text, and the page is this
visitor's own.
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
from tiktok_attribution.setting_types import DENY, IGNORE, LIMIT, OptOut, Policy
from tiktok_attribution.visitor.permission import policy_of
from tiktok_attribution.visitor.visitor import visitor_of

SIGNALS = {"gpc": "navigator.globalPrivacyControl", "dnt": 'navigator.doNotTrack==="1"'}

# A browser may run a page before its visitor opens it, or instead of that; gate.js and tiktok.js look at the same.
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
    """The static file without its comment and its last line's end."""
    text = (Path(__file__).parents[1] / "static" / FILE).read_text(encoding="utf-8")
    return text.partition("*/\n")[2].strip()


class Gate:
    """For one page. `condition`: a JavaScript expression that is true where nothing may be loaded."""

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
    def awaiting_expression(self) -> str:
        """JavaScript that is true where the pixel is loaded before there is an answer."""
        return "tiktokAttribution.awaiting" if self.is_full and self.settings.hold_consent else ""

    def around(self, text: str, *, first: bool) -> str:
        """`text` behind this gate; the gate itself stands in the `first` script of a page."""
        if not text:
            return ""
        if self.is_full:
            return f"{self._text() if first else ''}tiktokAttribution.when(function(){{{text}}});"
        condition = "||".join(SIGNALS[name] for name, effect in self.effects.items() if effect == DENY)
        return _WHEN_VISITED % (f"if({condition}){{return}}{text}" if condition else text)

    def _text(self) -> str:
        return _code().replace(_RULE_OF_PAGE, safe_json(self.rule()))

    @property
    def has_work(self) -> bool:
        """Whether any visitor at all may be treated otherwise than the others."""
        return self.is_full or is_personal(self.settings) or any(one != IGNORE for one in self.effects.values())

    def rule(self) -> dict[str, Any]:
        """What gate.js goes by, as JSON takes it."""
        settings = self.settings
        rule: dict[str, Any] = {name: effect for name, effect in self.effects.items() if effect != IGNORE}
        rule |= {"hold": settings.hold_consent, "limited": self.limited, "url": _address(), "state": self.state}
        if prefixes := private_prefixes(settings):
            rule["private"] = prefixes
        if is_told_by_server(settings):
            rule["remote"] = True
        if self.asks and not hides_answer(settings):
            own = {"days": settings.click_id_days, "domain": settings.cookie_domain}
            own |= {"frames": True} if settings.in_frames else {}
            rule |= {"consent": settings.consent.as_data(), **own}
        if isinstance(settings.opt_out, OptOut):
            rule |= {"out": settings.opt_out.rule.as_data(), "effect": settings.opt_out.effect}
        return rule


def hides_answer(settings: conf.Settings) -> bool:
    """Whether only the server can tell what the visitor answered."""
    return settings.is_closed or callable(settings.consent) or isinstance(settings.consent, SessionRule)


def is_told_by_server(settings: conf.Settings) -> bool:
    """Whether a page that is shown again has to ask the server what its visitor answered meanwhile."""
    return not settings.is_closed and (hides_answer(settings) or callable(settings.opt_out))


def private_prefixes(settings: conf.Settings) -> list[str]:
    """PRIVATE_PATHS as a page's address shows them: the page's scripts stay loaded when htmx, Turbo or `pushState`
    shows such a path, so they have to know. They are the same for everybody and no secret: the site links to them.
    """
    return [get_script_prefix().rstrip("/") + path for path in settings.private_paths]


def is_personal(settings: conf.Settings) -> bool:
    """Whether the page's text depends on who asks for it."""
    return hides_answer(settings) or callable(settings.opt_out) or settings.region is not None


def _address() -> str:
    """Where the hook tells the server; "" where the site has not included this app's addresses."""
    try:
        return reverse("tiktok_attribution:consent")
    except NoReverseMatch:
        return ""
