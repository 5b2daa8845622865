from __future__ import annotations

from typing import Any

import pytest

from tests.conversions.models import Ticket
from tests.conversions.samples import PURCHASE
from tests.shop.models import Order, OrderLine
from tiktok_attribution.conversions.settings_form import MappedConversion
from tiktok_attribution.conversions.validation import fatal_problems, problems


def found(mapping: Any, model: Any = Order) -> list[str]:
    return [f"{message} {hint}".strip() for message, hint in problems(model._meta.label, model, mapping)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"when": {"status": ["paid", "sent"]}},
        {"when": {"created_at.year": 2026}},
        {"when": "tests.conversions.test_mapped.is_paid"},
        {"when": lambda order: True},
        {"value": lambda order: 5, "currency": "EUR", "time": "created_at", "order_id": "pk"},
        {"properties": {"shop_id": {"constant": "berlin"}, "code": "tickets.first.code"}},
        {"user": {"email": ["email", lambda order: ""], "country": {"constant": "DE"}}},
        {"contents": {"each": lambda order: [], "content_id": "anything"}},
        {"contents": {"content_id": "pk"}},
        {"made_by": "visitor", "maker_is_person": "customer_id"},
    ],
)
def test_a_right_declaration_has_no_problems(changes: dict[str, Any]) -> None:
    assert found({**PURCHASE, **changes}) == []


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("Purchase", "CONVERSIONS['shop.Order'] must be a dict or a list of dicts."),
        ({}, "['event']: an event name is text, not NoneType"),
        ({"event": "purchase"}, '[\'event\']: event name "purchase": case counts, did you mean "Purchase"?'),
        ({"event": "Lead", "channels": "all"}, "['channels'] is 'all', not one of both, server, browser."),
        ({"event": "Lead", "made_by": "visitors"}, "['made_by'] is 'visitors', not one of anyone, visitor."),
        (
            {"event": "Lead", "visitor_of": 7},
            '[\'visitor_of\'] must be a path of foreign keys. Write "visitor_of": "sub',
        ),
        (
            {"event": "Lead", "visitor_of": "lines"},
            "['visitor_of'] is 'lines', which leads to no other object. Name a f",
        ),
        (
            {"event": "Lead", "visitor_of": "ordr"},
            "['visitor_of'] is 'ordr', which leads to no other object. shop.Order has no",
        ),
        ({"event": "Lead", "label": 7}, '[\'label\'] must be text. Write "label": "order".'),
        ({"event": "Lead", "user": "email"}, '[\'user\'] must be a dict. Write {"email": "email"}.'),
        ({"event": "Lead", "contents": "lines"}, '[\'contents\'] must be a dict. Write {"each": "lines"'),
        ({"event": "Lead", "properties": ["a"]}, "['properties'] must be a dict."),
        ({"event": "Lead", "when": 7}, "['when'] must be a dict, a callable or the name of one. Write {\"status\""),
        ({"event": "Lead", "when": "no.such.thing"}, "['when'] names 'no.such.thing', which can't be imported"),
        ({"event": "Lead", "when": "django.VERSION"}, "['when'] names 'django.VERSION', which isn't callable."),
    ],
)
def test_what_leaves_nothing_to_work_with_is_named(mapping: Any, message: str) -> None:
    assert [one for one in found(mapping) if message in one]
    assert list(fatal_problems("shop.Order", Order, mapping))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixel": {"constant": "a" * 40}}, "['pixel']: a pixel code looks like an access token"),
        ({"pixel": {"constant": "C" * 65}}, "['pixel']: a pixel code has 65 characters, at most 64 are possible."),
        ({"pixel": {"constant": ["C0-A"]}}, "['pixel']: a pixel code holds other characters than letters and digits."),
        ({"valeu": "total"}, "CONVERSIONS['shop.Order'] has no key 'valeu'. Did you mean 'value'?"),
        (
            {"value": "totl"},
            "'value' names 'totl', which doesn't resolve. shop.Order has no 'totl'. Did you mean 'total'?",
        ),
        ({"value": ["total"]}, "'value' is list. Write a field path, a callable or {'constant': value}."),
        ({"value": {"const": 5}}, "'value' is a dict, but not {'constant': value}. Write a field path or"),
        ({"currency": "EURO"}, "'currency' names 'EURO', which doesn't resolve."),
        ({"when": {"statsu": "paid"}}, "['when'] names 'statsu', which doesn't resolve. shop.Order has no 'statsu'."),
        ({"when": "is_paid"}, "['when'] names 'is_paid', which doesn't resolve."),
        ({"user": {"emial": "email"}}, "['user'] has no key 'emial'. Did you mean 'email'?"),
        ({"user": {"email": ["email", "mail"]}}, "'email' names 'mail', which doesn't resolve."),
        ({"properties": {"shop_id": "shop"}}, "'shop_id' names 'shop', which doesn't resolve."),
        (
            {"contents": {"each": "line", "content_id": "sku"}},
            "['contents']['each'] names 'line', which doesn't resolve",
        ),
        ({"contents": {"each": "lines", "content_id": "skuu"}}, "shop.OrderLine has no 'skuu'. Did you mean 'sku'?"),
        ({"contents": {"each": "lines", "sku": "sku"}}, "['contents'] has no key 'sku'."),
    ],
)
def test_what_may_still_be_recorded_is_named(changes: dict[str, Any], message: str) -> None:
    assert [one for one in found({**PURCHASE, **changes}) if message in one]
    assert list(fatal_problems("shop.Order", Order, {**PURCHASE, **changes})) == []


@pytest.mark.parametrize(
    ("written", "meant"), [("eur", "EUR"), ("Usd", "USD"), ("euro", "EUR"), ("€", "EUR"), ("ERU", "EUR")]
)
def test_a_currency_that_is_no_field_names_the_code(written: str, meant: str) -> None:
    (one,) = found({**PURCHASE, "currency": written})
    assert one.endswith(f"Did you mean '{meant}'? A code is written in capitals; any other text is a field path.")


@pytest.mark.parametrize(
    "changes", [{"valeu": 1}, {"value": "totl"}, {"when": {"statsu": 1}}, {"contents": {"each": 7}}]
)
def test_what_is_not_invalid_compiles(changes: dict[str, Any]) -> None:
    assert MappedConversion(Order, {**PURCHASE, **changes}).event == "Purchase"


def test_a_path_is_followed_through_relations() -> None:
    mapping = {"event": "Lead", "user": {"email": "order.email", "phone": "order.mail"}}
    (mistake,) = found(mapping, OrderLine)
    assert "'phone' names 'order.mail', which doesn't resolve. shop.Order has no 'mail'." in mistake


def test_a_property_is_a_path() -> None:
    assert found({"event": "Lead", "when": {"is_used": True}}, Ticket) == []


@pytest.mark.parametrize("wanted", [True, False, None, [True, None]])
def test_a_value_that_the_column_may_hold_is_no_problem(wanted: object) -> None:
    assert found({"event": "Lead", "when": {"used": wanted}}, Ticket) == []


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"used_on": True}, "['when']['used_on']: True is never the value of a DateField."),
        ({"used": "yes"}, "['when']['used']: 'yes' is never the value of a BooleanField."),
        ({"code": ["a", 7]}, "['when']['code']: 7 is never the value of a CharField."),
        ({"order": "first"}, "['when']['order']: 'first' is never the value of a ForeignKey."),
    ],
)
def test_a_value_that_never_comes_is_named(when: dict[str, Any], message: str) -> None:
    (mistake,) = found({"event": "Lead", "when": when}, Ticket)
    assert message in mistake


def test_nothing_chosen_is_a_value_where_the_field_may_be_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Order._meta.get_field("status")
    monkeypatch.setattr(field, "choices", [("new", "New"), ("paid", "Paid")])
    (mistake,) = found({**PURCHASE, "when": {"status": ""}})
    assert "'' is none of the field's choices." in mistake
    monkeypatch.setattr(field, "blank", True)
    assert found({**PURCHASE, "when": {"status": ""}}) == []


def test_a_misspelt_choice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order._meta.get_field("status"), "choices", [("new", "New"), ("paid", "Paid")])

    assert found({**PURCHASE, "when": {"status": ["paid", "new"]}}) == []
    (mistake,) = found({**PURCHASE, "when": {"status": "payed"}})
    assert mistake == (
        "CONVERSIONS['shop.Order']['when']['status']: 'payed' is none of the field's choices. Did you mean 'paid'?"
    )


def test_a_model_that_is_swapped_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(Order._meta), "swapped", property(lambda meta: "accounts.User"))
    assert found({"event": "Lead"})[0] == (
        "CONVERSIONS['shop.Order']: shop.Order is replaced by accounts.User. Declare 'accounts.User' instead."
    )
