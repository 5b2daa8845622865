"""`python benchmarks/admin_pages.py [--rows N]`: statements and milliseconds of each admin page over a large outbox."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

# The directory of a script comes first on the path; here it is the one above, or `benchmarks` could not be imported.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.servers import running_servers  # noqa: E402

LIST = "/admin/tiktok_attribution/outboxevent/"


def pages(number: int) -> Iterator[tuple[str, str]]:
    """What is asked for, and its address."""
    yield "list", LIST
    yield "list, page in the middle", f"{LIST}?before={number // 2}"
    yield "list, back to newer from the oldest", f"{LIST}?after=1"
    for state in ("delivered", "waiting", "held", "invalid", "rejected", "expired", "cancelled", "browser"):
        yield f"state {state}", f"{LIST}?state__exact={state}"
    yield "name Purchase (a third)", f"{LIST}?name=Purchase"
    yield "name Lead (ten, the oldest)", f"{LIST}?name=Lead"
    yield "name Lead and rejected (none)", f"{LIST}?name=Lead&state__exact=rejected"
    yield "second pixel (2 %)", f"{LIST}?pixel=C0EXAMPLE0000000002"
    for channels in ("both", "server", "browser", "confirmed", "unconfirmed"):
        yield f"channels {channels}", f"{LIST}?channels={channels}"
    yield "browser given up, from the middle", f"{LIST}?channels=browser&before={number // 2}"
    for period in ("today", "7", "30"):
        yield f"recorded {period}", f"{LIST}?recorded={period}"
    yield "rejected of 7 days, one name", f"{LIST}?recorded=7&state__exact=rejected&name=Purchase"
    yield "one attempt", f"{LIST}?attempt=attempt-{number // 2000}"
    yield "search: event id", f"{LIST}?q=order-{number // 3}"
    yield "search: key of an object", f"{LIST}?q={number // 3}"
    yield "search: request id", f"{LIST}?q=request-{number // 2000}"
    yield "search: nothing found", f"{LIST}?q=nothing"
    yield "search: e-mail address", f"{LIST}?person={((number - 7) * 7919).to_bytes(8, 'big').hex()}"
    yield "one event", f"{LIST}{number - 400}/change/"
    yield "attempts", "/admin/tiktok_attribution/attempt/"
    for period in ("today", "7", "30"):
        yield f"overview {period}", f"/admin/tiktok_attribution/overview/?period={period}"


def main(arguments: Sequence[str] | None = None) -> None:
    """A table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow", type=float, default=0, help="print statements that take so many milliseconds")
    options = parser.parse_args(arguments)
    with running_servers():
        from benchmarks import mixed_rows  # noqa: PLC0415 -- needs Django set up

        began = time.monotonic()
        mixed_rows.fill(options.rows)
        client = _client()
        _say(f"{options.rows:,} events, made in {time.monotonic() - began:.0f} s\n")
        _say("| Page | Statements | Median ms | Most ms | In statements ms |\n|---|---|---|---|---|")
        for title, address in pages(options.rows):
            _say(_measured(client, title, address, options.rounds, options.slow))


def _client() -> Any:
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from tiktok_attribution.monitoring.hourly_statistics import refresh_all  # noqa: PLC0415

    began = time.monotonic()
    refresh_all()
    _say(f"hours counted in {time.monotonic() - began:.1f} s")
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def _measured(client: Any, title: str, address: str, rounds: int, slow: float) -> str:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    answer = client.get(address)  # warms up
    if answer.status_code != 200:
        raise AssertionError(f"{address} answers {answer.status_code}")
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    queries = captured.captured_queries  # a slice of a log that the next request clears
    for query in queries:
        if slow and float(query["time"]) * 1000 >= slow:
            _say(f"    {query['time']} {str(query['sql'])[:600]}")
    figures = []
    for _ in range(rounds):
        began = time.perf_counter()
        client.get(address)
        figures.append(1000 * (time.perf_counter() - began))
    inside = 1000 * sum(float(query["time"]) for query in queries)
    return f"| {title} | {len(queries)} | {median(figures):.0f} | {max(figures):.0f} | {inside:.0f} |"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
