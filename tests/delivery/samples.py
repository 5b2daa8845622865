"""Rows of the outbox, a clock that is set by hand, and a client whose answers are written down beforehand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from django.db import connection, transaction

from tiktok_attribution.delivery.outbox import insert
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.wire import event_text
from tiktok_attribution.models import OutboxEvent, State, moment

NOW = 1_790_000_000.0
PIXEL = "C0EXAMPLE0000000000"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
DAY = 86_400
OK = Answer(http_status=200, code=0, message="OK", request_id="20261124000000AAAA")
NOT_TEXT = "Invalid value for event_id: not a valid string."
REVOKED = Answer(http_status=200, code=40105, message="Access token is incorrect or has been revoked.")
SYSTEM_ERROR = Answer(http_status=200, code=50000, message="system error")
TOO_MANY = Answer(http_status=200, code=40100, message="Too many requests. Please retry in some time.")
SILENCE = Answer(message="No whole answer within 10 seconds.")
REFUSED = Answer(message="127.0.0.1 could not be reached.", unreachable=True)
BAD = Answer(http_status=200, code=40002, message=NOT_TEXT)


@dataclass
class HandClock:
    """Epoch seconds, moved by the test."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def row(number: int = 0, **changes: Any) -> OutboxEvent:
    """A waiting Purchase, `order-<number>`, due for a second or less, in lane 0; not saved."""
    event_id = changes.pop("event_id", f"order-{number}")
    event = Event(
        name="Purchase",
        event_id=event_id,
        event_time=int(NOW) - 60,
        user=User(ip="8.8.8.8", user_agent="Mozilla/5.0"),
        page=Page(url="https://shop.example/thanks"),
        properties={"value": 19.9, "currency": "EUR"},
    )
    usual = {
        "pixel_code": PIXEL,
        "name": event.name,
        "event_id": event_id,
        "event_time": event.event_time,
        "payload": event_text(event),
        "due_at": NOW - 1 + number / 10_000,  # in the order of their numbers
        "created_at": moment(NOW - 60),
    }
    return OutboxEvent(**(usual | changes))


def store(rows: Iterable[OutboxEvent], *, using: str = "default") -> None:
    """Put these into the outbox."""
    with transaction.atomic(using=using):
        for one in rows:
            insert(one, using)


def fill(count: int, **changes: Any) -> None:
    """Put `order-0` … into the outbox."""
    store(row(number, **changes) for number in range(count))


def states() -> Counter[str]:
    """How many rows are in which state."""
    return Counter(OutboxEvent.objects.values_list("state", flat=True))


def only_row() -> OutboxEvent:
    """The one row, as the database has it."""
    return OutboxEvent.objects.get()


def event_ids(body: bytes) -> list[str]:
    """The ids in one request's body, in order."""
    return [event["event_id"] for event in json.loads(body)["data"]]


Script = Callable[[bytes], Answer]


@dataclass
class FakeClient:
    """Stands in the place of `client.Client`: `answer` is asked with each body. Keeps what was sent."""

    answer: Script = lambda body: OK
    bodies: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    in_transaction: list[bool] = field(default_factory=list)

    def __call__(self, api_url: str, timeout_seconds: float) -> FakeClient:
        return self

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def post(self, token: str, body: bytes) -> Answer:
        self.bodies.append(body)
        self.tokens.append(token)
        self.in_transaction.append(connection.in_atomic_block)
        return self.answer(body)

    @property
    def sizes(self) -> list[int]:
        """Events in each request."""
        return [len(event_ids(body)) for body in self.bodies]


def scripted(*answers: Answer) -> Script:
    """These answers in turn, then OK for ever."""
    left = list(answers)
    return lambda body: left.pop(0) if left else OK


def delivered_ids() -> set[str]:
    """The event_ids of what was delivered."""
    return set(OutboxEvent.objects.filter(state=State.DELIVERED).values_list("event_id", flat=True))


def refusing(bad: Iterable[str], message: str = NOT_TEXT) -> Script:
    """40002, without an index, for every body that holds one of these ids."""
    poison = set(bad)
    refusal = Answer(http_status=200, code=40002, message=message)
    return lambda body: refusal if poison.intersection(event_ids(body)) else OK
