"""What the two tags write: for everybody the same, and for one visitor what is that visitor's."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import resolve
from hypothesis import example, given
from hypothesis import strategies as st

from tests.browser.reading import Call, calls, loaded, parsed, tracked
from tests.browser.site import html
from tests.shop.models import Order
from tiktok_attribution.browser.page_response import ATTRIBUTE as HANDOVER
from tiktok_attribution.browser.tags import pixel_text
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.middleware import AttributionMiddleware
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.visitor.visitor import ATTRIBUTE as VISITOR

anything = (
    st.text(st.characters(codec=None))
    | st.floats()
    | st.none()
    | st.booleans()
    | st.decimals()
    | st.lists(st.text())
    | st.builds(
        "".join, st.lists(st.sampled_from(["</script>", "<!--", "'", '"', "\\", "\u2028", "\ud800", "]]>", "😀"]))
    )
)

PIXEL = "C0EXAMPLE0000000000"


@pytest.fixture
def configure(settings: Any) -> Any:
    def change(**options: Any) -> None:
        site = {"SITE_URL": "https://shop.example"}
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **site, **options}

    return change


def order_conversion(**more: Any) -> dict[str, Any]:
    purchase = {
        "event": "Purchase",
        "when": {"status": "paid"},
        "value": "total",
        "currency": "currency",
        "user": {"email": "email"},
    }
    return {"shop.Order": {**purchase, **more}}


@pytest.mark.django_db
def test_two_visitors_get_the_same_bytes(client: Client) -> None:
    signed_in = Client()
    signed_in.force_login(User.objects.create(username="ada", email="ada@example.com"))
    signed_in.cookies["ttclid"] = "E.C.P.1"
    assert signed_in.get("/page/").content == client.get("/page/").content


def test_an_ordinary_page_asks_no_database_and_no_session(client: Client) -> None:
    # No database fixture: a query would fail the test.
    response = client.get("/page/")
    assert loaded(response) == [PIXEL]
    assert not response.wsgi_request.session.accessed


def test_an_ordinary_page_has_no_cookie_and_no_vary(client: Client) -> None:
    response = client.get("/page/")
    assert not response.cookies
    assert not response.has_header("Vary")
    assert not response.has_header("Cache-Control")


def test_an_ordinary_page_parses_neither_cookies_nor_query(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = ["tiktok_attribution.middleware.AttributionMiddleware"]
    request = client.get("/page/?utm_source=tiktok", headers={"Cookie": "theme=dark"}).wsgi_request
    assert not {"COOKIES", "GET"} & set(request.__dict__)


@pytest.mark.parametrize("address", ["/page/", "/event/"])
@pytest.mark.parametrize("nonce", ["", "n0nce"])
def test_a_page_without_events_of_its_visitor_asks_for_none(address: str, nonce: str) -> None:
    request = RequestFactory().get(address)
    if nonce:
        request.csp_nonce = nonce  # type: ignore[attr-defined]
    AttributionMiddleware(lambda one: resolve(one.path).func(one))(request)
    assert not {VISITOR, HANDOVER} & set(request.__dict__)


def test_the_request_is_found_without_the_context_processor(client: Client, settings: Any) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {}}]
    settings.TIKTOK_ATTRIBUTION = {"PIXEL_FOR_REQUEST": lambda request: "C0SHOP" + request.GET["shop"]}
    assert loaded(client.get("/page/?shop=7")) == ["C0SHOP7"]


def test_a_variable_that_is_called_request_is_not_taken_for_it() -> None:
    page = html(RequestFactory().get("/"), request="please call back")
    assert loaded(page) == [PIXEL]


def test_without_a_request_there_is_the_base_code() -> None:
    assert loaded(pixel_text(None)) == [PIXEL]


@pytest.mark.parametrize("options", [{"ENABLED": False}, {"PIXEL_CODE": ""}], ids=str)
def test_without_a_pixel_nothing_is_written(client: Client, configure: Any, options: dict[str, Any]) -> None:
    configure(**options)
    assert parsed(client.get("/page/").content.decode()).scripts == []
    assert parsed(client.get("/event/").content.decode()).scripts == []


def test_several_pixels_are_loaded(client: Client, configure: Any) -> None:
    configure(PIXEL_CODE=["C0A", "C0B"])
    assert loaded(client.get("/page/")) == ["C0A", "C0B"]


def test_a_callable_that_fails_leaves_the_configured_pixel(client: Client, configure: Any) -> None:
    configure(PIXEL_FOR_REQUEST=lambda request: request.no_such_attribute)
    assert loaded(client.get("/page/")) == [PIXEL]


def test_strict_raises_what_a_callable_raises(client: Client, configure: Any) -> None:
    configure(PIXEL_FOR_REQUEST=lambda request: request.no_such_attribute, STRICT=True)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        client.get("/page/")


def test_options_reach_the_base_code(client: Client, configure: Any) -> None:
    configure(HISTORY_OBSERVER=False, LIMITED_DATA_USE=True, PIXEL_HOST="https://analytics.us.tiktok.com/")
    text = client.get("/page/").content.decode()
    assert '{"historyObserver":false,"limited_data_use":true}, "https://analytics.us.tiktok.com")' in text


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/lead-page/", "/event/", "/event/?server=1"])
def test_standard_mode_writes_the_base_code_alone(client: Client, configure: Any, path: str) -> None:
    configure(MODE="standard")
    ordinary = client.get("/page/").content
    assert client.get(path).content == ordinary


@pytest.mark.django_db
def test_standard_mode_writes_nothing_for_an_object(client: Client, configure: Any) -> None:
    configure(MODE="standard", CONVERSIONS=order_conversion(), STANDARD_MODE_SERVER_EVENTS=["Purchase"])
    paid = Order.objects.create(status="paid", total=5)
    assert calls(client.get(f"/order/{paid.pk}/")) == []


@pytest.mark.django_db
def test_standard_mode_still_records_the_server_events_that_it_names(client: Client, configure: Any) -> None:
    configure(MODE="standard", STANDARD_MODE_SERVER_EVENTS=["Contact"])
    client.get("/event/?server=1")
    assert OutboxEvent.objects.get().name == "Contact"


def test_a_named_event_is_the_same_for_everybody_and_has_no_id(client: Client) -> None:
    response = client.get("/event/?description=chat&value=5&currency=EUR")
    properties = {"value": 5, "currency": "EUR", "description": "chat"}
    assert calls(response) == [Call("", "track", ["Contact", properties, {}])]
    assert not response.has_header("Cache-Control")
    assert not response.cookies


def test_an_id_that_the_template_gives_is_kept(client: Client) -> None:
    (call,) = calls(client.get("/event/?event_id=42"))
    assert call.event_id == "42"


def test_an_older_name_becomes_the_current_one(client: Client) -> None:
    assert tracked(client.get("/event/?name=SubmitForm")) == ["Lead"]


@pytest.mark.parametrize("query", ["name=lead", "name=two words", "value=-1", "event_id=ada@example.com"])
def test_what_is_invalid_leaves_the_page_working(client: Client, query: str, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get(f"/event/?{query}")
    assert (response.status_code, loaded(response), tracked(response)) == (200, [PIXEL], [])
    assert "{% tiktok_event %} was left out" in caplog.text
    assert "ada@" not in caplog.text


def test_strict_raises_for_what_is_invalid(client: Client, configure: Any) -> None:
    configure(STRICT=True)
    with pytest.raises(InvalidEvent, match='did you mean "Lead"'):
        client.get("/event/?name=lead")


def test_a_property_may_be_called_like_one_of_our_own_arguments(client: Client) -> None:
    (call,) = calls(client.get("/event/?request=call%20back"))
    assert call.arguments[1] == {"request": "call back"}


@given(st.dictionaries(st.sampled_from(["description", "search_string", "value", "order_id", "note"]), anything))
@example({"description": "</script><script>alert(1)</script><!--"})
def test_what_people_typed_stays_inside_its_script(values: dict[str, Any]) -> None:
    arguments = " ".join(f"{key}={key}_" for key in values)
    page = html(None, f"{{% tiktok_event 'Search' {arguments} %}}", **{f"{key}_": values[key] for key in values})
    assert tracked(page) in ([], ["Search"])
    assert [text for text in parsed(page).others if text.strip()] == ["title", "Page", "link", "body"]


def test_an_event_without_a_pixel_tag_brings_the_base_code(client: Client) -> None:
    page = html(RequestFactory().get("/"), '{% tiktok_event "Contact" %}{% tiktok_event "Lead" %}', head="")
    assert (loaded(page), tracked(page)) == ([PIXEL], ["Contact", "Lead"])


def test_an_event_behind_the_pixel_tag_does_not(client: Client) -> None:
    assert loaded(client.get("/event/")) == [PIXEL]


@pytest.mark.django_db
def test_both_channels_have_one_id(client: Client) -> None:
    (call,) = calls(client.get("/event/?server=1&description=chat"))
    row = OutboxEvent.objects.get()
    assert (call.event_id, row.state, row.wants_browser) == (row.event_id, State.WAITING, True)
    assert row.browser_at is not None


@pytest.mark.django_db
def test_the_page_of_a_server_event_is_private(client: Client) -> None:
    response = client.get("/event/?server=1")
    assert response["Cache-Control"] == "private, max-age=0"


@pytest.mark.django_db
def test_a_server_event_with_an_id_of_its_own_is_shown_once(client: Client) -> None:
    pages = [client.get("/event/?server=1&event_id=call-7") for _ in range(2)]
    assert [tracked(page) for page in pages] == [["Contact"], []]


@pytest.mark.django_db
def test_an_invalid_server_event_is_recorded_as_such(client: Client) -> None:
    assert tracked(client.get("/event/?server=1&name=contact")) == []
    assert 'did you mean "Contact"' in OutboxEvent.objects.get(state=State.INVALID).note


@pytest.mark.django_db
def test_without_the_middleware_only_the_server_event_happens(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "tiktok" not in path]
    assert tracked(client.get("/event/?server=1")) == []
    assert OutboxEvent.objects.get().browser_at is None


@pytest.mark.django_db
def test_an_objects_event_is_shown_once(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion())
    paid = Order.objects.create(status="paid", total="19.90", currency="EUR")
    pages = [client.get(f"/order/{paid.pk}/") for _ in range(2)]
    assert [[call.event_id for call in calls(page)] for page in pages] == [[f"order-{paid.pk}"], []]
    assert OutboxEvent.objects.get().browser_at is not None


@pytest.mark.django_db
def test_an_object_that_has_nothing_to_show_leaves_the_page_public(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion())
    unpaid = Order.objects.create(total=5)
    response = client.get(f"/order/{unpaid.pk}/")
    assert tracked(response) == []
    assert not response.has_header("Cache-Control")


@pytest.mark.django_db
def test_the_visitors_own_order_is_shown_once_though_the_page_has_both_tags(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion())
    address = client.post("/order/")["Location"]
    Order.objects.update(status="new")
    order = Order.objects.get()
    order.status = "paid"
    order.save()
    assert tracked(client.get(address)) == ["Purchase"]


@pytest.mark.django_db
def test_an_objects_event_brings_the_base_code(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion())
    paid = Order.objects.create(status="paid", total=5)
    assert loaded(client.get(f"/order/{paid.pk}/?headless")) == [PIXEL]


@pytest.mark.django_db
def test_a_lazy_object_is_an_object(client: Client, configure: Any) -> None:
    configure(CONVERSIONS={"auth.User": {"event": "CompleteRegistration"}})
    client.force_login(User.objects.create(username="ada"))
    response = client.get("/user/")
    assert tracked(response) == ["CompleteRegistration"]


@pytest.mark.django_db
def test_an_event_of_another_pixel_loads_it_and_goes_to_it_alone(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion(pixel="customer_id"))
    paid = Order.objects.create(status="paid", total=5, customer_id="C0OTHER")
    response = client.get(f"/order/{paid.pk}/")
    assert loaded(response) == [PIXEL, "C0OTHER"]
    assert [call.pixel for call in calls(response)] == ["C0OTHER"]


@pytest.mark.django_db
@pytest.mark.privacy
def test_identify_has_hashes_and_stands_before_its_event(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion())
    paid = Order.objects.create(status="paid", total=5, email="Ada@Example.com")
    response = client.get(f"/order/{paid.pk}/")
    assert [call.method for call in calls(response)] == ["identify", "track"]
    assert calls(response)[0].arguments == [{"sha256_email": email_sha256("ada@example.com")}]
    assert b"xample.com" not in response.content


@pytest.mark.django_db
def test_identify_can_be_switched_off(client: Client, configure: Any) -> None:
    configure(CONVERSIONS=order_conversion(), USER_MATCHING=False)
    paid = Order.objects.create(status="paid", total=5, email="ada@example.com")
    assert [call.method for call in calls(client.get(f"/order/{paid.pk}/"))] == ["track"]


@pytest.mark.django_db
def test_identify_is_said_once_for_events_of_one_person(client: Client) -> None:
    client.force_login(User.objects.create(username="ada", email="ada@example.com"))
    for number in range(2):
        client.post(f"/lead/?event_id=lead-{number}")
    assert [call.method for call in calls(client.get("/page/"))] == ["identify", "track", "track"]


@pytest.mark.django_db
def test_an_outbox_that_fails_leaves_the_base_code_and_waits(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/lead/")
    with monkeypatch.context() as broken:
        broken.setattr("tiktok_attribution.browser.stored_calls._rows", _fail)
        response = client.get("/page/")
    assert (response.status_code, loaded(response), tracked(response)) == (200, [PIXEL], [])
    assert "this page has no pixel calls" in caplog.text
    assert caplog.records[-1].levelno == logging.ERROR
    assert tracked(client.get("/page/")) == ["Lead"]


def _fail(*args: Any) -> Any:
    raise RuntimeError("no database")
