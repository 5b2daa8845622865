"""Every cell: consent × mode × signal, and for each what the page holds, what TikTok got and what the tables hold.

The browser's channel of the same cells is in test_matrix_in_chromium.py. The second half tries what a request says
against what it does, also where its signals are not used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from tests.browser.reading import tracked
from tests.consent.cells import (
    ANY_DEED,
    CALLERS,
    CELLS,
    CONSENTS,
    OWN_DEEDS,
    SIGNALS,
    WORDS,
    Word,
    fate,
    heard,
    is_visitor,
)
from tests.consent.conftest import PURCHASE, counts, states
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
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

    assert states() == {"sent": ["delivered"], "awaiting_consent": ["awaiting_consent"]}.get(expected, [])
    assert counts() == ({expected: 1} if expected in ("denied", "opt-out") else {})
    kept = [json.loads(text) for text in VisitorSnapshot.objects.values_list("signals", flat=True)]
    if mode == "developer":
        assert len(kept) == 1
        assert any(kept[0]["user"].values()) == (expected in ("sent", "awaiting_consent"))
    for row in OutboxEvent.objects.all():
        assert bool(json.loads(row.payload).get("limited_data_use")) == (signal.effect == "limit")


# Whatever the site knows of the person: a refusal from either side holds.
AGREED = {**PURCHASE, "time": "created_at", "consent": lambda order: True}
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
REQUESTS = [(caller, name) for caller in CALLERS for name in WORDS]


def headers_of(caller: str, word: Word) -> dict[str, str]:
    referer = "http://testserver/clinic/app/"
    return {"HTTP_USER_AGENT": AGENT, "HTTP_REFERER": referer, **CALLERS[caller], **word.headers}


def say(caller: str, word: Word, path: str) -> Any:
    """The request of one who says this, by a client without any memory."""
    return Client().get(f"{word.path}{path}", **headers_of(caller, word))


def settle(configure: Callable[..., None], word: Word) -> None:
    configure(
        CONVERSIONS={"shop.Order": AGREED}, IS_VISITOR=is_visitor, **{"PRIVATE_PATHS": ["/clinic/"], **word.settings}
    )


def bodies() -> list[dict[str, Any]]:
    """What is to be sent; nowhere is a private page named."""
    kept = [*OutboxEvent.objects.values_list("payload", flat=True)]
    kept += VisitorSnapshot.objects.values_list("signals", flat=True)
    assert "clinic" not in "".join(kept)
    return [json.loads(text) for text in OutboxEvent.objects.order_by("pk").values_list("payload", flat=True)]


@pytest.mark.hostile
@pytest.mark.parametrize("deed", ANY_DEED)
@pytest.mark.parametrize(("caller", "name"), REQUESTS)
def test_what_a_request_refuses_it_does_not_tell_itself(
    caller: str, name: str, deed: str, configure: Callable[..., None]
) -> None:
    word = WORDS[name]
    settle(configure, word)
    will, circumstance, limits = heard(caller, word)

    if deed.startswith("async"):
        headers = {name[5:].replace("_", "-"): value for name, value in headers_of(caller, word).items()}
        async_to_sync(AsyncClient().get)(f"{word.path}{ANY_DEED[deed]}", headers=headers)
    else:
        say(caller, word, ANY_DEED[deed])

    reason = circumstance or will
    found = bodies()
    assert len(found) == (0 if reason else 1)
    assert counts() == ({reason: 1} if reason else {})
    assert all(bool(one.get("limited_data_use")) == limits for one in found)
    assert all(("user_agent" in one["user"]) == (caller == "visitor") for one in found)


@pytest.mark.hostile
@pytest.mark.parametrize(("caller", "name"), REQUESTS)
def test_an_event_of_a_template_goes_by_its_request(caller: str, name: str, configure: Callable[..., None]) -> None:
    word = WORDS[name]
    settle(configure, word)
    will, circumstance, _ = heard(caller, word)
    page = say(caller, word, "/app/page/")
    is_told = not will and not circumstance and "CONSENT" not in word.settings
    assert [one["event"] for one in bodies()] == (["Contact"] if is_told else [])
    is_made_up_for = circumstance == "prefetch" and not will  # by the page itself, if its visitor ever gets to see it
    assert tracked(page) == (["Contact"] if (is_told or is_made_up_for) and caller == "visitor" else [])
    assert ("sendBeacon" in page.content.decode()) == (is_made_up_for and caller == "visitor")


@pytest.mark.parametrize(("caller", "name"), REQUESTS)
def test_an_order_paid_later_goes_by_the_will_of_whoever_made_it(
    caller: str, name: str, configure: Callable[..., None]
) -> None:
    word = WORDS[name]
    settle(configure, word)
    will, _, limits = heard(caller, word)
    order = say(caller, word, "/app/order/").content.decode()
    kept = [json.loads(text) for text in VisitorSnapshot.objects.values_list("signals", flat=True)]
    assert len(kept) == (1 if caller == "visitor" or will or limits else 0)
    assert not any(one in str(kept) for one in ("prefetch", "bot", "private path"))

    Client().post(f"/hooks/pay/?order={order}")

    found = bodies()
    assert len(found) == (0 if will else 1)
    assert counts() == ({will: 1} if will else {})
    assert all(bool(one.get("limited_data_use")) == limits for one in found)
    is_known = caller == "visitor" and name != "bot"
    assert all((one["user"].get("user_agent") == AGENT) == is_known for one in found)


@pytest.mark.parametrize(("caller", "name"), REQUESTS)
def test_no_request_refuses_an_order_that_another_made(caller: str, name: str, configure: Callable[..., None]) -> None:
    word = WORDS[name]
    settle(configure, word)
    order = say("visitor", WORDS["nothing"], "/app/order/").content.decode()
    say(caller, word, f"/hooks/pay/?order={order}")
    (body,) = bodies()
    assert (body["user"]["user_agent"], counts()) == (AGENT, {})
    assert "limited_data_use" not in body


@pytest.mark.parametrize("deed", [one for one in OWN_DEEDS if one != "track"])
@pytest.mark.parametrize(("caller", "name"), REQUESTS)
def test_the_backfill_goes_by_the_persons_will_and_by_the_sites_veto(
    caller: str, name: str, deed: str, configure: Callable[..., None]
) -> None:
    word = WORDS[name]
    settle(configure, word)
    will, circumstance, _ = heard(caller, word)
    say(caller, word, OWN_DEEDS[deed])
    (conversion,) = every()
    found = backfill(conversion, using="default")
    is_refused = will or circumstance == "private path"
    assert found == {"refused" if is_refused else "recorded" if circumstance else "known": 1}
    assert len(bodies()) == (0 if is_refused else 1)
