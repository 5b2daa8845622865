"""A pixel code from anywhere but the settings: one rule, and nothing of an unusable one leaves or reaches a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.template import Context, Template
from django.test import RequestFactory

from tests.conversions.samples import PIXEL, PLAIN, SECOND_PIXEL, paid, row, rows
from tests.shop.models import Order
from tiktok_attribution import Conversion, track
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import of
from tiktok_attribution.models import OutboxEvent, State, VisitorSnapshot

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db, pytest.mark.hostile, pytest.mark.usefixtures("configure")]

TOKEN = "0123456789abcdef0123456789abcdef01234567"
UNUSABLE = {
    "too long": "C0" + "A" * 98,
    "token": TOKEN,
    "token in capitals": TOKEN.upper(),
    "mark-up": "C0</script>",
    "blank": "C0 A",
    "not ascii": "C0\u00e9",
    "nul": "C0\0A",
    "surrogate": "C0\ud800",
    "bytes": b"C0A",
    "dict": {"C0A": 1},
    "truth": True,
    "several": [PIXEL, TOKEN],
}
TEXTS = {key: code for key, code in UNUSABLE.items() if isinstance(code, str)}
codes = pytest.mark.parametrize("code", UNUSABLE.values(), ids=UNUSABLE)
texts = pytest.mark.parametrize("code", TEXTS.values(), ids=TEXTS)


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get("/", REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT="Agent/1")


def page(request: HttpRequest, body: str = "", **context: Any) -> str:
    text = "{% load tiktok_attribution %}{% tiktok_pixel %}" + body
    return Template(text).render(Context({"request": request, **context}))


def assert_only_a_note(code: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One invalid row, at the pixel of the settings, that repeats nothing of the code."""
    found = row()
    assert (found.state, found.pixel_code, found.payload, found.due_at) == (State.INVALID, PIXEL, "", None)
    assert "pixel code" in found.note
    for text in (found.note, caplog.text):
        assert all(str(one) not in text for one in (code if isinstance(code, list) else [code]) if one != PIXEL)


@codes
def test_track_keeps_the_event_as_invalid(request_: HttpRequest, code: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert track(request_, "Lead", pixels=code) == []
    assert_only_a_note(code, caplog)
    assert str(code) not in page(request_)


def test_track_raises_nothing_for_what_is_no_list() -> None:
    assert track(None, "Lead", pixels=object()) == []  # type: ignore[arg-type]
    assert row().state == State.INVALID


@codes
def test_the_settings_form_keeps_the_event_as_invalid(
    configure: Configure, code: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configure({**PLAIN, "pixel": lambda order: code})
    paid()
    assert_only_a_note(code, caplog)


@codes
def test_the_class_form_keeps_the_event_as_invalid(register: Any, code: Any, caplog: pytest.LogCaptureFixture) -> None:
    @register(Order)
    class Sale(Conversion):
        event = "Purchase"

        def pixels(self, obj: Order) -> Any:
            return code

    paid()
    assert_only_a_note(code, caplog)


@codes
def test_where_the_requests_pixel_is_invalid_that_of_the_settings_is_used(
    configure: Configure, request_: HttpRequest, code: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configure(PIXEL_FOR_REQUEST=lambda request: code)
    track(request_, "Lead")
    assert row().pixel_code == PIXEL
    assert PIXEL in page(request_)
    assert TOKEN not in page(request_).lower() + caplog.text.lower()
    assert "PIXEL_FOR_REQUEST failed" in caplog.text


@texts
def test_a_stored_snapshot_is_read_by_the_same_rule(
    configure: Configure, code: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configure(PLAIN)
    order = Order.objects.create(status="new", total=5)
    signals = {"user": {}, "page": {}, "pixel_codes": [code], "decision": None}
    VisitorSnapshot.objects.create(object_label="shop.Order", object_pk=str(order.pk), signals=json.dumps(signals))
    order.status = "paid"
    order.save()
    assert_only_a_note(code, caplog)


@texts
def test_an_action_with_an_invalid_pixel_is_left_out(configure: Configure, request_: HttpRequest, code: Any) -> None:
    configure(PAGE_SCRIPT=True)
    text = page(request_, '<a {% tiktok_action "Contact" pixels=code %}>', code=code.replace(" ", "-"))
    assert "<a >" in text
    assert code.replace(" ", "-") not in text


def test_an_event_that_is_refused_counts_under_no_invalid_code(configure: Configure, request_: HttpRequest) -> None:
    request_.META["HTTP_SEC_GPC"] = "1"
    assert track(request_, "Lead", pixels=TOKEN) == []
    assert rows() == []


def test_once_its_code_is_right_the_event_is_recorded_there(configure: Configure) -> None:
    configure({**PLAIN, "pixel": lambda order: TOKEN, "time": "created_at"})
    paid()
    configure({**PLAIN, "pixel": lambda order: SECOND_PIXEL, "time": "created_at"})
    (conversion,) = of(Order)
    backfill(conversion, using="default")
    assert OutboxEvent.objects.get(state=State.WAITING).pixel_code == SECOND_PIXEL


def test_usable_codes_are_trimmed_and_taken_once() -> None:
    track(None, "Lead", pixels=[f" {PIXEL} ", PIXEL, "", 42])  # type: ignore[list-item]
    assert sorted(one.pixel_code for one in rows()) == ["42", PIXEL]


def test_empty_codes_mean_those_of_the_settings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    track(None, "Lead", pixels=["", None][:1])  # type: ignore[list-item]
    assert row().pixel_code == PIXEL
    assert caplog.text == ""


def test_an_object_of_who_refuses_leaves_no_row_whatever_its_pixel(configure: Configure) -> None:
    configure({**PLAIN, "pixel": lambda order: TOKEN, "consent": lambda order: False})
    paid()
    assert rows() == []
