from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist

from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.page import read, resolve


class Customer:
    email = "jane@example.com"
    data = {"tags": {"first": "vip"}}

    def full_name(self) -> str:
        return "Jane"

    def delete(self) -> None:
        raise AssertionError("a path was followed that changes data")

    delete.alters_data = True  # type: ignore[attr-defined]

    @property
    def missing(self) -> Any:
        raise ObjectDoesNotExist

    @property
    def faulty(self) -> Any:
        return self.no_such_thing  # type: ignore[attr-defined]

    @property
    def keyless(self) -> Any:
        return {}["jane@example.com"]


ORDER = SimpleNamespace(customer=Customer(), guest=None, total=5)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("total", 5),
        ("customer.email", "jane@example.com"),
        ("customer__email", "jane@example.com"),
        ("customer.full_name", "Jane"),
        ("customer.full_name.upper", "JANE"),
        ("customer.data.tags.first", "vip"),
        ("guest.email", None),
        ("customer.missing", None),
        ("customer.missing.email", None),
    ],
)
def test_a_path_is_followed(path: str, value: Any) -> None:
    assert resolve(ORDER, path) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("customer.mail", "Customer has no 'mail' (of the path 'customer.mail')."),
        ("customer.data.labels", "dict has no 'labels' (of the path 'customer.data.labels')."),
        ("customer.delete", "'delete' changes data, and a path only reads."),
    ],
)
def test_a_step_that_is_not_there_is_named(path: str, message: str) -> None:
    with pytest.raises(InvalidEvent) as raised:
        resolve(ORDER, path)
    assert str(raised.value) == message


@pytest.mark.parametrize(("path", "error"), [("customer.faulty", AttributeError), ("customer.keyless", KeyError)])
def test_an_error_inside_a_property_is_not_taken_for_a_missing_one(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        resolve(ORDER, path)


@pytest.mark.parametrize(
    ("path", "value"),
    [("total", 5), (lambda order: order.total + 1, 6), ({"constant": [1]}, [1]), ({"constant": None}, None)],
)
def test_a_declaration_names_a_path_a_callable_or_a_constant(path: Any, value: Any) -> None:
    assert read(ORDER, path) == value


@pytest.mark.parametrize("path", [{"const": 1}, {}, 7, ["total"]])
def test_anything_else_is_an_error(path: Any) -> None:
    with pytest.raises(InvalidEvent):
        read(ORDER, path)
