"""The stand-in as one object: start it, point the app at its addresses, and read its ledger.

`run` and `serve` are the program that `python -m tiktok_attribution.testing` and `tiktok_standin` start.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from tiktok_attribution.testing.exchange import Exchange
from tiktok_attribution.testing.faults import Faults
from tiktok_attribution.testing.handler import EVENTS_API_PATH, PIXEL_PATH, SCRIPT_PATH, Handler, Listener
from tiktok_attribution.testing.ledger import Ledger
from tiktok_attribution.testing.marketing import PREFIX as MARKETING_PREFIX
from tiktok_attribution.testing.notes import Notes
from tiktok_attribution.testing.rules import Rules


class StandIn:
    """A stand-in for TikTok on a loopback address, in a thread of this process.

    `port` 0 takes a free one, which stop() and start() keep. `tokens` maps pixel codes to tokens; None accepts any
    token except one with "Bearer ". `journal` is a file that keeps what arrived across restarts. Raises ValueError for
    a host that other machines can reach.
    """

    def __init__(
        self,
        port: int = 0,
        tokens: Mapping[str, str] | None = None,
        *,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        journal: str | Path | None = None,
        host: str = "127.0.0.1",
        clock: Callable[[], float] = time.time,
        max_body_bytes: int = 1_000_000,
        refuse_unknown_currency: bool = False,
    ) -> None:
        if ledger is not None and journal is not None:
            raise ValueError("give the journal to the ledger: Ledger(journal=...)")
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the stand-in listens on loopback addresses only, not on {host}")
        self.host = host
        self.port = port
        self.ledger = Ledger(clock=clock, journal=journal) if ledger is None else ledger
        self.faults = Faults() if faults is None else faults
        self.notes = Notes(self.ledger.journal)
        rules = Rules(tokens=tokens, max_body_bytes=max_body_bytes, refuse_unknown_currency=refuse_unknown_currency)
        self.exchange = Exchange(rules=rules, ledger=self.ledger, faults=self.faults, notes=self.notes)
        self.marketing = self.exchange.marketing
        self._listener: Listener | None = None

    def __enter__(self) -> StandIn:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> StandIn:
        """Start to listen. Raises OSError if the port is in use."""
        if self._listener is None:
            self._listener = Listener((self.host, self.port), Handler, self.exchange)
            self.port = int(self._listener.server_address[1])
            threading.Thread(
                target=self._listener.serve_forever,
                kwargs={"poll_interval": 0.05},
                name="tiktok-stand-in",
                daemon=True,
            ).start()
        return self

    def stop(self) -> None:
        """Stop listening and close every connection. The ledger keeps what arrived."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.end()

    def reset(self) -> None:
        """Forget all arrivals, answers and accounts, and clear the faults."""
        self.exchange.reset()

    @property
    def url(self) -> str:
        """The address of the stand-in's page, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def pixel_host(self) -> str:
        """Use it instead of https://analytics.tiktok.com."""
        return self.url

    @property
    def api_url(self) -> str:
        """Use it instead of the address of the Events API."""
        return self.url + EVENTS_API_PATH

    @property
    def marketing_api_url(self) -> str:
        """Use it instead of the address of the Marketing API."""
        return self.url + MARKETING_PREFIX

    @property
    def script_url(self) -> str:
        return self.url + SCRIPT_PATH

    @property
    def pixel_url(self) -> str:
        """The address that events.js posts to."""
        return self.url + PIXEL_PATH


DEFAULT_PORT = 8765


def run(argv: Sequence[str] | None = None) -> int:
    """Serve as the arguments say, until SIGTERM or Ctrl-C. Returns the exit code of `serve`."""
    parser = argparse.ArgumentParser(
        prog="python -m tiktok_attribution.testing",
        description="A stand-in for TikTok's pixel and Events API on 127.0.0.1, for demos and tests.",
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    return serve(options.port, tokens=dict(options.token), journal=options.journal, quiet=options.quiet)


def serve(port: int, *, tokens: Mapping[str, str], journal: str | None, quiet: bool) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns 0 then, and 1 if the port is in use."""
    standin = StandIn(port=port, tokens=tokens or None, journal=journal)
    ended = threading.Event()
    if threading.current_thread() is threading.main_thread():

        def end(number: int, frame: FrameType | None) -> None:
            ended.set()

        signal.signal(signal.SIGTERM, end)
    try:
        standin.start()
    except OSError as problem:
        print(f"The stand-in can't listen on port {port}: {problem.strerror}", file=sys.stderr)
        return 1
    if not quiet:
        print(f"TikTok stand-in: {standin.url}/", flush=True)
        print(f"  Events API: {standin.api_url}", flush=True)
        print(f"  pixel host: {standin.pixel_host}", flush=True)
        print(f"  Marketing API: {standin.marketing_api_url}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        ended.wait()
    standin.stop()
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the program and of the management command."""
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the port; 0 takes a free one")
    parser.add_argument("--journal", help="a file that keeps what arrived across restarts")
    parser.add_argument(
        "--token",
        action="append",
        default=[],
        type=_token,
        metavar="PIXEL=TOKEN",
        help="accept only this token for this pixel; may be repeated",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def _token(text: str) -> tuple[str, str]:
    pixel, equals, token = text.partition("=")
    if not (pixel and equals and token):
        raise argparse.ArgumentTypeError("write it as PIXEL=TOKEN")
    return pixel, token
