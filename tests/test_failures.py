from __future__ import annotations

import importlib
import logging
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError, connection, transaction

from tests.shop.models import Order
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import describe, lacks_tables, reason, report


def caught(cause: Any) -> Exception:
    try:
        cause()
    except Exception as error:  # noqa: BLE001 -- any, it is what is tested
        return error
    raise AssertionError("nothing was raised")


def revealing() -> None:
    raise ValueError("jane@example.com")


def test_our_own_words_are_kept() -> None:
    assert reason(InvalidEvent("value: it is negative")) == "value: it is negative"


@pytest.mark.privacy
def test_not_even_ours_may_hold_an_address() -> None:
    assert reason(InvalidEvent("no order of jane@example.com")) == "no order of -"


@pytest.mark.privacy
def test_a_strangers_error_tells_its_type_and_place_only() -> None:
    line = revealing.__code__.co_firstlineno + 1
    assert reason(caught(revealing)) == f"ValueError was raised at tests/test_failures.py, line {line}, in revealing."


@pytest.mark.django_db
def test_the_place_is_in_the_sites_code_and_not_in_djangos() -> None:
    error = caught(lambda: Order.objects.get(pk="not a number"))
    assert "at tests/test_failures.py, line" in reason(error)


def test_an_error_that_was_never_raised_tells_its_type() -> None:
    assert reason(DatabaseError("x")) == "DatabaseError was raised."


def test_a_report_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    report(InvalidEvent("why"), "%s failed", "this")
    assert [(one.levelno, one.getMessage(), one.exc_info) for one in caplog.records] == [
        (logging.ERROR, "tiktok: this failed: why", None)
    ]


def test_a_report_raises_where_strict_asks_for_it(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"STRICT": True}
    with pytest.raises(InvalidEvent, match="why"):
        report(InvalidEvent("why"), "this failed")


# Tables that `migrate` makes -----------------------------------------------------------------------------------------


def asked(sql: str) -> Exception:
    def ask() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)

    return caught(ask)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM tiktok_attribution_nothing",
        "SELECT tiktok_attribution_lane.no_column FROM tiktok_attribution_lane",
        "INSERT INTO tiktok_attribution_nothing (id) VALUES (1)",
    ],
)
def test_a_site_that_forgot_migrate_is_told_so(sql: str) -> None:
    error = asked(sql)
    assert reason(error) == "Tables of tiktok_attribution are missing or old: run manage.py migrate."
    assert describe(error) == f"{type(error).__name__}: {reason(error)}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    ["SELECT 1 FROM shop_nothing", "SELEKT id FROM tiktok_attribution_lane", "SELECT shop_order.x FROM shop_order"],
)
def test_another_error_of_a_database_is_not_taken_for_that(sql: str) -> None:
    error = asked(sql)
    assert "migrate" not in reason(error) + describe(error)


def test_a_lock_is_not_taken_for_that() -> None:
    assert "migrate" not in describe(OperationalError("database table is locked: tiktok_attribution_lane"))


def test_a_missing_module_is_named() -> None:
    assert describe(caught(lambda: importlib.import_module("no_such.module"))) == "ModuleNotFoundError: no_such"


@pytest.mark.parametrize(
    ("table", "is_ours"),
    [
        ("tiktok_attribution_shop.shop_order", False),  # the site's own table, in a database of such a name
        ("tiktok_attribution_shop.tiktok_attribution_lane", True),
        ("shop.tiktok_attribution_lane", True),
    ],
)
def test_the_name_of_a_database_is_no_table_of_ours(table: str, *, is_ours: bool) -> None:
    error = ProgrammingError(1146, f"Table '{table}' doesn't exist")
    assert lacks_tables(error) is is_ours
