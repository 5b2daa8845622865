"""The stand-in as a program."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType

from tiktok_attribution.testing.server import StandIn

DEFAULT_PORT = 8765


def run(argv: Sequence[str] | None = None) -> int:
    """Serve as the arguments say, until SIGTERM or Ctrl-C; the exit code of `serve`."""
    parser = argparse.ArgumentParser(
        prog="python -m tiktok_attribution.testing",
        description="A stand-in for TikTok's pixel and Events API on 127.0.0.1, for demos and tests.",
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    return serve(options.port, tokens=dict(options.token), journal=options.journal, quiet=options.quiet)


def serve(port: int, *, tokens: Mapping[str, str], journal: str | None, quiet: bool) -> int:
    """Serve until SIGTERM or Ctrl-C; 0 then, 1 when the port is taken."""
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
    with contextlib.suppress(KeyboardInterrupt):
        ended.wait()
    standin.stop()
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program and of the management command."""
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--journal", help="a file that keeps what arrived across restarts")
    parser.add_argument(
        "--token",
        action="append",
        default=[],
        type=_token,
        metavar="PIXEL=TOKEN",
        help="take this token for this pixel and no other; may be repeated",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def _token(text: str) -> tuple[str, str]:
    pixel, equals, token = text.partition("=")
    if not (pixel and equals and token):
        raise argparse.ArgumentTypeError("write it as PIXEL=TOKEN")
    return pixel, token
