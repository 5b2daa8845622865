"""P5a: a whole checkout in gunicorn, beside what a site would write by itself: a task on commit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlencode

from benchmarks.children.process import ROOT
from benchmarks.measured import Measured
from benchmarks.rounds import take_turns
from benchmarks.setup import Setup

CONTESTANTS = ("without", "disabled", "task", "app")
LINES = (3, 25)
MUST, AIM = 0.75, 0.95
"""Flows a second against those of "task"."""
WORKERS = CLIENTS = 2
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"

Times = list[tuple[float, float]]
"""Milliseconds of the POST and of the thank-you page, a flow each."""


def checkout(setup: Setup) -> Measured:
    """The ratio of 3 lines; that of 25 is a condition beside it."""
    found: dict[int, dict[str, list[float]]] = {}
    notes = []
    with _servers() as ports:
        _make_products()
        for lines in LINES:
            times: dict[str, Times] = {name: [] for name in CONTESTANTS}
            run = {name: partial(_flows, ports[name], name, lines, setup, times[name]) for name in CONTESTANTS}
            for warm in run.values():
                warm()
            for measured in times.values():
                measured.clear()
            found[lines] = take_turns(setup.scale.rounds, run)
            notes.append(f"{lines} lines: {_said(found[lines], times)}")
    few, many = (_ratio(found[lines]) for lines in LINES)
    return Measured.of_rounds(
        found[LINES[0]]["app"],
        found[LINES[0]]["task"],
        must_also=many >= MUST,
        aim_also=many >= AIM,
        note=f"{'; '.join(notes)}; ratios {few:.2f} and {many:.2f}",
    )


def _ratio(figures: Mapping[str, list[float]]) -> float:
    return median(ours / task for ours, task in zip(figures["app"], figures["task"], strict=True))


def _said(figures: Mapping[str, list[float]], times: Mapping[str, Times]) -> str:
    said = []
    for name in CONTESTANTS:
        posts, pages = zip(*times[name], strict=True)
        said.append(f"{name} {median(figures[name]):.0f}/s, p50 {median(posts):.1f} and {median(pages):.1f} ms")
    return ", ".join(said)


def _flows(port: int, name: str, lines: int, setup: Setup, times: Times) -> float:
    """So many checkouts by several clients at once; return how many a second."""
    each = max(1, setup.scale.checkouts // 8 // CLIENTS)
    form = {"lines": str(lines), "shape": "lines first"} | ({"task": "1"} if name == "task" else {})
    tag = "?tag=1" if name in ("app", "disabled") else ""
    started = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        for measured in clients.map(lambda _: [_flow(port, form, tag) for _ in range(each)], range(CLIENTS)):
            times += measured
    return each * CLIENTS / (perf_counter() - started)


def _flow(port: int, form: dict[str, str], tag: str) -> tuple[float, float]:
    """One visitor with a browser of their own: the form, the redirect, the page."""
    started = perf_counter()
    made, _ = _ask(port, "POST", "/buy/", urlencode(form))
    posted = perf_counter()
    cookie = "; ".join(value.partition(";")[0] for value in made.headers.get_all("Set-Cookie", []))
    shown, text = _ask(port, "GET", made.headers["Location"] + tag, cookie=cookie)
    done = perf_counter()
    if (made.status, shown.status) != (302, 200):
        raise AssertionError(f"the checkout gave {made.status} and {shown.status}")
    if cookie and b"ttq.track" not in text:
        raise AssertionError("the thank-you page has no pixel call")
    return (posted - started) * 1000, (done - posted) * 1000


def _ask(port: int, method: str, path: str, body: str | None = None, cookie: str = "") -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"User-Agent": _AGENT, "Accept": "text/html"} | ({"Cookie": cookie} if cookie else {})
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def _make_products() -> None:
    from benchmarks.shop.models import Product  # noqa: PLC0415 -- measures are imported when Django is set up

    for number in range(max(LINES)):
        Product.objects.get_or_create(sku=f"sku-{number}", defaults={"title": f"Product {number}"})


@contextmanager
def _servers() -> Iterator[dict[str, int]]:
    """A gunicorn for each contestant; the three that wait cost nothing. None outlives the block."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(_server(name)) for name in CONTESTANTS}


@contextmanager
def _server(name: str) -> Iterator[int]:
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--workers", str(WORKERS)]
    command += ["--bind", "127.0.0.1:0", "benchmarks.wsgi:application"]
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        with log.open("wb") as written:
            environment = {**os.environ, "BENCHMARKS_CONTESTANT": name}
            running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=written, stderr=written)
            try:
                while not (port := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())):
                    if running.poll() is not None:
                        raise RuntimeError(f"gunicorn ended early: {log.read_text()[-500:]}")
                yield int(port[1])
            finally:
                running.terminate()
                running.wait(timeout=20)
