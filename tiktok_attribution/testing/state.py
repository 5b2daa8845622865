"""The stand-in's state as JSON, and the requests by which another process controls its faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tiktok_attribution.testing.arrivals import Arrival, EventRow
from tiktok_attribution.testing.exchange import Exchange
from tiktok_attribution.testing.faults import Fault, Faults
from tiktok_attribution.testing.guesses import GUESSES

MAX_LATENCY_MS = 600_000


def state(exchange: Exchange) -> dict[str, Any]:
    """Return the content of GET /standin/state.json. Data that could match a person is left out: only its keys."""
    ledger, notes, faults = exchange.ledger, exchange.notes, exchange.faults
    return {
        "events": [row_as_json(row) for row in ledger.events()],
        "counts": {name: asdict(count) for name, count in ledger.counts().items()},
        "test_events": [arrival_as_json(one) for one in ledger.test_events()],
        "faults": faults.as_json(),
        "latency_ms": faults.latency_ms,
        "answers": [asdict(one) for one in notes.answers()],
        "remarks": [asdict(one) for one in notes.remarks()],
        "script_loads": notes.script_loads(),
        "guesses": [asdict(one) for one in GUESSES],
    }


def arrivals(exchange: Exchange) -> dict[str, Any]:
    """Return the content of GET /standin/arrivals.json: every arrival with its body as it was sent."""
    return {"arrivals": [{**arrival_as_json(one), "body": one.body} for one in exchange.ledger.arrivals()]}


def row_as_json(row: EventRow) -> dict[str, Any]:
    found = asdict(row)
    del found["window_at"], found["window_channels"]
    return {**found, "state": row.state}


def arrival_as_json(arrival: Arrival) -> dict[str, Any]:
    found = asdict(arrival)
    del found["packed"]
    return found


def control(faults: Faults, raw: bytes) -> None:
    """Change the faults: `{"name": …}` adds one, `{"clear": true, "latency_ms": 0, "add": [{…}]}` does more at once.

    Raises ValueError with the reason; then nothing was changed.
    """
    order = json.loads(raw)
    if not isinstance(order, dict):
        raise ValueError("an object is expected")
    if "name" in order:
        faults.arm(Fault.from_json(order))
        return
    unknown = sorted(set(order) - {"clear", "latency_ms", "add"})
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known here; there are: clear, latency_ms, add")
    added, latency_ms = _added(order), order.get("latency_ms")
    if latency_ms is not None and not (type(latency_ms) in (int, float) and 0 <= latency_ms <= MAX_LATENCY_MS):
        raise ValueError(f"latency_ms must be a number from 0 to {MAX_LATENCY_MS}")
    if order.get("clear"):
        faults.clear()
    if latency_ms is not None:
        faults.latency_ms = float(latency_ms)
    for fault in added:
        faults.arm(fault)


def _added(order: Mapping[str, Any]) -> list[Fault]:
    records = order.get("add", [])
    if not isinstance(records, list):
        raise ValueError("add must be a list of faults")
    return [Fault.from_json(record) for record in records]
