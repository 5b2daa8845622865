"""The cookie that says what waits: bounded, signed, and of an hour."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tiktok_attribution.browser import pending_cookie
from tiktok_attribution.browser.pending_cookie import COOKIE, MOST_COOKIE_BYTES, MOST_ENTRIES, Key, Pending

KEY = Key("C0A", "Lead", "lead-1")
keys = st.builds(
    Key,
    st.text("ABCDEF0123456789", min_size=20, max_size=64),
    st.text("abc", min_size=1, max_size=50),
    st.text(min_size=1, max_size=128),
)


def waiting(*events: Key, watched: tuple[str, ...] = ()) -> Pending:
    made = Pending()
    made.add(events, watched)
    return made


def test_what_is_written_is_read_back() -> None:
    read = Pending.from_text(waiting(KEY, watched=("shop.Order:4:2",)).as_text())
    assert (read.events, read.watched) == ([KEY], ["shop.Order:4:2"])


def test_an_event_waits_once() -> None:
    assert waiting(KEY, KEY).events == [KEY]


def test_nothing_has_no_text() -> None:
    assert Pending().as_text() == ""


@given(st.lists(keys, max_size=60), st.lists(st.text(min_size=1, max_size=165), max_size=60))
@limits(max_examples=40)
def test_it_fits_into_a_cookie_whatever_waits(events: list[Key], watched: list[str]) -> None:
    assert len(waiting(*events, watched=tuple(watched)).as_text()) <= MOST_COOKIE_BYTES


def test_the_oldest_go_where_there_are_too_many() -> None:
    many = [Key("C0A", "Lead", str(number)) for number in range(MOST_ENTRIES + 5)]
    assert waiting(*many).events == many[5:]


def test_the_oldest_go_where_they_are_too_long() -> None:
    starts = range(600, 600 + 20 * 128, 128)  # no two alike, so that they can't be compressed
    wide = [Key("C0A", "Lead", "".join(map(chr, range(start, start + 128)))) for start in starts]
    kept = Pending.from_text(waiting(*wide).as_text()).events
    assert 0 < len(kept) < len(wide)
    assert kept == wide[-len(kept) :]


def test_after_an_hour_nothing_waits() -> None:
    text = waiting(KEY, watched=("shop.Order:1",)).as_text()
    with patch("time.time", return_value=time.time() + 3601):
        assert not Pending.from_text(text)


def test_each_entry_has_an_hour_of_its_own() -> None:
    now = time.time()
    with patch.object(pending_cookie, "time", return_value=now - 3000):
        made = waiting(KEY)
    made.add([Key("C0A", "Lead", "lead-2")])
    with patch.object(pending_cookie, "time", return_value=now + 1000):
        assert Pending.from_text(made.as_text()).events == [Key("C0A", "Lead", "lead-2")]


def test_waiting_again_does_not_start_the_hour_again() -> None:
    with patch.object(pending_cookie, "time", return_value=time.time() - 3000):
        made = waiting(KEY)
    made.add([KEY])
    with patch.object(pending_cookie, "time", return_value=time.time() + 1000):
        assert not Pending.from_text(made.as_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "session",
        "a:b:c",
        waiting(KEY).as_text()[:-1] + "!",
        signing.dumps([[[int(time.time()), *KEY]], []], salt="another"),
        signing.dumps("text", salt=COOKIE),
        signing.dumps([1, 2], salt=COOKIE),
        signing.dumps([[[int(time.time()), "too", "few"]], []], salt=COOKIE),
        signing.dumps([[["when", *KEY]], []], salt=COOKIE),
        "é" * 10,
    ],
    ids=range(10),  # what is signed holds the time, and workers side by side have to collect the same names
)
def test_what_is_of_somebodys_own_making_is_nothing(text: str) -> None:
    assert not Pending.from_text(text)


def test_an_ordinary_requests_cookies_are_not_parsed() -> None:
    request = RequestFactory().get("/", headers={"Cookie": "sessionid=abc; theme=dark"})
    assert not pending_cookie.is_marked(request)
    assert "COOKIES" not in request.__dict__


def test_a_name_that_only_contains_ours_is_another() -> None:
    request = RequestFactory().get("/", headers={"Cookie": f"my_{COOKIE}=x"})
    assert not pending_cookie.is_marked(request)


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookies_flags(secure: bool) -> None:
    request, response = RequestFactory().get("/", secure=secure), HttpResponse()
    pending_cookie.save(request, response, waiting(KEY))
    cookie = response.cookies[pending_cookie.cookie_name(request)]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (3600, True, "Lax", "/")
    assert bool(cookie["secure"]) is secure


def test_a_site_that_has_secure_sessions_has_a_secure_cookie(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    response = HttpResponse()
    pending_cookie.save(RequestFactory().get("/"), response, waiting(KEY))
    assert response.cookies[f"__Host-{COOKIE}"]["secure"]


def test_it_is_its_hosts_alone_where_the_click_id_is_shared_between_sub_domains(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"PIXEL_CODE": "C0A", "COOKIE_DOMAIN": ".example.com"}
    response = HttpResponse()
    pending_cookie.save(RequestFactory().get("/"), response, waiting(KEY))
    assert response.cookies[COOKIE]["domain"] == ""


@pytest.mark.privacy
def test_it_holds_names_and_ids_and_nothing_else() -> None:
    text = waiting(KEY, watched=("shop.Order:42",)).as_text()
    events, watched = signing.loads(text, salt=COOKIE)
    assert [entry[1:] for entry in events] == [list(KEY)]
    assert [entry[1:] for entry in watched] == [["shop.Order:42"]]
