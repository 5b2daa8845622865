"""The events of a filter as CSV: what is in it, what must not be, and who gets it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.samples import EMAIL
from tiktok_attribution.admin import event_list
from tiktok_attribution.delivery import event_search
from tiktok_attribution.models import Outcome, State

Make = Callable[..., Any]
Sign = Callable[..., Client]


@pytest.fixture
def address() -> str:
    return reverse("admin:tiktok_attribution_event_export")


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode("utf-8-sig")


def rows_of(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(response))))


def test_a_line_tells_what_became_of_the_event(boss: Client, event: Make, attempt: Make, address: str) -> None:
    now = timezone.now()
    row = event(
        event_id="order-42",
        state=State.DELIVERED,
        object_label="shop.Order",
        object_pk="42",
        browser_at=now,
        delivered_at=now,
        match_keys=5,
    )
    attempt(row, outcome=Outcome.DELIVERED, code=0, message="OK")

    (line,) = rows_of(boss.get(address))

    stamp = timezone.localtime(now).isoformat(timespec="seconds")
    assert line.pop("recorded")
    assert line.pop("happened")
    assert line == {
        "state": "delivered",
        "event": "Purchase",
        "event_id": "order-42",
        "pixel": row.pixel_code,
        "value": "49.900000",
        "currency": "EUR",
        "object": "shop.Order:42",
        "attempts": "1",
        "delivered": stamp,
        "browser_shown": stamp,
        "browser_confirmed": "",
        "match_keys": "ttclid email",
        "note": "",
        "last_code": "0",
        "last_message": "OK",
    }


@pytest.mark.parametrize("query", [{"state__exact": "rejected"}, {"name": "Lead"}, {"recorded": "today"}, {"q": "x-1"}])
def test_the_filter_of_the_list_holds(boss: Client, event: Make, address: str, query: dict[str, str]) -> None:
    event(age=3 * 86_400)
    wanted = event(state=State.REJECTED, name="Lead", event_id="x-1", age=0)

    assert [line["event_id"] for line in rows_of(boss.get(address, query))] == [wanted.event_id]


def test_every_event_is_in_it_once_across_pages(
    boss: Client, event: Make, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_list, "PAGE_ROWS", 3)
    monkeypatch.setattr(event_search, "WIDTHS", (2, 2))
    monkeypatch.setattr(event_search, "FEW", 1)
    made = [event(state=State.CANCELLED).event_id for _ in range(4)]
    for _ in range(15):
        event()
    made += [event(state=State.CANCELLED).event_id for _ in range(4)]

    for query in ({"state__exact": "cancelled"}, {}):
        found = [line["event_id"] for line in rows_of(boss.get(address, query))]
        assert [one for one in found if one in made] == made[::-1]
        assert len(found) == len(set(found)) == (8 if query else 23)


def test_it_is_cut_at_the_bound_and_says_so(
    boss: Client, event: Make, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_list, "MOST_EXPORTED", 2)
    for _ in range(3):
        event()

    *lines, last = text_of(boss.get(address)).splitlines()

    assert len(lines) == 1 + 2
    assert last == "The newest 2 events; choose days to export others."


def test_a_page_takes_few_statements(
    boss: Client, event: Make, address: str, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        event()
    response = boss.get(address)

    with django_assert_max_num_queries(4):
        text_of(response)


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", '=HYPERLINK("http://x")', "\uff1d1", "\xa0=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(boss: Client, event: Make, attempt: Make, address: str, text: str) -> None:
    attempt(event(event_id=text, note=text, name=text[:50], object_label=text, object_pk=text), message=text)

    (line,) = rows_of(boss.get(address))

    for column in ("event_id", "note", "event", "object", "last_message"):
        assert line[column].startswith("'")


@pytest.mark.hostile
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_no_cell_is_a_formula_where_another_separator_splits_it(
    boss: Client, event: Make, address: str, separator: str
) -> None:
    event(event_id=f"x{separator}=1+1", note=f'x{separator}"=1+1', object_label=f"x\n{separator}@A", object_pk="1")

    rows = csv.reader(io.StringIO(text_of(boss.get(address)), newline=""), delimiter=separator)
    assert not [one for row in rows for one in row if one.lstrip('"').startswith(("=", "+", "-", "@"))]


@pytest.mark.privacy
def test_nothing_of_the_person_is_in_it(boss: Client, event: Make, address: str) -> None:
    event(email_key=1234567890123)

    text = text_of(boss.get(address))

    assert EMAIL not in text
    assert "1234567890123" not in text
    assert "payload" not in text


@pytest.mark.parametrize(
    ("person", "answer"),
    [
        ("anonymous", 302),
        *((person, 403) for person in ("staff", "viewer", "retrier", "canceller", "resumer")),
        ("exporter", 200),
        ("superuser", 200),
    ],
)
def test_only_who_may_export_gets_it(client_of: Sign, event: Make, address: str, person: str, answer: int) -> None:
    event()

    assert client_of(person).get(address).status_code == answer


@pytest.mark.parametrize(("person", "offered"), [("viewer", False), ("exporter", True)])
def test_it_is_offered_to_who_may(client_of: Sign, list_address: str, person: str, offered: bool) -> None:
    assert ("Export as CSV" in client_of(person).get(list_address).content.decode()) is offered


def test_who_may_export_but_not_look_gets_nothing(client_of: Sign, address: str, event: Make) -> None:
    client = client_of("staff")
    User.objects.get().user_permissions.add(Permission.objects.get(codename="export_outboxevent"))

    assert client.get(address).status_code == 403


def test_a_post_and_a_made_up_filter_are_refused(boss: Client, address: str) -> None:
    assert boss.post(address).status_code == 405
    assert boss.get(address, {"state__exact": "nonsense"}).status_code == 400


def test_the_link_keeps_the_filter(boss: Client, event: Make, list_address: str, address: str) -> None:
    event()

    assert (
        f'<a href="{address}?state__exact=waiting">'
        in boss.get(list_address, {"state__exact": "waiting", "before": "99"}).content.decode()
    )
