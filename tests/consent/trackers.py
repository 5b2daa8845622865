"""What an error tracker with its defaults, and Django's own reports, would say of an error."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Any

import sentry_sdk
from django.test import override_settings
from django.views.debug import ExceptionReporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sentry_sdk.utils import event_from_exception

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Kept(Transport):
    """A transport that sends nothing and keeps what it is given."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def text(self) -> str:
        return b"".join(envelope.serialize() for envelope in self.envelopes).decode()


def by_sentry(info: ExcInfo) -> str:
    """The envelope of sentry-sdk; without its integrations, which would stay in this process."""
    kept = Kept()
    client = sentry_sdk.Client(
        dsn="http://key@127.0.0.1/1", transport=kept, default_integrations=False, auto_enabling_integrations=False
    )
    event, hint = event_from_exception(info, client_options=client.options)
    client.capture_event(event, hint)
    assert info[0].__name__ in kept.text
    return kept.text


def by_django(info: ExcInfo, *, debug: bool) -> str:
    """Django's text, as it is mailed to ADMINS, and its page."""
    with override_settings(DEBUG=debug):
        reporter = ExceptionReporter(None, *info)
        return reporter.get_traceback_text() + reporter.get_traceback_html()


def reports() -> dict[str, str]:
    """Every report of the error that is being handled. With DEBUG on Django shows the same frames, and stars less."""
    info: Any = sys.exc_info()
    return {"sentry": by_sentry(info), "django": by_django(info, debug=True)}


def places(text: str) -> list[str]:
    """The functions that an envelope of sentry-sdk names, the outermost first."""
    event = next(json.loads(line) for line in text.splitlines() if '"exception"' in line)
    return [frame["function"] for one in event["exception"]["values"] for frame in one["stacktrace"]["frames"]]
