"""The bodies that came to the stand-in, as bytes and in the order of their arrival, whatever they were answered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.site import BODIES, Site
from tiktok_attribution.testing.exchange import Exchange, Reply

_read = json.JSONDecoder().raw_decode


@contextmanager
def kept_requests() -> Iterator[list[bytes]]:
    """The raw body of each request from now on: the ledger has only what was taken, and has it parsed."""
    came: list[bytes] = []
    answer = Exchange.events_api

    def keeping(exchange: Exchange, token: str | None, raw: bytes) -> Reply:
        came.append(raw)
        return answer(exchange, token, raw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exchange, "events_api", keeping)
        yield came


def events_of(raw: bytes) -> Iterator[tuple[str, str]]:
    """The event_id and the exact text of each event of a request."""
    text = raw.decode()
    at = text.index("[", text.index('"data"')) + 1
    while text[at] != "]":
        event, end = _read(text, at)
        yield event["event_id"], text[at:end]
        at = end + (text[end] == ",")


def stored(site: Site) -> dict[str, str]:
    """The text that is stored of each event."""
    return dict(site.sql(f"SELECT event_id, payload FROM {BODIES}"))  # type: ignore[arg-type]  # noqa: S608


def unlike_the_stored(site: Site, requests: list[bytes]) -> list[str]:
    """What came with another text than the stored one: the first of an event, or a later one."""
    texts, wrong = stored(site), []
    times: Counter[str] = Counter()
    for raw in requests:
        for event_id, text in events_of(raw):
            times[event_id] += 1
            if text != texts.get(event_id):
                wrong.append(f"{event_id}, arrival {times[event_id]}: {text} and not {texts.get(event_id)}")
    return wrong
