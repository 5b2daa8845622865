"""Every cell: consent × mode × signal, and for each what the page holds, what TikTok got and what the tables hold.

The browser's channel of the same cells is in test_matrix_in_chromium.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.browser.reading import tracked
from tests.consent.cells import CELLS, CONSENTS, SIGNALS, fate
from tests.consent.conftest import counts, states
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot
from tiktok_attribution.testing.server import StandIn

pytestmark = [pytest.mark.privacy, pytest.mark.django_db(transaction=True)]


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
