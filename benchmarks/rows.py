"""Rows by the thousand: copies of one event that the app itself recorded from an order, made by the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connections, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.test import RequestFactory

from benchmarks.shop.models import AnyOrder, Order
from tiktok_attribution import conf
from tiktok_attribution.delivery.outbox import insert
from tiktok_attribution.models import Attempt, EventBody, Lane, OutboxEvent
from tiktok_attribution.transactions import together
from tiktok_attribution.visitor.visitor import current_request

PIXEL = "C0EXAMPLE0000000000"
TABLE = OutboxEvent._meta.db_table
BODIES = EventBody._meta.db_table
_numbers = count(int(time.time() * 1000) % 10**9 * 1000)


def shopper_request() -> HttpRequest:
    """A checkout as a browser sends it that came from an advertisement."""
    request = RequestFactory().post(
        "/checkout/?ttclid=E.C.P." + "x" * 96,
        HTTP_USER_AGENT="Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        HTTP_ACCEPT_LANGUAGE="de-DE,de;q=0.9,en;q=0.8",
        HTTP_REFERER="https://shop.example/cart/?utm_source=tiktok&utm_campaign=summer",
        REMOTE_ADDR="203.0.113.24",
    )
    request.COOKIES["_ttp"] = "2Yb7Xk0Zq1Lw9Vt5Rs3Nd8Hj6Mf"
    return request


def place_order(model: type[AnyOrder], request: HttpRequest, *more: OutboxEvent) -> AnyOrder:
    """An order in a transaction of its own, in the shopper's request; and these rows, ready-made, in the same."""
    number = f"2025-{next(_numbers)}"
    token = current_request.set(request)
    try:
        with transaction.atomic():
            order = model._default_manager.create(
                number=number,
                email=f"Erika.Mustermann+{number}@Example.com ",
                phone="0151 23456789",
                customer_id=number[-6:],
                first_name="Erika",
                last_name="Mustermann",
                street="Heidestraße 17, Hinterhaus, 3. Stock",
                city="Köln",
                zip_code="51147",
                total=Decimal("129.95"),
                currency="EUR",
            )
            for row in more:
                with together("default") as block:
                    block.next_is_last()
                    insert(row, "default")
            return order
    finally:
        current_request.reset(token)


def keep_template() -> None:
    """Record one event for an order, pad its text to 1,170 bytes, and keep the row aside."""
    place_order(Order, shopper_request())
    row = OutboxEvent.objects.get()
    padding = f',"description":"{"x" * max(0, 1170 - len(row.payload) - 17)}"'
    at = row.payload.index('"content_type"') if '"content_type"' in row.payload else row.payload.index('"currency"')
    text = row.payload[:at] + padding[1:] + "," + row.payload[at:]
    EventBody.objects.update(payload=text)
    execute(f"CREATE TABLE template AS SELECT * FROM {TABLE} JOIN {BODIES} USING (id)")
    empty()


def empty(using: str = "default") -> None:
    """Forget all events, attempts and leases."""
    tables = ", ".join(model._meta.db_table for model in (OutboxEvent, EventBody, Attempt, Lane))
    execute(f"TRUNCATE {tables} RESTART IDENTITY", using=using)


def add_due(number: int, *, using: str = "default", lanes: int | None = None, first: int = 1) -> None:
    """So many waiting events of 1,170 bytes, each of its own order and shopper, spread over the lanes, due in turn."""
    lanes = lanes or conf.current().lanes
    event_id = "('due-' || lpad(n::text, 9, '0'))"
    copy(
        first,
        first + number - 1,
        using,
        event_id=event_id,
        object_pk="n::text",
        object_digest="hashint8extended(n, 1)",
        email_key="hashint8extended(n, 0)",
        payload=f"replace(t.payload, t.event_id, {event_id})",
        lane=f"n % {lanes}",
        due_at=f"{time.time()} - 60 + n * 1e-7",
    )


def add_settled(number: int, *, using: str, page: int = 1_000_000) -> None:
    """So many delivered events whose text was cleared, as a table has them after two weeks; an attempt a thousand."""
    attempt_columns = "id, pixel_code, started_at, duration_seconds, event_count, outcome, code, message, request_id"
    execute(
        f"INSERT INTO {Attempt._meta.db_table} ({attempt_columns}) SELECT 'attempt-' || n, '{PIXEL}', now(), 0.1, 1000,"
        f" 'delivered', 0, 'OK', 'request-' || n FROM generate_series(0, {number} / 1000) n",
        using=using,
    )
    for first in range(1, number + 1, page):
        copy(
            first,
            min(first + page - 1, number),
            using,
            event_id="('old-' || n)",
            object_pk="n::text",
            object_digest="hashint8extended(n, 1)",
            email_key="hashint8extended(n, 0)",
            payload="''",
            state="'delivered'",
            due_at="NULL",
            attempts="1",
            attempt_log="'attempt-' || n / 1000 || ','",
            last_attempt_id="'attempt-' || n / 1000",
            created_at=f"now() - ({number} - n) * interval '1 second'",
            delivered_at=f"now() - ({number} - n) * interval '1 second'",
        )


def copy(first: int, last: int, using: str, **changes: str) -> None:
    """Rows from number to number, copied from the template with these SQL expressions of "n" in place of its values."""
    numbered = (
        f"SELECT n, nextval(pg_get_serial_sequence('{BODIES}', 'id')) AS id FROM generate_series({first}, {last}) n"
    )
    bodies, events = (_copies(model, changes) for model in (EventBody, OutboxEvent))
    execute(f"WITH numbered AS MATERIALIZED ({numbered}), bodies AS ({bodies}) {events}", using=using)


def _copies(model: type[Model], changes: Mapping[str, str]) -> str:
    columns = [str(field.column) for field in model._meta.local_concrete_fields if not field.primary_key]
    values = ", ".join(changes.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    table = model._meta.db_table
    return f"INSERT INTO {table} (id, {names}) SELECT numbered.id, {values} FROM template t, numbered ORDER BY n"


def execute(sql: str, *, using: str = "default") -> list[Any]:
    """One statement in autocommit; its rows, where it has some."""
    with connections[using].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
