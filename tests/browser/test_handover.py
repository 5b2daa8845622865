"""From the response that makes an event to the page that shows it: once, to its visitor, whatever lies between."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import AsyncClient, Client

from tests.browser.reading import calls, loaded, tracked
from tests.shop.models import Order
from tiktok_attribution.browser.pending_cookie import COOKIE
from tiktok_attribution.models import OutboxEvent

pytestmark = pytest.mark.django_db

PURCHASE = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}


def is_marked(response: HttpResponse) -> bool:
    return bool(response.cookies.get(COOKIE) and response.cookies[COOKIE].value)


def test_an_event_is_shown_on_the_page_after_the_redirect(client: Client) -> None:
    (call,) = calls(client.post("/lead/", follow=True))
    assert call.arguments == ["Lead", {"value": 5, "currency": "EUR"}, {"event_id": "lead-1"}]


def test_an_event_is_shown_once(client: Client) -> None:
    client.post("/lead/")
    assert [tracked(client.get("/page/")) for _ in range(3)] == [["Lead"], [], []]


def test_the_cookie_goes_with_the_event(client: Client) -> None:
    assert is_marked(client.post("/lead/"))
    assert client.get("/page/").cookies[COOKIE]["max-age"] == 0
    assert not client.get("/page/").cookies


def test_a_second_tab_that_was_quicker_gets_it(client: Client) -> None:
    client.post("/lead/")
    other_tab = tracked(client.get("/page/?tab=2"))
    assert (other_tab, tracked(client.get("/page/"))) == (["Lead"], [])


def test_another_visitor_does_not_get_it(client: Client) -> None:
    client.post("/lead/")
    assert tracked(Client().get("/page/")) == []


def test_two_tabs_at_the_same_moment_show_the_same_event_id(client: Client) -> None:
    """TikTok drops the second; to lose one because its page was thrown away would be worse."""
    client.post("/lead/")
    at_once = client.cookies[COOKIE].value
    first = calls(client.get("/page/"))
    client.cookies[COOKIE] = at_once
    assert calls(client.get("/page/")) == first


def test_events_of_several_requests_come_in_their_order(client: Client) -> None:
    for event_id in ("lead-2", "lead-1", "lead-3"):
        client.post(f"/lead/?event_id={event_id}")
    assert [call.event_id for call in calls(client.get("/page/"))] == ["lead-2", "lead-1", "lead-3"]


def test_a_page_that_makes_an_event_shows_it_itself(client: Client) -> None:
    response = client.get("/lead-page/")
    assert tracked(response) == ["Lead"]
    assert not is_marked(response)
    assert tracked(client.get("/page/")) == []


def test_the_row_notes_when_it_was_shown(client: Client) -> None:
    client.post("/lead/")
    assert OutboxEvent.objects.get().browser_at is None
    client.get("/page/")
    assert OutboxEvent.objects.get().browser_at is not None


def test_after_an_hour_it_is_not_shown_any_more(client: Client) -> None:
    client.post("/lead/")
    with patch("time.time", return_value=time.time() + 3601):
        response = client.get("/page/")
    assert tracked(response) == []


def test_a_forged_cookie_shows_nobody_elses_event(client: Client) -> None:
    client.post("/lead/")
    thief = Client()
    thief.cookies[COOKIE] = client.cookies[COOKIE].value[:-2] + "xx"
    response = thief.get("/page/")
    assert tracked(response) == []
    assert response.cookies[COOKIE]["max-age"] == 0


@pytest.mark.parametrize("backend", ["db", "cache", "cached_db", "signed_cookies", "file"])
@pytest.mark.parametrize("path", ["/lead/", "/sign-in/", "/sign-out/"])
def test_it_outlives_every_change_of_session(settings: Any, tmp_path: Any, backend: str, path: str) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{backend}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    visitor = Client()
    user = User.objects.create(username="ada")
    if path == "/sign-out/":
        visitor.force_login(user)
    visitor.post(path)
    assert [tracked(visitor.get("/page/")) for _ in range(2)] == [["Lead"], []]


def test_it_needs_no_sessions(settings: Any) -> None:
    apart = ("sessions", "auth", "messages")
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if not any(name in path for name in apart)]
    visitor = Client()
    visitor.post("/lead/")
    assert [tracked(visitor.get("/page/")) for _ in range(2)] == [["Lead"], []]


def test_it_begins_no_session(client: Client) -> None:
    response = client.post("/lead/")
    assert set(response.cookies) == {COOKIE}


@pytest.mark.parametrize("path", ["/json/", "/file/", "/not-modified/", "/stream/", "/no-such-page/", "/lead/"])
def test_what_shows_no_tag_takes_nothing(client: Client, path: str) -> None:
    client.post("/lead/")
    list(client.get(path))
    assert tracked(client.get("/page/")) == ["Lead"]


def test_a_page_that_streams_has_the_base_code(client: Client) -> None:
    client.post("/lead/")
    text = client.get("/stream/").getvalue().decode()
    assert loaded(text)
    assert tracked(text) == []


@pytest.mark.parametrize("kind", ["json", "redirect", "error", "nothing", "download", "raise"])
def test_what_was_rendered_but_never_seen_waits_on(client: Client, kind: str) -> None:
    client.raise_request_exception = False
    client.post("/lead/")
    client.get(f"/thrown-away/?as={kind}")
    assert OutboxEvent.objects.get().browser_at is None
    assert tracked(client.get("/page/")) == ["Lead"]


def test_an_error_page_with_one_visitors_events_is_private(client: Client) -> None:
    client.post("/lead/")
    assert "private" in client.get("/thrown-away/?as=error")["Cache-Control"]


def test_asking_for_the_head_takes_nothing(client: Client) -> None:
    client.post("/lead/")
    client.head("/page/")
    assert tracked(client.get("/page/")) == ["Lead"]


AHEAD = [
    *(("Sec-Purpose", purpose) for purpose in ("prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip")),
    *(("X-Sec-Purpose", "prefetch"), ("Purpose", "prefetch"), ("X-Purpose", "preview"), ("X-Moz", "prefetch")),
    ("HX-Preloaded", "true"),
]


@pytest.mark.parametrize(("header", "value"), AHEAD)
def test_a_page_that_is_only_fetched_ahead_takes_nothing(client: Client, header: str, value: str) -> None:
    client.post("/lead/")
    assert tracked(client.get("/page/", headers={header: value})) == []
    assert tracked(client.get("/page/")) == ["Lead"]


@pytest.mark.parametrize(("header", "value"), AHEAD)
def test_what_a_page_that_is_only_fetched_ahead_tracks_is_not_recorded(client: Client, header: str, value: str) -> None:
    for _ in range(3):
        client.get("/lead-page/", headers={header: value})
    assert OutboxEvent.objects.count() == 0


def test_an_entity_tag_of_the_sites_own_takes_nothing(client: Client) -> None:
    client.post("/lead/")
    assert client.get("/etag/", headers={"If-None-Match": '"same"'}).status_code == 304
    assert tracked(client.get("/page/")) == ["Lead"]


def test_a_page_that_showed_something_can_not_be_revalidated(client: Client) -> None:
    client.post("/lead/")
    assert not client.get("/etag/").has_header("ETag")
    assert client.get("/etag/").has_header("ETag")


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_is_not_shown(client: Client) -> None:
    assert tracked(client.get("/rolled-back/")) == []
    assert tracked(client.get("/page/")) == []


def test_what_vanished_from_the_outbox_is_forgotten(client: Client) -> None:
    client.post("/lead/")
    OutboxEvent.objects.all().delete()
    response = client.get("/page/")
    assert tracked(response) == []
    assert response.cookies[COOKIE]["max-age"] == 0


@pytest.fixture
def unpaid(client: Client, settings: Any) -> Order:
    """An order that this visitor has made and not paid."""
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"shop.Order": PURCHASE}}
    client.post("/order/")
    return Order.objects.get()


def pay(order: Order) -> None:
    """As a webhook does, in nobody's browser."""
    order.status = "paid"
    order.save()


def test_an_order_paid_elsewhere_is_shown_on_its_visitors_next_page(client: Client, unpaid: Order) -> None:
    assert tracked(client.get("/page/")) == []
    pay(unpaid)
    assert tracked(Client().get("/page/")) == []
    assert [[call.event_id for call in calls(client.get("/page/"))] for _ in range(2)] == [[f"order-{unpaid.pk}"], []]


def test_a_page_that_watches_in_vain_is_as_public_as_any(client: Client, unpaid: Order) -> None:
    ordinary = Client().get("/page/")
    watching = client.get("/page/")
    assert watching.content == ordinary.content
    assert not watching.cookies
    assert not watching.has_header("Cache-Control")


def test_both_tags_of_a_page_show_an_order_once(client: Client, unpaid: Order) -> None:
    pay(unpaid)
    assert tracked(client.get(f"/order/{unpaid.pk}/")) == ["Purchase"]


def test_an_order_is_watched_for_an_hour(client: Client, unpaid: Order) -> None:
    pay(unpaid)
    with patch("time.time", return_value=time.time() + 3601):
        assert tracked(client.get("/page/")) == []


def test_a_thrown_away_page_does_not_lose_an_order(client: Client, unpaid: Order) -> None:
    pay(unpaid)
    client.get("/thrown-away/?as=error")
    assert tracked(client.get("/page/")) == ["Purchase"]


@pytest.fixture
def _empty_cache() -> Any:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("path", ["/page/", "/lead-page/"])
def test_a_page_that_shows_something_is_private(client: Client, path: str) -> None:
    client.post("/lead/")
    assert client.get(path)["Cache-Control"] == "private, max-age=0"


def test_a_response_that_sets_the_cookie_is_private(client: Client) -> None:
    assert client.post("/lead/")["Cache-Control"] == "private"


@pytest.mark.usefixtures("_empty_cache")
@pytest.mark.parametrize("path", ["/cached/", "/cached-late/"])
def test_cache_page_never_keeps_one_visitors_events(client: Client, path: str) -> None:
    client.post("/lead/")
    assert tracked(client.get(path)) == ["Lead"]
    assert tracked(Client().get(path)) == []


@pytest.mark.usefixtures("_empty_cache")
def test_an_event_waits_while_the_cache_answers(client: Client) -> None:
    Client().get("/cached/")
    client.post("/lead/")
    assert tracked(client.get("/cached/")) == []
    assert tracked(client.get("/page/")) == ["Lead"]


@pytest.mark.usefixtures("_empty_cache")
def test_the_site_wide_cache_never_keeps_one_visitors_events(settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    visitor = Client()
    visitor.post("/lead/")
    assert tracked(visitor.get("/page/")) == ["Lead"]
    assert tracked(Client().get("/page/")) == []


@pytest.mark.usefixtures("_empty_cache")
def test_the_site_wide_cache_keeps_ordinary_pages(settings: Any, django_assert_num_queries: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    first = Client().get("/page/")
    with patch("tests.browser.site.page", side_effect=AssertionError), django_assert_num_queries(0):
        assert Client().get("/page/").content == first.content


def test_compression_and_conditional_get_change_nothing(settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        *settings.MIDDLEWARE,
    ]
    visitor = Client()
    ordinary = visitor.get("/page/")
    visitor.post("/lead/")
    pixel_call = visitor.get("/page/", headers={"If-None-Match": ordinary["ETag"]})
    assert tracked(pixel_call) == ["Lead"]
    assert visitor.get("/page/", headers={"If-None-Match": ordinary["ETag"]}).status_code == 304


def test_an_async_view_shows_what_waits() -> None:
    async def visit() -> list[list[str]]:
        visitor = AsyncClient()
        await visitor.post("/lead/")
        return [tracked(await visitor.get("/async/")) for _ in range(2)]

    assert async_to_sync(visit)() == [["Lead"], []]
