"""The result of a check, in words: for the admin, a terminal, or JSON.

`Probe` runs a slow check for a page that must be quick.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext as _


class Level(str, Enum):
    """The severity of a result. Only an ERROR keeps events from TikTok."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What was found, why it matters and how to fix it ("" if all is well).

    `id` is stable: monitoring may use it, and it is the anchor on the admin's page.
    """

    id: str
    level: Level
    what: str
    reason: str = ""
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the texts as a dict for JSON."""
        return {"id": self.id, "level": self.level.value, "what": self.what, "reason": self.reason, "fix": self.fix}


def database_problem(reason: str) -> CheckResult:
    """Return a check result for a database that can't be read."""
    return CheckResult(
        id="database",
        level=Level.ERROR,
        what=_("The database could not be read: %(reason)s.") % {"reason": reason},
        fix=_("Check that it runs, and run: manage.py migrate"),
    )


EVERY_SECONDS = 60.0
PATIENCE_SECONDS = 0.2


class Probe:
    """Run a slow question in a thread, at most once in EVERY_SECONDS for each process, and remember the answer.

    Decision: a caller waits at most PATIENCE_SECONDS. A later answer is shown to the next caller. `ask` must not raise
    an error, and must end by itself.
    """

    def __init__(self, ask: Callable[[], str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked_at: float | None = None
        self._answer: str | None = None

    def answer(self) -> str | None:
        """Return the last answer; None if there is none yet."""
        with self._lock:
            is_asking = self._thread is not None and self._thread.is_alive()
            is_stale = self._asked_at is None or self._clock() - self._asked_at >= EVERY_SECONDS
            if is_stale and not is_asking:
                self._asked_at = self._clock()
                self._thread = threading.Thread(target=self._run, name="tiktok-probe", daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(PATIENCE_SECONDS)
        return self._answer

    def _run(self) -> None:
        self._answer = self._ask()
