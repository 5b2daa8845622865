"""The measures of the package's shape can be taken; what they come to is no test's matter."""

from __future__ import annotations

import ast

import pytest

from tests import house


def test_the_files_are_measured() -> None:
    assert [row.value for row in house.shape() if row.value in ("", "0")] == []


@pytest.mark.django_db(transaction=True)
def test_a_purchase_is_followed_to_the_post() -> None:
    ran = house.runs()
    assert "delivery.outbox:insert" in ran.purchase
    assert ran.spine[-1] in ("delivery.client:Client.post", "delivery.client:post")  # before Python 3.11
    assert len(house.table(ran.rows()).splitlines()) == 2


def test_public_names_are_functions_classes_and_constants() -> None:
    tree = ast.parse("A, _B = 1, 2\nC: int = 3\nd.e = 4\ndef f(): g = 5\nclass H: i = 6\ndef _j(): pass\n")
    assert house.public_names(tree) == ["A", "C", "f", "H"]


def test_docstrings_and_pragmas_are_no_comments() -> None:
    source = '"""Text.\n\nMore.\n"""\n# One.\nx = [\n    1,\n]  # two\ny = 2  # noqa: E501\n'
    assert house.comment_lines(source) == (2, 4)
