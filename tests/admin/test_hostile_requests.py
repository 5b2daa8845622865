"""Every address of the app's admin, asked with what no page or link of it makes: never an error of the server.

The answer is a page, a redirect, 400 or 404; besides 403 and 405 for who or what may not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote as percent

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.utils import timezone

from tests.admin import conversion_samples
from tests.admin.samples import PIXEL
from tests.admin.test_permissions import APP, HOME, OWN, TABLE, client_as
from tests.attribution.spend_samples import imported
from tests.attribution.spend_samples import row as spend_row
from tiktok_attribution.admin.attribution_query import PARAMETERS as OF_ATTRIBUTION
from tiktok_attribution.admin.base import DJANGOS
from tiktok_attribution.admin.conversion_query import PARAMETERS as OF_CONVERSIONS
from tiktok_attribution.admin.list_query import KNOWN
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import BulkJob, BulkVerb, OutboxEvent, PixelStatus, State, VoucherCode

pytestmark = [pytest.mark.hostile, pytest.mark.django_db]
__all__ = ["client_as"]  # a fixture

VALUES: dict[str, str] = {
    "NUL": "%00",
    "NUL within": "a%00b",
    "half a pair": "%ED%A0%80",
    "beyond a float": "1e400",
    "beyond 64 bits": "1" + "0" * 30,
    "below 64 bits": "-1" + "0" * 30,
    "64 bits and one": str(2**63),
    "too long for int": "9" * 5000,
    "negative": "-1",
    "nothing": "",
    "very long": "x" * 100_000,
    "no such day": "2025-13-45",
    "first day": "0001-01-01",
    "line breaks": "a%0D%0Ab",
    "quoted line break": "a_0Ab",
    "an emoji": "%F0%9F%98%80",
}
PARAMETERS = sorted(
    {
        *(*KNOWN, *DJANGOS, *OF_ATTRIBUTION, *OF_CONVERSIONS),
        *("outcome__exact", "outcome__isnull", "period", "_changelist_filters", "name__regex", "next", "address"),
    }
)
FIELDS = (
    *("action", "_selected_action", "select_across", "index", "confirmed", "everything", "typed", "pixel"),
    *("advertiser", "packed", "file_name", "currency", "dates", "decimal", "seen", "column-day", "column-spend"),
    *("test_event_code", "_save", "_saveasnew", "_to_field", "_popup", "post", "code", "creator", "campaign_id"),
)
READERS: dict[str, set[str]] = {
    "outboxevent/": {*KNOWN, *DJANGOS, "name__regex"},
    "outboxevent/export/": {*KNOWN, *DJANGOS},
    "attempt/": {*DJANGOS, "outcome__exact", "pixel", "message__regex"},
    "pixelstatus/": {*DJANGOS, "pixel_code__regex"},
    "bulkjob/": {*DJANGOS, "note__regex"},
    "spendimport/": {*DJANGOS, "advertiser__regex"},
    "spendimport/import/": {"advertiser", "packed"},
    "vouchercode/": {*DJANGOS, "creator__regex"},
    "overview/": {"period", "pixel"},
    "overview/export/": {"period", "pixel", "p"},
    "recordedconversion/": {*OF_CONVERSIONS, "name__regex"},
    "recordedconversion/<int:pk>/change/": {"window"},
    "attributionreport/": {*OF_ATTRIBUTION, "name__regex"},
    "attributionreport/export/": set(OF_ATTRIBUTION),
    "attributionreport/link/": {"address"},
}
"""Addresses that go by several parameters, one of which may be refused before another is read."""
NEVER = {200, 302, 400, 403, 404, 405}


@pytest.fixture
def keys(event: Any, attempt: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """One row of each model, by the model's name."""
    answer = Answer(http_status=200, code=0, message="OK")
    monkeypatch.setattr("tiktok_attribution.admin.diagnosis.send_test_event", lambda *arguments: answer)
    monkeypatch.setattr("tiktok_attribution.admin.diagnosis.everything", list)  # looks at broker and front page
    row: OutboxEvent = event(due_at=time.time() + 900)
    event(state=State.REJECTED)
    made = attempt(row)
    PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105)
    job = BulkJob.objects.create(verb=BulkVerb.CANCEL, chosen='{"name": "Lead"}', last_key=row.pk)
    keys = {"outboxevent": str(row.pk), "attempt": quote(made.pk), "bulkjob": str(job.pk), "pixelstatus": PIXEL}
    told = conversion_samples.conversion()
    conversion_samples.touch(told)
    voucher = VoucherCode.objects.create(code="ANNA10")
    more = {"recordedconversion": str(told.pk), "vouchercode": str(voucher.pk)}
    return {**keys, **more, "spendimport": str(imported(spend_row(1)).pk)}


@pytest.fixture(autouse=True)
def unlogged() -> Iterator[None]:
    """Django logs each refusal with a traceback, which takes longer than the refusal."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def address(route: str, key: str) -> str:
    return HOME + route.replace("<path:object_id>", key).replace("<int:pk>", key)


def own(route: str, keys: dict[str, str]) -> str:
    return address(route, keys.get(route.partition("/")[0], ""))


def quiet(client: Client) -> Client:
    client.raise_request_exception = False
    return client


def broken(answers: Iterator[tuple[str, int]]) -> list[str]:
    return [f"{status} {what[:150]}" for what, status in answers if status not in NEVER]


def of_keys(client: Client, value: str, routes: Any = TABLE) -> Iterator[tuple[str, int]]:
    for route in routes:
        if "<" in route and value:
            path = address(route, value)
            yield f"GET {path}", client.get(path).status_code
            yield f"POST {path}", client.post(path, {"confirmed": "1"}).status_code


def of_everything_at_once(client: Client, value: str, keys: dict[str, str]) -> Iterator[tuple[str, int]]:
    short = value[:1000]  # dozens of the longest would measure how fast Django splits a query
    query, body = ("&".join(f"{name}={short}" for name in names) for names in (PARAMETERS, FIELDS))
    form = "application/x-www-form-urlencoded"
    for route in TABLE:
        path = own(route, keys)
        yield f"GET {path} of all", client.get(f"{path}?{query}").status_code
        yield f"POST {path}? of all", client.post(f"{path}?{query}", body, content_type=form).status_code


def one_by_one(client: Client, value: str, keys: dict[str, str]) -> Iterator[tuple[str, int]]:
    for route, names in READERS.items():
        for name in sorted(names):
            path = f"{own(route, keys)}?{name}"
            yield f"GET {path}", read(client.get(f"{path}={value}"))
    for name in sorted(KNOWN):
        path = f"{own('outboxevent/', keys)}?{name}=1&{name}={value[:1000]}"
        yield f"GET {path}", read(client.get(path))
    for model in ("outboxevent", "attempt", "pixelstatus"):
        key = keys[model]
        for name in ("_changelist_filters", "_to_field", "_popup", "p", "o"):
            for page in ("change", "history"):
                path = f"{HOME}{model}/{key}/{page}/?{name}={value}"
                yield f"GET {path}", client.get(path).status_code


def read(response: Any) -> int:
    """A file is made while it is sent."""
    if response.streaming:
        list(response.streaming_content)
    return int(response.status_code)


def of_actions(client: Client, value: str, keys: dict[str, str]) -> Iterator[tuple[str, int]]:
    whole = {"action": "cancel_selected", "select_across": "0", "index": "0", "_selected_action": keys["outboxevent"]}
    for model, action in (("outboxevent", "retry_selected"), ("pixelstatus", "resume_selected"), ("attempt", "x")):
        for name in whole:
            fields = {**whole, "action": action, "_selected_action": keys[model], name: value}
            body = "&".join(f"{field}={said if field == name else percent(said)}" for field, said in fields.items())
            status = client.post(f"{HOME}{model}/", body, content_type="application/x-www-form-urlencoded").status_code
            yield f"POST {model}/ {name}", status


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_no_value_is_an_error_of_the_server(client_as: Any, keys: dict[str, str], value: str) -> None:
    boss = quiet(client_as("superuser"))
    ways: tuple[Callable[..., Iterator[tuple[str, int]]], ...] = (of_everything_at_once, one_by_one, of_actions)

    assert broken(of_keys(boss, value)) == []
    for way in ways:
        assert broken(way(boss, value, keys)) == []


FEW = ("%00", "1" + "0" * 30, "%ED%A0%80")


@pytest.mark.parametrize("person", ["anonymous", "staff", "viewer", *(f"viewer and {one}" for one in OWN)])
def test_nor_for_anybody_else(client_as: Any, keys: dict[str, str], person: str) -> None:
    client = quiet(client_as(person))
    for value in FEW:
        assert broken(of_keys(client, value)) == []
        assert broken(of_everything_at_once(client, value, keys)) == []


CONTENT_TYPES = (
    *("multipart/form-data; boundary=x; charset=utf-7", "multipart/form-data; boundary=x; charset=unicode_escape"),
    *("multipart/form-data", "text/html; charset=unicode_escape", "text/html; charset=utf-7", "application/json"),
)
BODY = b'--x\r\nContent-Disposition: form-data; name="typed"\r\n\r\n+2AA-\\ud800\\x00\r\n--x--\r\n'


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_no_charset_smuggles_in_what_a_database_refuses(
    client_as: Any, keys: dict[str, str], content_type: str
) -> None:
    boss = quiet(client_as("superuser"))
    for route in TABLE:
        path, query = own(route, keys), "q=%2B2AA-&typed=%5Cud800%5Cx00&name=%2BAAA-"
        status = read(boss.generic("GET", f"{path}?{query}", BODY, content_type))
        assert status in NEVER, path
        assert read(boss.generic("POST", path, BODY, content_type)) in NEVER, path


@pytest.mark.parametrize("value", FEW)
def test_nor_in_the_choice_by_typing(client_as: Any, keys: dict[str, str], value: str) -> None:
    boss = quiet(client_as("superuser"))
    field = f"app_label={APP}&model_name=outboxevent&field_name=last_attempt"

    assert read(boss.get(f"/admin/autocomplete/?{field}&term={value}")) in {200, 403, 404}


def test_what_can_be_no_key_is_not_found(client_as: Any, keys: dict[str, str]) -> None:
    boss = quiet(client_as("superuser"))
    for value in ("%00", "a%00b", "x" * 100_000, "%0A", "_0A"):
        assert {boss.get(f"{HOME}attempt/{value}/{page}").status_code for page in ("change/", "history/", "")} == {404}
    for value in ("1" + "0" * 30, str(2**63), "-" + "9" * 30):
        assert boss.get(f"{HOME}outboxevent/{value}/change/").status_code == 404
    assert boss.post(f"{HOME}outboxevent/{10**30}/cancel/").status_code == 404


def test_an_action_on_a_key_of_no_row_changes_nothing(client_as: Any, keys: dict[str, str]) -> None:
    boss = quiet(client_as("superuser"))
    for key in ("abc", "1e400", str(10**30), "\0", ""):
        data = {"action": "cancel_selected", "_selected_action": [keys["outboxevent"], key], "confirmed": "1"}
        assert boss.post(f"{HOME}outboxevent/", data).status_code == 400

    assert OutboxEvent.objects.filter(state=State.CANCELLED).count() == 0
