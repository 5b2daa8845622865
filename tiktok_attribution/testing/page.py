"""The stand-in's page, and its events.js, which browsers load instead of TikTok's.

All data on the page came from outside, so every text is escaped where it is written.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from itertools import islice
from string import Template

from tiktok_attribution.testing.arrivals import EventRow
from tiktok_attribution.testing.exchange import Exchange
from tiktok_attribution.testing.faults import FAULT_TYPES
from tiktok_attribution.testing.guesses import GUESSES
from tiktok_attribution.testing.notes import AnswerGiven, RemarkMade


@cache
def events_js() -> bytes:
    return (files("tiktok_attribution.testing") / "static" / "events.js").read_bytes()


CONTENT_TYPE = "text/html; charset=utf-8"
SHOWN_EVENTS = 200
SHOWN_ANSWERS = 20
SHOWN_REMARKS = 40
SHOWN_LENGTH = 300

STATE_WORDS = {
    "merged": ("good", "merged"),
    "late": ("warn", "too late to merge"),
    "counted apart": ("bad", "counted apart"),
    "browser only": ("single", "browser only"),
    "server only": ("single", "server only"),
}


def whole(exchange: Exchange) -> tuple[bytes, str]:
    """Return the page, and the Content-Security-Policy with its nonce."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    names = "".join(f'<option value="{_text(name)}">{_text(name)}</option>' for name in FAULT_TYPES)
    text = _template().substitute(nonce=nonce, live=live(exchange).decode(), fault_names=names, guesses=_guesses())
    return text.encode("utf-8"), policy


def live(exchange: Exchange) -> bytes:
    """Return the part of the page that changes."""
    parts = (
        _totals(exchange),
        _events(exchange),
        _test_events(exchange),
        _faults(exchange),
        _answers(exchange.notes.answers()),
        _remarks(exchange.notes.remarks()),
    )
    return "".join(parts).encode("utf-8", "replace")


@cache
def _template() -> Template:
    return Template((files("tiktok_attribution.testing") / "static" / "page.html").read_text("utf-8"))


def _text(value: object) -> str:
    text = str(value)
    shown = text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"
    return escape(shown.encode("utf-8", "replace").decode())


def _clock(at: float | None) -> str:
    """Return the time of day in UTC, because the page's script does not know the server's time zone."""
    if at is None:
        return '<span class="none">&ndash;</span>'
    day = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    return f'<time title="{day}">{day[11:19]}</time>'


def _section(title: str, body: str, *, note: str = "") -> str:
    small = f' <small class="note">{note}</small>' if note else ""
    return f"<section><h2>{title}{small}</h2>{body}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "listed") -> str:
    """Build a table. `rows` contain HTML that is already escaped. Each cell knows its head, for narrow screens."""
    head = "".join(f"<th>{one}</th>" for one in heads)
    lines = "".join(
        "<tr>"
        + "".join(f'<td data-head="{name}"><div>{cell}</div></td>' for name, cell in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _totals(exchange: Exchange) -> str:
    counts = exchange.ledger.counts()
    if not counts:
        return _section("Totals", '<p class="empty">Nothing has arrived yet.</p>')
    rows = [
        (f"<b>{_text(name)}</b>", str(count.browser), str(count.server), f"<b>{count.counted}</b>")
        for name, count in islice(sorted(counts.items()), SHOWN_EVENTS)
    ]
    loads = ", ".join(f"{_text(pixel)} &times;{times}" for pixel, times in exchange.notes.script_loads().items())
    note = f"events.js loaded for {loads}" if loads else ""
    table = _table(("Event", "Browser", "Server", "Counted"), rows, kind="totals")
    return _section("Totals", table, note=note)


def _events(exchange: Exchange) -> str:
    newest = exchange.ledger.events(newest=SHOWN_EVENTS)[::-1]
    if not newest:
        return ""
    total = exchange.ledger.event_total
    note = f"newest {len(newest)} of {total}" if total > len(newest) else "newest first"
    heads = ("Event", "Browser", "Server", "Together", "Counted", "Value", "Matching keys")
    return _section("Events", _table(heads, map(_event_cells, newest), kind="listed events"), note=note)


def _event_cells(row: EventRow) -> Sequence[str]:
    event_id = f"<code>{_text(row.event_id)}</code>" if row.event_id else "<em>no event_id</em>"
    kind, word = STATE_WORDS[row.state]
    apart = row.apart_seconds
    together = f'<span class="badge {kind}">{word}</span>'
    if apart is not None:
        together += f" <small>{_span(apart)} apart</small>"
    if row.repeats:
        together += f' <small class="badge single">{row.repeats} repeat dropped</small>'
    counted = f'<span class="count{" bad" if row.counted > 1 else ""}">{row.counted}</span>'
    value = "" if row.value is None else f"{_text(_amount(row.value))} {_text(row.currency)}"
    keys = "".join(f'<span class="key">{_text(key)}</span>' for key in row.matching_keys[:20])
    name = f"<b>{_text(row.event)}</b> {event_id} <small>{_text(row.pixel)}</small>"
    return name, _clock(row.browser_at), _clock(row.server_at), together, counted, value, keys


def _amount(value: float) -> float:
    """Return 98.0 as 98; JSON makes no difference between them."""
    return int(value) if value == int(value) else value


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _test_events(exchange: Exchange) -> str:
    found = exchange.ledger.test_events()
    if not found:
        return ""
    rows = [
        (
            f"<b>{_text(one.event)}</b>",
            f"<code>{_text(one.event_id)}</code>",
            _clock(one.arrived_at),
            f"<code>{_text(one.test_event_code)}</code>",
        )
        for one in found[: -SHOWN_ANSWERS - 1 : -1]
    ]
    table = _table(("Event", "event_id", "Arrived", "Test code"), rows)
    return _section("Test events", table, note="kept apart, not counted")


def _faults(exchange: Exchange) -> str:
    faults = exchange.faults
    items = [_fault(record) for record in faults.as_json()]
    if faults.latency_ms:
        items.append(f"every answer waits <code>{faults.latency_ms:g} ms</code>")
    if not items:
        return ""
    lines = "".join(f"<li>{item}</li>" for item in items)
    return _section("Faults armed", f'<ul class="faults">{lines}</ul>')


def _fault(record: Mapping[str, object]) -> str:
    name, times = str(record["name"]), record.get("times", 1)
    parts = [f"<code>{name}</code>", "until cleared" if times is None else f"&times;{times}"]
    parts += [
        f"{_text(key)} <code>{_text(value)}</code>" for key, value in record.items() if key not in {"name", "times"}
    ]
    return " · ".join(parts) + f" <small>{_text(FAULT_TYPES[name].what)}</small>"


def _answers(given: Sequence[AnswerGiven]) -> str:
    if not given:
        return ""
    rows = [
        (
            _clock(one.at),
            _text(one.channel),
            str(one.events),
            f'<span class="badge {"good" if one.code == 0 and one.http_status == 200 else "bad"}">'
            f"{'cut' if not one.http_status else one.http_status}"
            f"{'' if one.code is None else f' / {one.code}'}</span>",
            _text(one.message) + (f' <small class="badge warn">{_text(one.fault)}</small>' * bool(one.fault)),
            f"<code>{_text(one.request_id)}</code>",
        )
        for one in given[: -SHOWN_ANSWERS - 1 : -1]
    ]
    heads = ("At", "To", "Rows", "Status / code", "Message", "Request id")
    return _section("Last answers", _table(heads, rows, kind="listed answers"))


def _remarks(made: Sequence[RemarkMade]) -> str:
    if not made:
        return ""
    lines = "".join(
        f'<li><span class="badge single">{_text(one.channel)}</span> {_text(one.text)}'
        f" <small>&times;{one.times}{_last_on(one)}</small></li>"
        for one in made[: -SHOWN_REMARKS - 1 : -1]
    )
    return _section("Remarks", f'<ul class="remarks">{lines}</ul>', note="accepted, but worth a look")


def _last_on(remark: RemarkMade) -> str:
    if not remark.event:
        return ""
    return f", last on {_text(remark.event)} <code>{_text(remark.event_id)}</code>"


def _guesses() -> str:
    rows = [(_text(one.subject), _text(one.does), _text(one.reason)) for one in GUESSES]
    return _table(("Where nothing is known", "the stand-in does", "because"), rows, kind="listed guesses")
