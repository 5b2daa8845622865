"""The stand-in's page: what it shows, and that nothing that arrives becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from tests.testing.samples import ask, body, event, pixel_call, post_events
from tiktok_attribution.testing.guesses import GUESSES
from tiktok_attribution.testing.server import StandIn

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\ud800"
SHORT_HOSTILE = "</script><img src=x onerror=a()>"


class Tags(HTMLParser):
    """Every start tag, with the names of its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


def page_of(standin: StandIn) -> str:
    return ask(standin.url + "/").raw.decode()


def test_an_empty_page_says_so(standin: StandIn) -> None:
    assert "Nothing has arrived yet" in page_of(standin)


def test_a_row_shows_both_channels_as_merged_and_counted_once(standin: StandIn) -> None:
    ask(standin.pixel_url, pixel_call())
    post_events(standin, body())
    page = page_of(standin)
    assert '<span class="badge good">merged</span>' in page
    assert '<span class="count">1</span>' in page
    assert "19.9 EUR" in page


def test_an_event_counted_twice_is_marked(standin: StandIn, clock: Any) -> None:
    post_events(standin, body())
    clock.now += 49 * 3600
    post_events(standin, body())
    assert '<span class="count bad">2</span>' in page_of(standin)


def test_matching_keys_are_shown_by_name_only(standin: StandIn) -> None:
    post_events(standin, body())
    page = page_of(standin)
    assert '<span class="key">email</span>' in page
    assert "973dfe463ec8" not in page


@pytest.mark.parametrize("code", [event(event_id=7), event(user={"email": "a@b.example"})])
def test_refusals_are_shown(standin: StandIn, code: Any) -> None:
    answer = post_events(standin, body(code)).json
    page = page_of(standin)
    assert answer["request_id"] in page
    assert str(answer["code"]) in page


def test_faults_and_latency_are_shown(standin: StandIn) -> None:
    standin.faults.add("http_503", times=3)
    standin.faults.latency_ms = 250
    page = page_of(standin)
    assert "<code>http_503</code> · &times;3" in page
    assert "250 ms" in page


def test_test_events_are_shown_apart(standin: StandIn) -> None:
    post_events(standin, body(test_event_code="TEST11178"))
    assert "TEST11178" in page_of(standin)


def test_every_guess_is_shown(standin: StandIn) -> None:
    page = page_of(standin)
    assert all(guess.subject.split("(")[0].split("'")[0] in page for guess in GUESSES)


def fill_with(standin: StandIn, hostile: str) -> None:
    everything = {
        "pixel": hostile,
        "event": hostile,
        "event_id": hostile,
        "properties": {"value": 1, "currency": hostile},
        "user": {hostile: hostile},
        "page": {"url": hostile},
    }
    standin.exchange.pixel(pixel_call(**everything), user_agent=hostile, ip="127.0.0.1")
    standin.exchange.pixel(pixel_call(type="remark", text=hostile), user_agent="", ip="")
    standin.exchange.script(hostile)
    hostile_event = event(event=SHORT_HOSTILE, event_id=hostile, properties={"currency": hostile})
    post_events(standin, body(hostile_event, event_source_id=hostile))
    post_events(standin, body(hostile_event, test_event_code=hostile))
    standin.faults.add("answer", message=hostile, code=40000)
    post_events(standin, body())
    standin.faults.add("answer", message=hostile, pixel=hostile, event_id=hostile)


def tags_of(text: str) -> list[tuple[str, list[str]]]:
    tags = Tags()
    tags.feed(text)
    return tags.found


def test_nothing_that_arrives_becomes_markup(standin: StandIn) -> None:
    fill_with(standin, HOSTILE)
    hostile = tags_of(page_of(standin))
    standin.reset()
    fill_with(standin, "harmless")
    assert {tag for tag, _ in hostile} == {tag for tag, _ in tags_of(page_of(standin))}
    assert "img" not in {tag for tag, _ in hostile}
    assert not any(name.startswith("on") for _, names in hostile for name in names)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" + b"0" * 400, b"1e300"])
def test_a_number_beyond_measure_breaks_nothing(standin: StandIn, number: bytes) -> None:
    ask(standin.pixel_url, pixel_call().replace(b"19.9", number))
    assert "order-1" in page_of(standin)
    assert ask(standin.url + "/standin/state.json").status == 200


def test_the_policy_allows_no_script_but_its_own(standin: StandIn) -> None:
    response = ask(standin.url + "/")
    policy = response.headers["Content-Security-Policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in response.raw.decode()
    assert "unsafe" not in policy


def test_the_nonce_changes(standin: StandIn) -> None:
    first, second = (ask(standin.url + "/").headers["Content-Security-Policy"] for _ in range(2))
    assert first != second


@pytest.mark.browser
def test_a_hostile_page_runs_nothing_and_follows_what_arrives(
    standin: StandIn, page: Any, console_errors: list[str]
) -> None:
    fill_with(standin, HOSTILE)
    page.add_init_script("window.alert = () => { window.broken = true; }")
    page.goto(standin.url + "/")
    post_events(standin, body(event(event_id="order-later")))
    page.get_by_text("order-later").first.wait_for()
    assert page.evaluate("window.broken") is None
    assert console_errors == []


@pytest.mark.browser
def test_the_page_goes_on_when_the_stand_in_comes_back(standin: StandIn, page: Any) -> None:
    page.goto(standin.url + "/")
    standin.stop()
    page.get_by_text("not answering").wait_for()
    standin.start()
    post_events(standin, body(event(event_id="order-later")))
    page.get_by_text("order-later").first.wait_for()


@pytest.mark.browser
def test_the_page_fits_a_telephone(standin: StandIn, page: Any) -> None:
    fill_with(standin, HOSTILE)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(standin.url + "/")
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_the_page_arms_and_clears_a_fault(standin: StandIn, page: Any) -> None:
    page.goto(standin.url + "/")
    page.select_option("#fault", "maintenance")
    page.get_by_role("button", name="until cleared").click()
    page.get_by_text("Faults armed").wait_for()
    armed = [(fault.name, fault.times) for fault in standin.faults.active()]
    page.get_by_role("button", name="Clear faults").click()
    page.get_by_text("Faults armed").wait_for(state="detached")
    assert (armed, standin.faults.active()) == ([("maintenance", None)], [])
