"""Answers of the stand-in's Events API, and faults that replace them on demand.

The messages are those that TikTok was seen to use. A message that begins with OURS is the stand-in's own: for that case
no answer of TikTok is recorded. A `Fault` decides what the next requests get instead of their answer.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NoReturn

OURS = "stand-in: "

EVENT_ID_NOT_TEXT = "Invalid value for event_id: not a valid string."
EVENT_SOURCE_ID_NOT_TEXT = "Invalid value for event_source_id: not a valid string."
EVENT_SOURCE_UNKNOWN = "Invalid value for event_source: must be web, app or offline."
CONTENT_ID_NOT_TEXT = "Batch.{row}.properties.contents.{item}.content_id: Not a valid string"
PRICE_NOT_NUMBER = "Invalid Price Field"
NO_PERMISSION = (
    "No permission to operate pixel code: {pixel}. You must be an admin or operator of this advertiser account."
)
TOKEN_REFUSED = "Access token is incorrect or has been revoked."
TOO_MANY_REQUESTS = "Too many requests. Please retry in some time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer. If `code` is None or `body` is set, it does not have the form of TikTok's answers."""

    code: int | None = 0
    message: str = "OK"
    http_status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self, request_id: str) -> bytes:
        if self.body is not None:
            return self.body
        envelope: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
            "data": {},
        }
        return json.dumps(envelope).encode("ascii")


OK = Answer()


class RefusedError(Exception):
    """A request that is refused as a whole; `answer` is the answer to it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def refuse(code: int, wording: str, *, http_status: int = 200) -> NoReturn:
    """Raise RefusedError with a message that TikTok was seen to use."""
    raise RefusedError(Answer(code=code, message=wording, http_status=http_status))


def refuse_in_our_words(code: int, text: str, *, http_status: int = 200) -> NoReturn:
    """Raise RefusedError with a message of our own, because no answer of TikTok is recorded for this case."""
    refuse(code, OURS + text, http_status=http_status)


HTML = "text/html; charset=utf-8"
BAD_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultType:
    """`answer` None: the request's own answer, given in an unusual manner. `accepts`: the events are recorded."""

    what: str
    answer: Answer | None = None
    accepts: bool = False


FAULT_TYPES: Mapping[str, FaultType] = {
    "rate_limited": FaultType(what="200, code 40100", answer=Answer(code=40100, message=TOO_MANY_REQUESTS)),
    "rate_limited_401": FaultType(
        what="401 with code 40100, which is a rate limit all the same",
        answer=Answer(code=40100, message=TOO_MANY_REQUESTS, http_status=401),
    ),
    "http_429": FaultType(what="429 with Retry-After, no body", answer=Answer(http_status=429, body=b"")),
    "http_500": FaultType(what="500, no body", answer=Answer(http_status=500, body=b"")),
    "http_500_code_0": FaultType(what="500 whose body says code 0", answer=Answer(http_status=500)),
    "http_502_html": FaultType(
        what="502 with a web server's HTML page",
        answer=Answer(http_status=502, body=BAD_GATEWAY_PAGE, content_type=HTML),
    ),
    "http_503": FaultType(
        what="503 with JSON that has no code",
        answer=Answer(http_status=503, body=b'{"error":{"message":"Service Unavailable"}}'),
    ),
    "token_revoked": FaultType(what="200, code 40105", answer=Answer(code=40105, message=TOKEN_REFUSED)),
    "token_401": FaultType(what="401 with JSON that has no code", answer=Answer(http_status=401, body=b"{}")),
    "no_permission": FaultType(what="200, code 40001", answer=Answer(code=40001, message=NO_PERMISSION)),
    "system_error": FaultType(what="200, code 50000", answer=Answer(code=50000, message=OURS + "system error")),
    "maintenance": FaultType(what="200, code 60001", answer=Answer(code=60001, message=OURS + "maintenance")),
    "bad_event": FaultType(
        what="200, code 40002, one row named by its index",
        answer=Answer(code=40002, message=CONTENT_ID_NOT_TEXT),
    ),
    "bad_event_unnamed": FaultType(
        what="200, code 40002, no row named",
        answer=Answer(code=40002, message=EVENT_ID_NOT_TEXT),
    ),
    "partial_ok": FaultType(
        what="200, code 20001; the row of `index` or `event_id` is left out",
        answer=Answer(code=20001, message=OURS + "partial success"),
        accepts=True,
    ),
    "empty_body": FaultType(what="200, no body", answer=Answer(body=b"")),
    "not_json": FaultType(
        what="200 with HTML", answer=Answer(body=b"<html><body>Hello</body></html>", content_type=HTML)
    ),
    "answer": FaultType(what="any `code`, `message` and `http_status`", answer=Answer()),
    "reset": FaultType(what="the connection is reset; with `accept` after the events were taken"),
    "hang": FaultType(what="silence for `seconds`, then closed; with `accept` the real answer, late"),
    "slow_body": FaultType(what="the real answer, spread over `seconds`", accepts=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault for the next requests.

    `times` None: until it is cleared. `pixel`, `event_id`: only for requests with them. `index`: the row, from zero.
    `accept`: whether the events are recorded, whatever the answer says (None: as usual for this fault).
    `seconds`: how long hang and slow_body take. `retry_after`: seconds, for http_429.
    """

    name: str
    times: int | None = 1
    probability: float = 1.0
    pixel: str = ""
    event_id: str = ""
    index: int | None = None
    accept: bool | None = None
    seconds: float = 5.0
    retry_after: int = 2
    code: int = 40000
    message: str = OURS + "an answer made to order"
    http_status: int = 200

    def __post_init__(self) -> None:
        if self.name not in FAULT_TYPES:
            raise ValueError(f"no fault is named {self.name!r}; there are: {', '.join(FAULT_TYPES)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or None for “until cleared”")

    @classmethod
    def from_json(cls, record: object) -> Fault:
        """Build a fault from JSON. Raises ValueError, with the reason, for anything that is not a fault."""
        if not isinstance(record, dict):
            raise ValueError("a fault is an object with a name")
        for key, value in record.items():
            if key not in FIELD_TYPES:
                raise ValueError(f"a fault has no {key!r}; it has: {', '.join(FIELD_TYPES)}")
            if type(value) not in FIELD_TYPES[key]:
                raise ValueError(f"{key} is of the wrong type")
        if "name" not in record:
            raise ValueError("a fault needs a name")
        return cls(**record)


FIELD_TYPES: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "times": (int, type(None)),
    "probability": (int, float),
    "pixel": (str,),
    "event_id": (str,),
    "index": (int, type(None)),
    "accept": (bool, type(None)),
    "seconds": (int, float),
    "retry_after": (int,),
    "code": (int,),
    "message": (str,),
    "http_status": (int,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault that applies to a request. `row` is the row that it is about, if any."""

    fault: Fault
    row: int | None

    @property
    def accepts(self) -> bool:
        usual = FAULT_TYPES[self.fault.name].accepts
        return usual if self.fault.accept is None else self.fault.accept

    def answer(self, pixel: str) -> Answer | None:
        """Return the answer of this fault; None for the request's own answer."""
        fault, answer = self.fault, FAULT_TYPES[self.fault.name].answer
        if answer is None:
            return None
        if fault.name == "answer":
            return Answer(code=fault.code, message=fault.message, http_status=fault.http_status)
        if fault.name == "http_429":
            return replace(answer, headers=(("Retry-After", str(fault.retry_after)),))
        if fault.name == "no_permission":
            return replace(answer, message=answer.message.format(pixel=pixel))
        if fault.name == "bad_event":
            return replace(answer, message=answer.message.format(row=self.row or 0, item=0))
        return answer


class Faults:
    """A thread-safe queue of faults. The first that matches a request applies. `latency_ms` delays every answer."""

    def __init__(self, *, seed: int | None = None) -> None:
        self.latency_ms = 0.0
        self._random = random.Random(seed)  # noqa: S311 -- random numbers that a seed repeats
        self._lock = threading.Lock()
        self._queue: list[Fault] = []

    def add(self, name: str, **details: Any) -> Fault:
        """Add a fault for the next request, or for `times` requests. `details` are the fields of Fault."""
        return self.arm(Fault(name=name, **details))

    def poison(self, event_id: str, *, named: bool = True) -> Fault:
        """Refuse every request that contains this event, with or without its index in the message."""
        return self.add("bad_event" if named else "bad_event_unnamed", event_id=event_id, times=None)

    def arm(self, fault: Fault) -> Fault:
        with self._lock:
            self._queue.append(fault)
        return fault

    def take(self, pixel: str, event_ids: Sequence[object]) -> Hit | None:
        """Return the fault that applies to this request, and count one use of it."""
        with self._lock:
            for position, fault in enumerate(self._queue):
                if fault.pixel not in ("", pixel) or (fault.event_id and fault.event_id not in event_ids):
                    continue
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                if fault.times == 1:
                    del self._queue[position]
                elif fault.times is not None:
                    self._queue[position] = replace(fault, times=fault.times - 1)
                row = event_ids.index(fault.event_id) if fault.event_id else fault.index
                return Hit(fault=fault, row=row)
        return None

    def active(self) -> list[Fault]:
        with self._lock:
            return list(self._queue)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the active faults, without fields that have their default value."""
        usual = {field.name: field.default for field in fields(Fault)}
        return [
            {key: value for key, value in asdict(fault).items() if key == "name" or value != usual[key]}
            for fault in self.active()
        ]

    def clear(self) -> None:
        """Remove all faults, and the latency."""
        with self._lock:
            self._queue.clear()
            self.latency_ms = 0.0
