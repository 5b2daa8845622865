"""Check a request to the Events API for what TikTok refuses: token, root object, number of events.

`event_rules` checks the rows of `data`. One bad row refuses the whole request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from tiktok_attribution.testing import faults
from tiktok_attribution.testing.event_rules import check_event
from tiktok_attribution.testing.faults import refuse, refuse_in_our_words
from tiktok_attribution.testing.remarks import Remark

EVENT_SOURCES = frozenset({"web", "app", "offline", "crm"})
MAX_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Settings of the checks. `tokens` maps pixel codes to tokens; None accepts any token for any pixel."""

    tokens: Mapping[str, str] | None = None
    max_body_bytes: int = 1_000_000
    refuse_unknown_currency: bool = False

    def __repr__(self) -> str:
        pixels = None if self.tokens is None else sorted(self.tokens)
        return f"Rules(pixels={pixels!r}, max_body_bytes={self.max_body_bytes})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came. `root` is None if the body is not a JSON object."""

    token: str | None
    size_bytes: int
    root: Mapping[str, Any] | None

    @classmethod
    def read(cls, token: str | None, raw: bytes) -> Request:
        return cls(token=token, size_bytes=len(raw), root=read_object(raw))

    @property
    def pixel(self) -> str:
        found = self.root.get("event_source_id") if self.root else None
        return found if isinstance(found, str) else ""

    @property
    def rows(self) -> Sequence[Any]:
        found = self.root.get("data") if self.root else None
        return found if isinstance(found, list) else ()

    @property
    def event_ids(self) -> list[object]:
        return [row.get("event_id") if isinstance(row, dict) else None for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A request that breaks no rule."""

    pixel: str
    test_event_code: str
    events: Sequence[Mapping[str, Any]]
    remarks: Sequence[Remark]


def read_object(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `raw`; None for anything else, also for NaN and Infinity."""
    try:
        found = json.loads(raw, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def judge(request: Request, rules: Rules, *, now: float) -> Accepted:
    """Return what was accepted, or raise RefusedError as TikTok would. `now` is in epoch seconds."""
    _check_token(request.token, rules)
    if request.size_bytes > rules.max_body_bytes:
        refuse_in_our_words(40002, f"the body is over {rules.max_body_bytes} bytes", http_status=413)
    if request.root is None:
        refuse_in_our_words(40002, "the body is not a JSON object")
    root = request.root
    source = root.get("event_source")
    if not isinstance(source, str) or source not in EVENT_SOURCES:
        refuse(40002, faults.EVENT_SOURCE_UNKNOWN)
    pixel = root.get("event_source_id")
    if not isinstance(pixel, str) or not pixel:
        refuse(40002, faults.EVENT_SOURCE_ID_NOT_TEXT)
    if rules.tokens is not None and rules.tokens.get(pixel) != request.token:
        refuse(40001, faults.NO_PERMISSION.format(pixel=pixel))
    test_event_code = root.get("test_event_code", "")
    if not isinstance(test_event_code, str):
        refuse_in_our_words(40002, "test_event_code must be text")
    rows = _rows(root.get("data"))
    remarks: list[Remark] = []
    for row, event in enumerate(rows):
        check_event(
            event,
            row,
            web=source == "web",
            refuse_unknown_currency=rules.refuse_unknown_currency,
            now=now,
            remarks=remarks,
        )
    return Accepted(pixel=pixel, test_event_code=test_event_code, events=rows, remarks=remarks)


def _check_token(token: str | None, rules: Rules) -> None:
    if not token:
        refuse_in_our_words(40104, "the Access-Token header is missing or empty")
    if token.lower().startswith("bearer ") or (rules.tokens is not None and token not in rules.tokens.values()):
        refuse(40105, faults.TOKEN_REFUSED)


def _rows(data: object) -> list[dict[str, Any]]:
    if not isinstance(data, list) or not data:
        refuse_in_our_words(40002, "data must be a list of 1 to 1000 events")
    if len(data) > MAX_EVENTS:
        refuse_in_our_words(40002, f"data holds {len(data)} events, at most 1000 are taken")
    return data
