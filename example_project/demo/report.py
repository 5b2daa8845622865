"""What arrived where, as the stand-in tells it, and whether that is right."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.request import ProxyHandler, build_opener

EXPECTED = ("ViewContent", "AddToWishlist", "AddToCart", "InitiateCheckout", "Purchase", "CompleteRegistration")
_open = build_opener(ProxyHandler({})).open


def state(standin: str) -> dict[str, Any]:
    """The stand-in's state."""
    with _open(f"{standin}/standin/state.json", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def is_complete(events: Iterable[dict[str, Any]]) -> bool:
    """Whether every expected event is there, with both channels under one event_id, counted once each."""
    rows = list(events)
    names = {row["event"] for row in rows}
    return names >= set(EXPECTED) and all(_is_right(row) for row in rows)


def _is_right(row: dict[str, Any]) -> bool:
    return bool(row["browser_at"] and row["server_at"] and row["counted"] == 1 and row["event_id"])


def table(events: Iterable[dict[str, Any]]) -> str:
    """One line an event."""
    lines = [f"{'event':<22}{'event_id':<42}{'pixel':<8}{'server':<8}{'counted':<8} matching keys"]
    for row in events:
        channels = ["yes" if row[half] else "NO" for half in ("browser_at", "server_at")]
        mark = "" if _is_right(row) else "  <-- not as it should be"
        keys = ", ".join(row["matching_keys"])
        lines.append(
            f"{row['event']:<22}{row['event_id']:<42}{channels[0]:<8}{channels[1]:<8}{row['counted']:<8} {keys}{mark}"
        )
    return "\n".join(lines)
