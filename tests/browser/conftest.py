"""The site of these tests, and a server of single pages for a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.browser.site"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def open_page(page: Page) -> Iterator[Callable[..., None]]:
    """`open_page(script, …, policy="")` shows a page of these inline scripts, or of elements that begin with "<"."""
    shown = {"text": "", "policy": ""}

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = shown["text"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            if shown["policy"]:
                self.send_header("Content-Security-Policy", shown["policy"])
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object, **kwargs: object) -> None:
            pass

    def open_page(*scripts: str, policy: str = "") -> None:
        elements = (text if text.startswith("<") else f"<script>{text}</script>" for text in scripts)
        icon = '<link rel="icon" href="data:,">'
        shown.update(text=f"<!doctype html><title>Shop</title>{icon}{''.join(elements)}", policy=policy)
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/", wait_until="load")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield open_page
    server.shutdown()
    server.server_close()
