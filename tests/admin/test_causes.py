"""From each failure to its cause in one click: a sentence on the overview, and behind it what to do."""

from __future__ import annotations

import html
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.admin.samples import PIXEL, stored_event, with_settings
from tests.doctor import site
from tests.engines.server import free_port
from tiktok_attribution import tasks
from tiktok_attribution.delivery import turns
from tiktok_attribution.doctor import environment, result
from tiktok_attribution.models import Heartbeat, OutboxEvent, PixelStatus, State
from tiktok_attribution.testing.server import StandIn

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
OVERVIEW = "/admin/tiktok_attribution/overview/"
DIAGNOSIS = "/admin/tiktok_attribution/diagnosis/"
Deliver = Callable[[], Any]


@pytest.fixture(autouse=True)
def shop(settings: Any, immediate: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that is well: its pages carry the tag, worker and sweep were seen, and the broker answers."""
    settings.ROOT_URLCONF = site.WITH_TAG
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://testserver")
    monkeypatch.setattr(environment, "BROKER", result.Probe(tasks.broker_problem))
    for name in (turns.WORKER, turns.SWEEP):
        Heartbeat.objects.update_or_create(pk=name, defaults={"seen_at": time.time()})


@dataclass(frozen=True)
class Linked:
    """A link of the overview: its words, and the text of what it leads to."""

    sentence: str
    target: str


def text_of(markup: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup)))


def body(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return str(response.content.decode().partition('id="content-start"')[2])


def click(client: Client, words: str) -> Linked:
    """Follow the one link of the overview whose words hold these; with an anchor, to that element alone."""
    page = body(client, OVERVIEW)
    links = {
        address: text_of(inner)
        for address, inner in re.findall(r'<a[^>]*?href="([^"]+)"[^>]*>(.*?)</a>', page, re.DOTALL)
        if words in text_of(inner)
    }
    assert len(links) == 1, f"{words!r} is in {links} of: {text_of(page)}"
    ((address, sentence),) = links.items()
    path, _, anchor = html.unescape(address).partition("#")
    target = body(client, path)
    if anchor:
        found = re.search(rf'<li id="{re.escape(anchor)}".*?</li>', target, re.DOTALL)
        assert found, f"{path} has no {anchor}"
        target = found.group()
    return Linked(sentence, text_of(target))


def sell(**values: Any) -> OutboxEvent:
    return stored_event(age=5, lane=0, **values)


def test_a_site_that_is_well_has_no_results(boss: Client) -> None:
    assert "What needs attention" not in body(boss, OVERVIEW)


TOKEN = ("TikTok does not accept the access token", "Generate a new one in Events Manager")
PERMISSION = (
    "The token is not allowed to send events for this pixel",
    "Generate the token in the account that owns this pixel",
)
REFUSALS = {
    "token_revoked": ("40105 Access token is incorrect or has been revoked.", *TOKEN),
    "token_401": ("HTTP 401", *TOKEN),
    "no_permission": ("40001 No permission to operate pixel", *PERMISSION),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refused_token_or_permission(
    boss: Client, tiktok_standin: StandIn, tiktok_deliver: Deliver, fault: str
) -> None:
    tiktok_standin.faults.add(fault, times=None)
    sell()
    tiktok_deliver()
    overview = text_of(body(boss, OVERVIEW))
    linked = click(boss, "Why, and what to do")

    assert f"Pixel {PIXEL} is stopped" in overview
    assert [words for words in REFUSALS[fault] if words not in overview] == []
    assert [words for words in (*REFUSALS[fault], "resume the pixel") if words not in linked.target] == []


@pytest.mark.parametrize("is_named", [True, False])
def test_a_bad_event(boss: Client, tiktok_standin: StandIn, tiktok_deliver: Deliver, is_named: bool) -> None:
    bad, _good = sell(), sell()
    tiktok_standin.faults.poison(bad.event_id, named=is_named)
    tiktok_deliver()
    linked = click(boss, "40002")

    assert OutboxEvent.objects.get(pk=bad.pk).state == State.REJECTED
    assert "TikTok refused a value in the event." in linked.target
    assert "Fix the field that it comes from" in linked.target


def test_an_event_that_could_not_be_built(boss: Client) -> None:
    sell(state=State.INVALID, note="total: not a number", value=None, object_label="shop.Order", object_pk="7")
    linked = click(boss, "Purchase: total: not a number")

    assert "The event could not be built" in linked.target
    assert "Fix what the reason names" in linked.target


@pytest.mark.parametrize("fault", ["http_503", "reset"])
def test_tiktok_is_down(boss: Client, tiktok_standin: StandIn, tiktok_deliver: Deliver, fault: str) -> None:
    tiktok_standin.faults.add(fault, times=None)
    sell()
    for _ in range(5):
        OutboxEvent.objects.update(due_at=time.time() - 1)
        tiktok_deliver()
    linked = click(boss, f"Pixel {PIXEL}: TikTok does not answer")

    assert PixelStatus.objects.get().failures >= 5
    assert "are not lost" in linked.target
    assert "check that this server can open HTTPS connections" in linked.target


def test_tiktok_is_out_of_reach(boss: Client, settings: Any, tiktok_deliver: Deliver) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(API_URL=f"http://127.0.0.1:{free_port()}/")
    sell()
    tiktok_deliver()
    linked = click(boss, "could not be reached")

    assert "This server could not connect to TikTok; nothing was sent." in linked.target
    assert "firewall, proxy, DNS" in linked.target


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    connection_for_read = Celery.connection_for_read

    def point_at(url: str) -> None:
        monkeypatch.setattr(Celery, "connection_for_read", lambda self, **more: connection_for_read(self, url, **more))

    return point_at


def test_the_broker_is_down(boss: Client, broker: Callable[[str], None]) -> None:
    broker(f"redis://:sesame@127.0.0.1:{free_port()}/0")
    body(boss, OVERVIEW)  # Celery's imports may outlast the patience of the very first look
    time.sleep(1)
    linked = click(boss, "Celery's broker can't be reached")

    assert "No task runs without it" in linked.target
    assert "Start the broker, or check Celery's broker_url" in linked.target
    assert "sesame" not in linked.target


@pytest.fixture
def silence() -> Iterator[int]:
    """A port where somebody listens, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_broker_that_hangs_does_not_keep_the_overview(
    boss: Client, broker: Callable[[str], None], silence: int
) -> None:
    body(boss, OVERVIEW)
    environment.BROKER._asked_at = None
    broker(f"redis://127.0.0.1:{silence}/0")
    began = time.monotonic()
    for _ in range(3):
        list(environment.broker_lately())
    took = time.monotonic() - began

    assert took < 3 * result.PATIENCE_SECONDS + 0.5


def test_a_site_that_delivers_without_celery_hears_nothing_of_a_broker(
    boss: Client, broker: Callable[[str], None]
) -> None:
    broker(f"redis://127.0.0.1:{free_port()}/0")
    turns.beat(turns.LOOP, using="default", now=time.time())

    assert list(environment.broker_lately()) == []


def test_the_worker_is_dead(boss: Client) -> None:
    stored_event(age=7300)
    Heartbeat.objects.filter(pk=turns.WORKER).update(seen_at=time.time() - 7200)
    late = click(boss, f"Pixel {PIXEL}: events due: 1, the oldest for 2 hours")
    silent = click(boss, "Last seen 120 minutes ago: a Celery worker")

    assert "No worker sends them, or TikTok does not answer." in late.target
    assert "See here whether a worker runs" in late.target
    assert "Start a worker" in silent.target


def test_beat_is_dead(boss: Client) -> None:
    Heartbeat.objects.filter(pk=turns.SWEEP).update(seen_at=time.time() - 7200)
    linked = click(boss, "Last seen 120 minutes ago: the sweep of Celery beat")

    assert "Let beat run tiktok_attribution.sweep each minute" in linked.target


def test_the_tag_is_missing(boss: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = site.WITHOUT_TAG
    for _ in range(5):
        stored_event(age=60, state=State.DELIVERED, wants_browser=True)
    linked = click(boss, "No page made any of the last day's 5 pixel calls")

    assert "The page https://testserver/ does not carry the tag." in linked.target
    assert "Write {% tiktok_pixel %} into the <head>" in linked.target


@pytest.mark.parametrize("person", ["only the overview", "everything"])
def test_links_are_for_who_may_follow_them(
    client_of: Any, tiktok_standin: StandIn, tiktok_deliver: Deliver, person: str
) -> None:
    client = client_of("staff")
    view = "view_overview" if person == "only the overview" else "view_"
    own = Permission.objects.filter(content_type__app_label="tiktok_attribution", codename__startswith=view)
    User.objects.get(username="staff").user_permissions.set(own)
    tiktok_standin.faults.add("no_permission", times=None)
    sell(state=State.INVALID, note="total: not a number")
    sell()
    tiktok_deliver()
    main = body(client, OVERVIEW).partition('<div id="content-main"')[2].partition("<footer")[0]
    addresses = {html.unescape(address) for address in re.findall(r'href="(/[^"#]+)', main)}

    assert {client.get(address).status_code for address in addresses} == (
        set() if person == "only the overview" else {200}
    )
