"""The list of events: what it shows, and what it must not cost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.admin.samples import with_settings
from tiktok_attribution.admin.filters import NameFilter
from tiktok_attribution.models import ERASED, Attempt, Outcome, PixelStatus, State, moment

Make = Callable[..., Any]


def pks(response: Any) -> list[int]:
    return [event.pk for event in response.context["cl"].result_list]


def statements(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def cells(response: Any) -> dict[str, str]:
    """The first row as text, by column."""
    row = re.search(r"<tbody>.*?<tr>(.*?)</tr>", response.content.decode(), re.DOTALL)
    assert row is not None
    found = re.findall(r'<t[dh] class="field-(\w+).*?">(.*?)</t[dh]>', row.group(1), re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]+>", " ", text).split()) for name, text in found}


def test_a_row_tells_what_became_of_the_event(boss: Client, event: Make, attempt: Make, list_address: str) -> None:
    delivered = event(
        event_id="order-42",
        state=State.DELIVERED,
        object_label="shop.Order",
        object_pk="42",
        wants_browser=True,
        browser_at=timezone.now(),
    )
    attempt(delivered, outcome=Outcome.DELIVERED, http_status=200, code=0, message="OK")

    shown = cells(boss.get(list_address))

    assert shown.pop("happened")
    assert shown.pop("recorded") == "at once"
    assert shown.pop("browser").startswith("shown")
    assert shown == {
        "state_badge": "delivered",
        "event": "Purchase order-42",
        "money": "49.90 EUR",
        "subject": "order 42",
        "last_answer": "0 OK",
        "attempts": "1",
    }


def test_an_event_that_could_not_be_built_shows_the_reason(boss: Client, event: Make, list_address: str) -> None:
    event(state=State.INVALID, note="No pixel code is configured: set PIXEL_CODE.")

    assert cells(boss.get(list_address))["last_answer"] == "No pixel code is configured: set PIXEL_CODE."


NOTE = "value left out: it has no currency, and DEFAULT_CURRENCY is not set."


def test_a_delivered_event_with_a_note_is_shown_with_a_warning(
    boss: Client, event: Make, attempt: Make, list_address: str
) -> None:
    attempt(event(state=State.DELIVERED, note=NOTE))
    found = cells(boss.get(list_address))
    assert found["state_badge"] == "delivered, with a warning"
    assert found["last_answer"].startswith("value left out")


def test_the_filter_finds_what_was_delivered_with_a_warning(boss: Client, event: Make, list_address: str) -> None:
    warned = event(state=State.DELIVERED, note=NOTE)
    event(state=State.DELIVERED)
    event(state=State.DELIVERED, note=ERASED)
    event(state=State.WAITING, note=NOTE)
    assert pks(boss.get(list_address, {"state__exact": "warned"})) == [warned.pk]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"wants_browser": False}, "not wanted"),
        ({"state": State.INVALID}, "not built"),
        ({"wants_browser": True}, "waiting"),
        ({"wants_browser": True, "age": 7200}, "not shown"),
    ],
)
def test_the_pixel_call_is_told_apart(
    boss: Client, event: Make, list_address: str, values: dict[str, Any], text: str
) -> None:
    event(**values)

    assert cells(boss.get(list_address))["browser"] == text


def test_the_newest_event_stands_first(boss: Client, event: Make, list_address: str) -> None:
    older, newer = event(), event()

    assert pks(boss.get(list_address)) == [newer.pk, older.pk]


def test_more_rows_take_no_more_statements(boss: Client, event: Make, attempt: Make, list_address: str) -> None:
    def some(number: int) -> None:
        for _ in range(number):
            attempt(event(object_label="auth.User", object_pk="1"))

    some(2)
    few = statements(boss, list_address)
    some(30)

    assert len(statements(boss, list_address)) == len(few) <= 12


def test_the_list_reads_neither_bodies_nor_logs(boss: Client, event: Make, list_address: str) -> None:
    event()

    text = " ".join(statements(boss, list_address))

    assert "payload" not in text
    assert "attempt_log" not in text


def test_nothing_is_counted_or_made_distinct_over_the_table(boss: Client, event: Make, list_address: str) -> None:
    event()
    of_events = [sql for sql in statements(boss, list_address) if "tiktok_attribution_outboxevent" in sql]

    assert [sql for sql in of_events if "COUNT(" in sql and "LIMIT" not in sql] == []
    assert [sql for sql in of_events if "DISTINCT" in sql] == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("state__exact=rejected", {"state": State.REJECTED}),
        ("name=Lead", {"name": "Lead"}),
        ("pixel=C0OTHER", {"pixel_code": "C0OTHER"}),
    ],
)
def test_a_filter_leaves_what_fits(
    boss: Client, event: Make, list_address: str, query: str, wanted: dict[str, str]
) -> None:
    PixelStatus.objects.create(pixel_code="C0OTHER")
    event()
    fitting = event(**wanted)

    assert pks(boss.get(f"{list_address}?{query}")) == [fitting.pk]


def test_declared_and_stored_names_can_be_chosen(boss: Client, event: Make, list_address: str, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(CONVERSIONS={"shop.Member": {"event": "CompleteRegistration"}})
    event(name="TeaTasting")
    event(name="TeaTasting")
    event(name="Purchase")

    filters = boss.get(list_address).context["cl"].filter_specs
    (names,) = (spec for spec in filters if isinstance(spec, NameFilter))

    assert [name for name, _ in names.lookup_choices] == ["CompleteRegistration", "Purchase", "TeaTasting"]


def test_a_pixel_that_only_ever_stopped_can_be_chosen(boss: Client, list_address: str, event: Make) -> None:
    event()
    PixelStatus.objects.create(pixel_code="C0OLD")

    assert b"?pixel=C0OLD" in boss.get(list_address).content


def test_a_link_from_an_attempt_leads_to_its_events(
    boss: Client, event: Make, attempt: Make, list_address: str
) -> None:
    event()
    made: Attempt = attempt(wanted := event())

    assert pks(boss.get(list_address, {"attempt": made.pk})) == [wanted.pk]


def test_an_attempt_that_was_pruned_has_no_events(boss: Client, event: Make, list_address: str) -> None:
    event()

    assert pks(boss.get(list_address, {"attempt": "gone"})) == []


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "No conversion is declared"),
        ({"CONVERSIONS": {"shop.Order": {"event": "Purchase"}}}, "<strong>Purchase</strong> – order"),
        ({"ENABLED": False}, "ENABLED is off"),
        ({"PIXEL_CODE": ""}, "PIXEL_CODE is not set"),
    ],
)
def test_an_empty_list_says_what_to_do(
    boss: Client, list_address: str, settings: Any, changed: dict[str, Any], text: str
) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(**changed)

    assert text in boss.get(list_address).content.decode()


def test_the_object_is_a_link_for_who_may_see_it(
    client_of: Callable[[str], Client], event: Make, list_address: str
) -> None:
    viewer = client_of("viewer")
    user = User.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    event(object_label="auth.User", object_pk=str(user.pk))

    assert (
        f'<a href="/admin/auth/user/{user.pk}/change/">user {user.pk}</a>' in viewer.get(list_address).content.decode()
    )


def test_the_object_is_plain_text_for_who_may_not(
    client_of: Callable[[str], Client], event: Make, list_address: str
) -> None:
    event(object_label="auth.User", object_pk="7")
    page = client_of("viewer").get(list_address).content.decode()

    assert "user 7" in page
    assert "/auth/user/7/" not in page


@pytest.mark.parametrize("label", ["shop.Order", "gone.Model", "nonsense"])
def test_an_object_without_an_admin_page_is_plain_text(
    boss: Client, event: Make, list_address: str, label: str
) -> None:
    event(object_label=label, object_pk="7")

    assert boss.get(list_address).status_code == 200


def test_the_list_works_with_naive_times(boss: Client, event: Make, list_address: str, settings: Any) -> None:
    settings.USE_TZ = False
    event(wants_browser=True, created_at=moment(time.time()))

    assert len(pks(boss.get(list_address, {"recorded": "today"}))) == 1


@pytest.mark.parametrize("column", range(1, 10))
def test_an_address_cannot_ask_for_another_order(boss: Client, event: Make, list_address: str, column: int) -> None:
    older, newer = event(attempts=1), event(attempts=2)

    assert pks(boss.get(list_address, {"o": str(column)})) == [newer.pk, older.pk]


def test_columns_cannot_be_sorted(boss: Client, event: Make, list_address: str) -> None:
    event()
    event()

    assert b"sortable" not in boss.get(list_address).content
