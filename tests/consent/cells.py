"""The cells of the privacy matrix: consent × mode × signal, and by the settings' own words what is to follow."""

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


def opt_out(means: str) -> dict[str, Any]:
    return {"OPT_OUT": {"cookie": "no_ads", "value": "1", "means": means}}


SIGNALS: dict[str, Signal] = {
    "none": Signal({}, {}, {}, ""),
    "gpc": Signal({"HTTP_SEC_GPC": "1"}, {}, {}, "deny"),
    "gpc ignored": Signal({"HTTP_SEC_GPC": "1"}, {}, {"GPC": "ignore"}, ""),
    "gpc limited": Signal({"HTTP_SEC_GPC": "1"}, {}, {"GPC": "limited_data_use"}, "limit"),
    "gpc off": Signal({"HTTP_SEC_GPC": "0"}, {}, {}, ""),
    "dnt": Signal({"HTTP_DNT": "1"}, {}, {}, "deny"),
    "dnt ignored": Signal({"HTTP_DNT": "1"}, {}, {"DNT": "ignore"}, ""),
    "dnt limited": Signal({"HTTP_DNT": "1"}, {}, {"DNT": "limited_data_use"}, "limit"),
    "opt-out": Signal({}, {"no_ads": "1"}, opt_out("deny"), "deny"),
    "opt-out limited": Signal({}, {"no_ads": "1"}, opt_out("limited_data_use"), "limit"),
    "no opt-out": Signal({}, {"no_ads": "0"}, opt_out("deny"), ""),
    "region denies": Signal(
        {"HTTP_SEC_GPC": "1"},
        {},
        {"GPC": "ignore", "REGION": lambda request: "US-CA", "REGIONS": {"US-CA": {"GPC": "deny"}}},
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
    return {"not asked": "sent", "granted": "sent", "denied": "denied", "unknown": "held"}[consent]
