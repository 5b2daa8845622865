"""Every cell: consent × mode × signal, and for each what the page holds, what TikTok got and what the tables hold."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.test import Client

from tests.browser.reading import tracked
from tests.consent.conftest import ASKED, counts, states
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot
from tiktok_attribution.testing.server import StandIn

pytestmark = [pytest.mark.privacy, pytest.mark.django_db(transaction=True)]

CONSENTS: dict[str, tuple[Any, str]] = {
    "not asked": (None, ""),
    "granted": (ASKED, "granted"),
    "denied": (ASKED, "denied"),
    "unknown": (ASKED, ""),
}
MODES = ("developer", "standard")


class Signal(NamedTuple):
    """What a browser sends, what the settings make of it, and the effect by the issue's own words."""

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


@pytest.mark.parametrize(("consent", "mode", "name"), CELLS)
def test_every_cell(  # noqa: PLR0917 -- fixtures
    consent: str,
    mode: str,
    name: str,
    configure: Callable[..., None],
    tiktok_standin: StandIn,
    tiktok_deliver: Callable[[], Any],
    client: Client,
) -> None:
    setting, answer = CONSENTS[consent]
    signal = SIGNALS[name]
    configure(CONSENT=setting, MODE=mode, STANDARD_MODE_SERVER_EVENTS=["Lead"], **signal.settings)
    if answer:
        client.cookies["tiktok_consent"] = answer
    for cookie, value in signal.cookies.items():
        client.cookies[cookie] = value
    client.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (X11; Linux x86_64)"
    expected = fate(consent, signal.effect)

    landing = client.get("/page/?ttclid=E.C.P.click", **signal.headers)
    client.post("/lead/", **signal.headers)
    client.post("/order/", **signal.headers)
    page = client.get("/page/", **signal.headers)
    tiktok_deliver()

    in_page = ["Lead"] if expected == "sent" and mode == "developer" else []
    assert tracked(page) == in_page
    assert ("ttclid" in landing.cookies) == (expected == "sent")

    arrived = [one for one in tiktok_standin.ledger.arrivals() if one.channel == "server"]
    assert [one.event for one in arrived] == (["Lead"] if expected == "sent" else [])
    assert all(one.limited_data_use == (signal.effect == "limit") for one in arrived)

    assert states() == {"sent": ["delivered"], "held": ["held"]}.get(expected, [])
    assert counts() == ({expected: 1} if expected in ("denied", "opt-out") else {})
    kept = [json.loads(text) for text in VisitorSnapshot.objects.values_list("signals", flat=True)]
    if mode == "developer":
        assert len(kept) == 1
        assert any(kept[0]["user"].values()) == (expected in ("sent", "held"))
    for row in OutboxEvent.objects.all():
        assert bool(json.loads(row.payload).get("limited_data_use")) == (signal.effect == "limit")
