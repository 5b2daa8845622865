"""Which requests are landings, what is stored of them, in how many statements, and within which limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tests.touches.conftest import AGENT, CLICK, REFERRER, UTM, Configure, Land, outcomes
from tiktok_attribution.models import LandingCount, Touch
from tiktok_attribution.models.fields import digest
from tiktok_attribution.touches import storing
from tiktok_attribution.touches.counting import counts
from tiktok_attribution.touches.landing import read_landing
from tiktok_attribution.visitor import visitor_key

pytestmark = pytest.mark.django_db

DAY = 86_400


def page(request: HttpRequest, key: str = "") -> HttpResponse:
    return HttpResponse("page")


def moved(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": request.GET["to"]})


def data(request: HttpRequest) -> HttpResponse:
    return JsonResponse({})


def broken(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sorry", status=500)


def missing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("not here", status=404)


urlpatterns = [
    path("page/", page),
    path("moved/", moved),
    path("data/", data),
    path("broken/", broken),
    path("missing/", missing),
    path("api/page/", page),
    path("clinic/page/", page),
    path("orders/<str:key>/", page),
]


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = __name__


def keys() -> set[UUID]:
    return set(Touch.objects.values_list("visitor_key", flat=True))


# What is a landing ----------------------------------------------------------------------------------------------------


def test_a_click_is_a_touch_and_gives_the_browser_a_key(land: Land, client: Client) -> None:
    answer = land(f"{CLICK}&{UTM}")
    touch = Touch.objects.get()
    assert (touch.traffic, touch.shop, touch.landing_path) == ("paid", "C0EXAMPLE0000000000", "/page/")
    assert touch.click_digest == digest("E.C.P.click-1")
    assert (touch.utm_source, touch.utm_medium, touch.campaign_name) == ("TikTok", "Paid", "Spring")
    cookie = answer.cookies[visitor_key.COOKIE]
    assert signing.Signer(salt=visitor_key.COOKIE).unsign(cookie.value) == touch.visitor_key.hex
    flags = (cookie["max-age"], cookie["path"], cookie["httponly"], cookie["samesite"])
    assert flags == (90 * DAY, "/", True, "Lax")
    assert not answer.cookies[visitor_key.MARKER]["httponly"]
    assert "private" in answer["Cache-Control"]
    assert outcomes() == {"stored": 1}


def test_the_key_lives_as_long_and_as_wide_as_the_settings_say(land: Land, configure: Configure) -> None:
    configure(KEEP_TOUCH_DAYS=30, COOKIE_DOMAIN=".shop.example")
    cookie = land().cookies[visitor_key.COOKIE]
    assert (cookie["max-age"], cookie["domain"]) == (30 * DAY, ".shop.example")


def test_over_asgi_too(configure: Configure) -> None:
    headers = {"User-Agent": AGENT}
    answer = async_to_sync(AsyncClient().get)(f"/page/?{CLICK}", headers=headers)
    assert visitor_key.COOKIE in answer.cookies
    assert Touch.objects.count() == 1


def test_a_tagged_landing_without_a_click_is_one(land: Land) -> None:
    land(UTM)
    assert Touch.objects.get().click_digest is None


@pytest.mark.parametrize(
    ("case", "headers"),
    [
        ("a link of the site", {"HTTP_REFERER": "http://testserver/page/"}),
        ("the shop's other host", {"HTTP_REFERER": "https://shop.example/"}),
        ("typed, or a bookmark", {"HTTP_REFERER": "", "HTTP_SEC_FETCH_SITE": "none"}),
        ("nothing known", {"HTTP_REFERER": ""}),
    ],
)
def test_tags_alone_count_only_from_another_site(case: str, headers: dict[str, str], land: Land) -> None:
    land(UTM, **headers)
    assert not Touch.objects.exists()


def test_a_hidden_referrer_of_another_site_is_another_site(land: Land) -> None:
    land(UTM, HTTP_REFERER="", HTTP_SEC_FETCH_SITE="cross-site")
    assert Touch.objects.count() == 1


@pytest.mark.parametrize(
    ("case", "headers", "path"),
    [
        ("a bot", {"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, "/page/"),
        ("a prefetch", {"HTTP_SEC_PURPOSE": "prefetch"}, "/page/"),
        ("a prerender", {"HTTP_SEC_PURPOSE": "prefetch;prerender"}, "/page/"),
        ("an image", {"HTTP_SEC_FETCH_DEST": "image"}, "/page/"),
        ("a frame", {"HTTP_SEC_FETCH_DEST": "iframe"}, "/page/"),
        ("a fetch", {"HTTP_SEC_FETCH_DEST": "empty"}, "/page/"),
        ("htmx", {"HTTP_HX_REQUEST": "true"}, "/page/"),
        ("an opt-out", {"HTTP_SEC_GPC": "1"}, "/page/"),
        ("a private path", {}, "/clinic/page/"),
        ("an excluded path", {}, "/api/page/"),
        ("JSON", {}, "/data/"),
        ("an error of the server", {}, "/broken/"),
    ],
)
def test_what_no_visitor_sees_is_no_landing(
    case: str, headers: dict[str, str], path: str, land: Land, configure: Configure
) -> None:
    configure(PRIVATE_PATHS=["/clinic/"], EXCLUDED_PATHS=["/api/"])
    answer = land(f"{CLICK}&{UTM}", path, **headers)
    assert not Touch.objects.exists()
    assert not {visitor_key.COOKIE, visitor_key.MARKER} & set(answer.cookies)


def test_a_navigation_that_says_so_is_one_and_so_is_a_missing_page(land: Land) -> None:
    land(path="/missing/", HTTP_SEC_FETCH_DEST="document")
    assert Touch.objects.get().landing_path == "/missing/"


@pytest.mark.parametrize("method", ["post", "head", "put"])
def test_other_methods_are_none(method: str, client: Client) -> None:
    getattr(client, method)(f"/page/?{CLICK}", HTTP_USER_AGENT=AGENT)
    assert not Touch.objects.exists()


def test_staff_are_not_recorded_and_customers_are(client: Client, land: Land) -> None:
    people = get_user_model().objects
    client.force_login(people.create_user("colleague", is_staff=True))
    land()
    assert not Touch.objects.exists()
    client.force_login(people.create_user("customer"))
    land()
    assert Touch.objects.count() == 1


def test_limited_use_of_data_records_nothing(land: Land, configure: Configure) -> None:
    configure(LIMITED_DATA_USE=True)
    assert visitor_key.COOKIE not in land().cookies
    assert outcomes() == {"no_consent": 1}


@pytest.mark.parametrize("given", [False, {}], ids=["off", "not on"])
def test_with_attribution_off_nothing_is_different(
    given: Any, settings: Any, client: Client, django_assert_num_queries: Any
) -> None:
    settings.TIKTOK_ATTRIBUTION = {"PIXEL_CODE": "C0A", **({"ATTRIBUTION": False} if given is False else {})}
    client.cookies[visitor_key.COOKIE] = "x"
    with django_assert_num_queries(0):
        answer = client.get(f"/page/?{UTM}", HTTP_USER_AGENT=AGENT, HTTP_REFERER=REFERRER)
        clicked = client.get(f"/page/?{CLICK}", HTTP_USER_AGENT=AGENT)
    assert not answer.cookies
    assert "visitor" not in str(answer.wsgi_request.__dict__.keys())
    assert list(clicked.cookies) == ["ttclid"]


def test_an_ordinary_page_neither_reads_nor_sets_the_key(
    client: Client, land: Land, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.MIDDLEWARE = ["tiktok_attribution.middleware.AttributionMiddleware"]
    land()
    with django_assert_num_queries(0):
        answer = client.get("/page/?color=red", HTTP_USER_AGENT=AGENT)
    assert not {"COOKIES", "GET", "session", "user", "tiktok_visitor"} & set(answer.wsgi_request.__dict__)
    assert not answer.cookies


# Where it landed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "landed"),
    [
        ("/page/", "/page/"),
        ("http://testserver/page/?ttclid=x", "/page/"),
        ("https://elsewhere.example/x/", "/moved/"),
        ("//elsewhere.example/x/", "/moved/"),
        ("http://[", "/moved/"),
        ("/orders/jane@example.com/", "/orders/-/"),
        ("/clinic/page/", "/"),
    ],
)
def test_after_a_redirect_it_is_the_page_that_it_leads_to(
    to: str, landed: str, land: Land, configure: Configure
) -> None:
    configure(PRIVATE_PATHS=["/clinic/"])
    land(f"{CLICK}&to={to}", "/moved/")
    assert Touch.objects.get().landing_path == landed


def test_masked_paths_are_masked(land: Land, configure: Configure) -> None:
    configure(MASKED_PATHS=[r"^/orders/([^/]+)/"])
    land(path="/orders/secret-7/")
    assert Touch.objects.get().landing_path == "/orders/-/"


@pytest.mark.parametrize(("codes", "shop"), [(["C0B", "C0C"], "C0B"), ((), None), (None, "C0A")])
def test_the_shop_is_the_first_pixel_of_its_request(
    codes: Any, shop: str | None, land: Land, configure: Configure
) -> None:
    configure(PIXEL_CODE=["C0A"], PIXEL_FOR_REQUEST=(lambda request: codes) if codes is not None else None)
    land()
    assert list(Touch.objects.values_list("shop", flat=True)) == ([] if shop is None else [shop])


# Once -----------------------------------------------------------------------------------------------------------------


def test_the_same_click_is_one_touch_and_its_first_moment_stands(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    land()
    monkeypatch.setattr("tiktok_attribution.touches.recording.time", lambda: 4e9)
    answer = land()
    assert not answer.cookies
    land(f"{CLICK}&utm_campaign=Other")
    assert Touch.objects.get().at < 4e9


def test_the_same_click_after_another_one_is_one_touch_still(land: Land) -> None:
    for click in ("a", "b", "a"):
        land(f"ttclid={click}")
    assert Touch.objects.count() == 2
    assert len(keys()) == 1
    assert outcomes() == {"stored": 2}


def test_the_same_click_in_two_browsers_is_two_touches(land: Land) -> None:
    land()
    land(browser=Client())
    assert len(keys()) == 2


def test_the_same_tags_count_once_in_half_an_hour(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = 1_800_000_000
    expected = 0
    for seconds, query, counts_now in (
        (0, UTM, True),
        (60, UTM, False),
        (120, f"{UTM}&utm_content=b", True),
        (180, UTM, False),  # though another one was the last
        (1790, UTM, False),
        (1810, UTM, True),
    ):
        for module in ("recording", "storing"):
            monkeypatch.setattr(f"tiktok_attribution.touches.{module}.time", lambda now=begin + seconds: now)
        land(query)
        expected += counts_now
        assert Touch.objects.count() == expected, seconds


# What it costs --------------------------------------------------------------------------------------------------------


def test_a_landing_is_one_insert_in_autocommit(land: Land) -> None:
    land("ttclid=before")
    with CaptureQueriesContext(connection) as captured:
        land("ttclid=now")
        land("ttclid=now", path="/missing/")
    statements = [one["sql"] for one in captured if "INSERT" in one["sql"]]
    others = [one["sql"] for one in captured if one["sql"] not in statements]
    assert len(statements) == 1
    assert all(sql.startswith(("SAVEPOINT", "RELEASE")) for sql in others)  # of the transaction around this test


@pytest.mark.parametrize("once", [True, False])
def test_its_columns_are_those_of_the_orm(once: bool) -> None:
    landing = read_landing("ttclid=x&utm_campaign=a%27b&tt_placement=TikTok")
    row = Touch(visitor_key=UUID(int=7), at=5, shop="C0A", traffic="paid", utm_campaign=landing.utm_campaign)
    assert storing.insert(row, once_since=0 if once else None)
    stored = Touch.objects.values().get()
    assert {**stored, "id": None} == {
        field.attname: getattr(row, field.attname) for field in Touch._meta.concrete_fields
    }


def test_a_second_row_of_the_same_click_is_not_inserted() -> None:
    row = {"visitor_key": UUID(int=7), "at": 5, "click_digest": -3}
    assert storing.insert(Touch(**row))
    assert not storing.insert(Touch(**row))


@pytest.mark.django_db(transaction=True)
def test_neither_the_view_nor_the_touch_can_undo_the_other(land: Land, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.touches.test_recording"
    with CaptureQueriesContext(connection) as captured:
        land()
    statements = [one["sql"] for one in captured]
    (place,) = [index for index, sql in enumerate(statements) if "tiktok_attribution_touch" in sql]
    assert not any(sql.startswith("BEGIN") for sql in statements[: place + 1])


@pytest.mark.parametrize("error", [DatabaseError("disk full"), RuntimeError("ours")])
def test_a_landing_that_can_not_be_stored_breaks_nothing(
    error: Exception, land: Land, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("tiktok_attribution.touches.storing.insert", fail)
    answer = land()
    assert answer.content == b"page"
    assert visitor_key.COOKIE not in answer.cookies
    assert "a landing was not stored" in caplog.text
    assert "click-1" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_missing_table_breaks_nothing(land: Land, caplog: pytest.LogCaptureFixture) -> None:
    with connection.schema_editor() as editor:
        editor.delete_model(Touch)
    try:
        assert land().content == b"page"
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(Touch)
    assert "run manage.py migrate" in caplog.text


def test_in_a_transaction_of_the_site_an_error_spoils_nothing(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_statement", lambda using, once: "INSERT INTO nowhere VALUES (1)")
    with transaction.atomic():
        land()
        assert not Touch.objects.exists()


# Limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.hostile
def test_a_flood_of_made_up_clicks_from_one_address_is_bounded(land: Land, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        land(f"ttclid=random-{number}", browser=Client())
    outcomes()
    with django_assert_max_num_queries(4):  # a count that was due
        for number in range(100):
            land(f"ttclid=more-{number}", browser=Client())
    assert Touch.objects.count() == 20
    assert outcomes() == {"stored": 20, "over_limit": 100}
    land("ttclid=elsewhere", browser=Client(), REMOTE_ADDR="81.2.69.142")
    assert Touch.objects.count() == 21


@pytest.mark.hostile
def test_one_network_of_ipv6_is_one_sender(land: Land, configure: Configure) -> None:
    configure(ATTRIBUTION={"landings_per_minute": 2})
    for number in range(5):
        land(f"ttclid=x{number}", browser=Client(), REMOTE_ADDR=f"2001:db8::{number + 1}")
    assert Touch.objects.count() == 2


@pytest.mark.hostile
def test_a_made_up_forwarded_header_makes_nobody_another_sender(land: Land, configure: Configure) -> None:
    configure(ATTRIBUTION={"landings_per_minute": 2})
    for number in range(5):
        land(f"ttclid=x{number}", browser=Client(), HTTP_X_FORWARDED_FOR=f"81.2.69.{number}")
    assert Touch.objects.count() == 2


@pytest.mark.hostile
def test_all_together_have_a_ceiling_a_day(land: Land, configure: Configure) -> None:
    configure(ATTRIBUTION={"landings_per_day": 3})
    for number in range(6):
        land(f"ttclid=x{number}", browser=Client(), REMOTE_ADDR=f"81.2.69.{number + 1}")
    assert Touch.objects.count() == 3
    assert outcomes() == {"stored": 3, "over_limit": 3}


def test_a_page_that_is_loaded_again_uses_up_no_limit(land: Land, configure: Configure) -> None:
    configure(ATTRIBUTION={"landings_per_minute": 2})
    for _ in range(5):
        land()
    land("ttclid=other")
    assert Touch.objects.count() == 2
    assert outcomes() == {"stored": 2}


def test_without_a_cache_landings_are_stored(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError

    monkeypatch.setattr("tiktok_attribution.visitor.rate_limit.cache.add", fail)
    land()
    assert Touch.objects.count() == 1


# Counts ---------------------------------------------------------------------------------------------------------------


def test_macros_are_counted_with_and_without_a_touch(land: Land) -> None:
    land("ttclid=__CLICKID__", browser=Client())
    land("ttclid=x&utm_campaign=__CAMPAIGN_NAME__", browser=Client())
    assert outcomes() == {"macros": 2, "stored": 1}


def test_counts_are_written_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    for now in (0.0, 1.0, 9.0, 10.0, 11.0):
        monkeypatch.setattr("tiktok_attribution.touches.counting.monotonic", lambda now=now: now)
        counts.add("C0A", "stored", 1_800_000_000)
        written.append(sum(LandingCount.objects.values_list("count", flat=True)))
    assert written == [1, 1, 1, 4, 4]
    counts.flush()
    assert LandingCount.objects.get().count == 5


def test_a_day_is_one_of_the_pixels_own_zone(configure: Configure) -> None:
    configure(MARKETING_API={"7001234567890123456": {"pixels": ["C0A"], "time_zone": "America/Los_Angeles"}})
    at = datetime(2026, 3, 2, 7, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    for shop in ("C0A", "C0B"):
        counts.add(shop, "stored", at)
    counts.flush()
    days = {row.shop: row.day.isoformat() for row in LandingCount.objects.all()}
    assert days == {"C0A": "2026-03-01", "C0B": "2026-03-02"}


def test_a_count_that_the_database_refuses_breaks_nothing(
    land: Land, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise DatabaseError("secret")

    monkeypatch.setattr("tiktok_attribution.touches.counting._add", fail)
    assert land().content == b"page"
    assert Touch.objects.count() == 1
    assert "could not be counted" in caplog.text
    assert "secret" not in caplog.text


# The key --------------------------------------------------------------------------------------------------------------

FORGED = ["", "x", "0" * 32, f"{'0' * 32}:{'A' * 43}", "\x00", "a" * 5000, ":", "jane@example.com"]


def test_every_key_can_be_stored() -> None:
    """MariaDB refuses UUIDs of other forms."""
    made = [visitor_key.new_key() for _ in range(200)]
    assert all(storing.insert(Touch(visitor_key=key, at=1)) for key in made)
    assert keys() == set(made)


@pytest.mark.hostile
@pytest.mark.parametrize("value", FORGED)
def test_a_forged_key_is_nothing_and_is_replaced(value: str, land: Land, client: Client) -> None:
    client.cookies[visitor_key.COOKIE] = value
    answer = land()
    assert signing.Signer(salt=visitor_key.COOKIE).unsign(answer.cookies[visitor_key.COOKIE].value)


@pytest.mark.hostile
def test_a_key_that_was_cut_or_changed_is_nothing(land: Land, client: Client) -> None:
    land()
    whole = client.cookies[visitor_key.COOKIE].value
    changed = ("0" if whole[0] != "0" else "1") + whole[1:]
    for value in (whole[:-1], whole[:40], changed, whole + "a"):
        client.cookies[visitor_key.COOKIE] = value
        land("ttclid=again")
        Touch.objects.filter(click_digest=digest("again")).delete()
        assert client.cookies[visitor_key.COOKIE].value not in (value, whole)
        client.cookies[visitor_key.MARKER] = ""


def test_a_key_of_the_secret_before_this_one_is_a_key(land: Land, client: Client, settings: Any) -> None:
    land()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    land("ttclid=later")
    assert len(keys()) == 1


@pytest.mark.hostile
@pytest.mark.parametrize("value", ["x", "x.y", f"{'0' * 8}.99999999999999999999", "\x00.\x00"])
def test_a_forged_mark_hides_no_landing(value: str, land: Land, client: Client) -> None:
    client.cookies[visitor_key.MARKER] = value
    land()
    assert Touch.objects.count() == 1


def test_other_networks_clicks_are_touches_where_the_site_wants_them(land: Land, configure: Configure) -> None:
    land("gclid=x")
    assert not Touch.objects.exists()
    configure(ATTRIBUTION={"other_channels": True})
    land("gclid=x")
    assert Touch.objects.get().traffic == "other"
