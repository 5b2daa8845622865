"""The cells of the privacy matrix: consent × mode × signal, and by the settings' own words what is to follow.

And of a second one: who calls × what the request says × what it does, for refusals that are not a shopper's page view.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from tests.consent.conftest import ASKED

CONSENTS: dict[str, tuple[Any, str]] = {
    "not asked": (None, ""),
    "granted": (ASKED, "granted"),
    "denied": (ASKED, "denied"),
    "unknown": (ASKED, ""),
}
MODES = ("developer", "standard")


class Signal(NamedTuple):
    """What a browser sends, what the settings make of it, and the effect: "deny", "limit" or none."""

    headers: dict[str, str]
    cookies: dict[str, str]
    settings: dict[str, Any]
    effect: str


def opt_out(context: str) -> dict[str, Any]:
    return {"OPT_OUT": {"cookie": "no_ads", "value": "1", "effect": context}}


SIGNALS: dict[str, Signal] = {
    "none": Signal({}, {}, {}, ""),
    "gpc": Signal({"HTTP_SEC_GPC": "1"}, {}, {}, "deny"),
    "gpc ignored": Signal({"HTTP_SEC_GPC": "1"}, {}, {"ON_GPC": "ignore"}, ""),
    "gpc limited": Signal({"HTTP_SEC_GPC": "1"}, {}, {"ON_GPC": "limited_data_use"}, "limit"),
    "gpc off": Signal({"HTTP_SEC_GPC": "0"}, {}, {}, ""),
    "dnt": Signal({"HTTP_DNT": "1"}, {}, {}, "deny"),
    "dnt ignored": Signal({"HTTP_DNT": "1"}, {}, {"ON_DNT": "ignore"}, ""),
    "dnt limited": Signal({"HTTP_DNT": "1"}, {}, {"ON_DNT": "limited_data_use"}, "limit"),
    "opt-out": Signal({}, {"no_ads": "1"}, opt_out("deny"), "deny"),
    "opt-out limited": Signal({}, {"no_ads": "1"}, opt_out("limited_data_use"), "limit"),
    "no opt-out": Signal({}, {"no_ads": "0"}, opt_out("deny"), ""),
    "region denies": Signal(
        {"HTTP_SEC_GPC": "1"},
        {},
        {"ON_GPC": "ignore", "REGION": lambda request: "US-CA", "REGIONS": {"US-CA": {"ON_GPC": "deny"}}},
        "deny",
    ),
    "region limits": Signal(
        {}, {}, {"REGION": lambda request: "US-CA", "REGIONS": {"US-CA": {"LIMITED_DATA_USE": True}}}, "limit"
    ),
}
CELLS = list(itertools.product(CONSENTS, MODES, SIGNALS))


def fate(consent: str, effect: str) -> str:
    """What is to become of an event. An opt-out wins over every answer."""
    if effect == "deny":
        return "opt-out"
    return {"not asked": "sent", "granted": "sent", "denied": "denied", "unknown": "awaiting_consent"}[consent]


CALLERS: dict[str, dict[str, str]] = {
    "visitor": {"HTTP_COOKIE": "seen=1"},
    "app": {},  # without a cookie, to a view without CSRF protection: so do token clients, and webhooks
    "office": {"HTTP_COOKIE": "seen=1", "HTTP_X_OFFICE": "1"},
}


def is_visitor(request: Any) -> bool | None:
    return False if "HTTP_X_OFFICE" in request.META else None


class Word(NamedTuple):
    """What a request says. `will` is the person's own no, `circumstance` the request's; else it may limit."""

    headers: dict[str, str]
    settings: dict[str, Any]
    will: str = ""
    circumstance: str = ""
    limits: bool = False
    path: str = ""


def _header(name: str, answers: dict[str | None, Any]) -> Any:
    return lambda request: answers[request.headers.get(name)]


OUT = {"OPT_OUT": _header("X-Out", {None: False, "deny": True, "limit": "limited_data_use"})}
WORDS: dict[str, Word] = {
    "nothing": Word({}, {}),
    "gpc": Word({"HTTP_SEC_GPC": "1"}, {}, "opt-out"),
    "gpc ignored": Word({"HTTP_SEC_GPC": "1"}, {"ON_GPC": "ignore"}),
    "gpc limited": Word({"HTTP_SEC_GPC": "1"}, {"ON_GPC": "limited_data_use"}, limits=True),
    "dnt": Word({"HTTP_DNT": "1"}, {}, "opt-out"),
    "dnt limited": Word({"HTTP_DNT": "1"}, {"ON_DNT": "limited_data_use"}, limits=True),
    "opt-out": Word({"HTTP_X_OUT": "deny"}, OUT, "opt-out"),
    "opt-out limited": Word({"HTTP_X_OUT": "limit"}, OUT, limits=True),
    "denial": Word({"HTTP_X_ADS": "no"}, {"CONSENT": _header("X-Ads", {None: None, "no": False})}, "denied"),
    "bot": Word({"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, {}, circumstance="bot"),
    "prefetch": Word({"HTTP_SEC_PURPOSE": "prefetch"}, {}, circumstance="prefetch"),
    "prerender": Word({"HTTP_SEC_PURPOSE": "prefetch;prerender"}, {}, circumstance="prefetch"),
    "private path": Word({}, {"PRIVATE_PATHS": ["/clinic/"]}, circumstance="private path", path="/clinic"),
    "gpc and prefetch": Word({"HTTP_SEC_GPC": "1", "HTTP_SEC_PURPOSE": "prefetch"}, {}, "opt-out", "prefetch"),
}
OWN_DEEDS = {"track": "/app/lead/", "paid order": "/app/order/?paid=1", "order, then paid": "/app/order/?then=1"}
ANY_DEED = {**OWN_DEEDS, "async track": "/app/async-lead/", "async order": "/app/async-order/?then=1"}


def heard(caller: str, word: Word) -> tuple[str, str, bool]:
    """Of will, circumstance and limit what counts from this caller: of a back office only the path."""
    if caller == "office":
        return "", word.circumstance if word.path else "", False
    return word.will, word.circumstance, word.limits
