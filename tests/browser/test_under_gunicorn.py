"""The endpoints behind gunicorn, which hands over bytes as they came and not as Django's test client makes them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.browser.test_endpoints import ID, SEARCH
from tiktok_attribution.browser import signed_events
from tiktok_attribution.models import OutboxEvent

pytestmark = [pytest.mark.hostile, pytest.mark.services, pytest.mark.django_db(transaction=True)]

APPLICATION = "django.core.wsgi:get_wsgi_application()"
OWN = b"Sec-Fetch-Site: same-origin\r\n"


@pytest.fixture
def server(child_environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Its port, and the file of what it wrote to standard error."""
    log = tmp_path / "gunicorn.log"
    environment = {**child_environment, "DJANGO_SETTINGS_MODULE": "tests.browser.served_settings"}
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--no-control-socket",
        "--timeout",
        "5",
        "--bind",
        "127.0.0.1:0",
        APPLICATION,
    ]
    with log.open("wb") as written:
        running = subprocess.Popen(command, env=environment, stdout=written, stderr=written)
        try:
            while not (found := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())):
                assert running.poll() is None, log.read_text()
            yield int(found[1]), log
        finally:
            running.terminate()
            running.wait(timeout=20)


def ask(port: int, path: str, body: bytes, headers: bytes = OWN, length: bytes | None = None) -> bytes:
    """The first line of the answer, b"" where there is none."""
    host = b"" if b"Host:" in headers else b"Host: localhost\r\n"
    said = b"%d" % len(body) if length is None else length
    head = b"POST %s HTTP/1.1\r\n%b%bContent-Length: %b\r\nConnection: close\r\n\r\n" % (
        path.encode(),
        host,
        headers,
        said,
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        try:
            return connection.makefile("rb").readline()
        except ConnectionError:
            return b""


HEADERS = [
    b"Origin: http://[\r\n",
    OWN + b"Cookie: tiktok_pending=\xff\xfe; ttclid=\x80; tiktok_consent=%ff\r\n",
    OWN + b"Cookie: " + b"a=b;" * 1900 + b"\r\n",
    OWN + b"User-Agent: " + b"\xff" * 8000 + b"\r\n",
    OWN + b"X-Forwarded-For: " + b"1.2.3.4," * 900 + b"[\r\n",
    OWN + b"Accept-Language: " + b"a-" * 3900 + b"\r\n",
    OWN + b"Referer: http://[\xff\r\n",
    b"Origin: http://localhost\r\nHost: [\r\n",
    b"Origin: http://localhost\r\nHost: evil.example\r\n",
    b"Origin: http://localhost\r\nHost:\r\n",
    OWN + b"X-Junk: " + b"x" * 20_000 + b"\r\n",
]
BODIES = [b"[" * 4000, b"\xff\xfe", b"{", b"", b'{"search": "\\ud800?ttclid=\\u0000"}', b"x" * 20_000, b"9" * 5000]


def test_nothing_that_is_sent_is_an_error(server: tuple[int, Path]) -> None:
    port, log = server
    answers = []
    for path in ("/tiktok/", "/tiktok/consent/", "/tiktok/?ttclid=%ff%00", "/tiktok/consent/?%ff"):
        answers += [ask(port, path, body) for body in BODIES]
        answers += [ask(port, path, b"{}", headers) for headers in HEADERS]
        answers += [ask(port, path, b"{}", length=length) for length in (b"a", b"-1", b"9" * 30, b"10")]
    statuses = {answer.split(b" ")[1] for answer in answers if answer}
    assert statuses <= {b"200", b"204", b"400", b"403", b"431"}
    assert {b"200", b"204", b"400", b"403"} <= statuses
    report = b'{"action": "%b", "event_id": "%b", "page": "http://localhost/"}' % (
        signed_events.sign(SEARCH).encode(),
        ID.encode(),
    )
    assert ask(port, "/tiktok/", report).split(b" ")[1] == b"204"
    assert OutboxEvent.objects.count() == 1  # so it was heard all along
    said = [line for line in log.read_text().splitlines() if line.startswith(("ERROR", "CRITICAL"))]
    # Of a host that is not allowed Django itself tells, before any view is asked.
    assert [line for line in said if "django.security.DisallowedHost" not in line] == []


DIGITS = "01%20" + "1" * 300 + "x"


def test_an_address_that_is_hard_to_read_keeps_no_worker_busy(server: tuple[int, Path]) -> None:
    """gunicorn kills a worker that is busy for 5 seconds: one such address took longer than that."""
    port, log = server
    for path, referrer in {
        "/lead-page/": f"https://a.example/{DIGITS}",
        f"/search/?q={DIGITS}&utm_source={DIGITS}": "https://a.example/",
        f"/lead-page/?utm_campaign={DIGITS}": f"https://a.example/?utm_term={DIGITS}",
    }.items():
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path, headers={"Referer": referrer, "User-Agent": "01 " + "1" * 300 + "x"})
        assert connection.getresponse().status in (200, 404)
        connection.close()
    assert "WORKER TIMEOUT" not in log.read_text()
