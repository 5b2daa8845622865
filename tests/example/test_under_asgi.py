"""The example shop under uvicorn and daphne: a visit with sync and async views, and a stack of async middleware."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.example.conftest import EXAMPLE

pytestmark = pytest.mark.services

APPLICATION = "example.asgi:application"
PORT = re.compile(r"(?:running on http://127\.0\.0\.1:|Listening on TCP address 127\.0\.0\.1:)(\d+)")
SERVERS = {
    "uvicorn": ["uvicorn", "--host", "127.0.0.1", "--port", "0", APPLICATION],
    "daphne": ["daphne", "-e", "tcp:0:interface=127.0.0.1", APPLICATION],
}
CLICK = "E.C.P.click-under-asgi"


@pytest.fixture(params=SERVERS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Its address. The server chooses a free port and says which."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.example.asgi_settings",
        "PYTHONPATH": f"{EXAMPLE}{os.pathsep}{EXAMPLE.parent}",
        "SHOP_VAR": str(tmp_path / "var"),
        "TIKTOK_STANDIN": "http://127.0.0.1:9",  # nothing is delivered here
    }
    for command in (["migrate", "--verbosity", "0"], ["seed"]):
        manage = [sys.executable, str(EXAMPLE / "manage.py"), *command]
        subprocess.run(manage, env=environment, check=True, capture_output=True)
    log = tmp_path / "server.log"
    with log.open("wb") as written:
        command = [sys.executable, "-m", *SERVERS[request.param]]
        running = subprocess.Popen(command, env=environment, stdout=written, stderr=written)
        try:
            while not (found := PORT.search(log.read_text())):
                assert running.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            running.terminate()
            running.wait(timeout=20)
    assert "Traceback" not in log.read_text()


def test_a_visit_with_async_views_loses_no_event(shop: str) -> None:
    visitor = requests.Session()
    visitor.headers["Accept"] = "text/html,application/xhtml+xml,*/*;q=0.8"
    visitor.cookies.set("shop_ads", "yes")

    def get(path: str) -> requests.Response:
        answer = visitor.get(f"{shop}{path}", timeout=20)
        assert answer.status_code == 200, path
        return answer

    assert "tiktok" in get(f"/?ttclid={CLICK}").text
    assert visitor.cookies["ttclid"] == CLICK
    for path in ("/search/?q=tea", "/cart/", "/privacy/"):
        assert "tiktok" in get(path).text
    assert '"Lead"' in get("/async/lead/").text
    assert '"Contact"' in get("/async/contact/").text
    assert get("/async/stream/").text == "<html></html>"
    assert '"Subscribe"' in get("/privacy/").text  # the page after the stream
    assert '"Subscribe"' not in get("/privacy/").text
    names = get("/async/recorded/").json()["names"]
    assert [name for name in names if name in ("Lead", "Contact", "Subscribe")] == ["Lead", "Contact", "Subscribe"]
