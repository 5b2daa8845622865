"""Notes of the stand-in: its last answers, its remarks, and the pixel scripts that were requested.

`Journal` is a file of JSON lines, so what was written is known again after the process was killed.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tiktok_attribution.testing.remarks import Remark


class Journal:
    """Append one JSON object a line, unbuffered and without fsync. It survives a kill, but not a power failure."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+", buffering=0) as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def append(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write a record; it is in the file when this returns. Raises OSError if that fails."""
        line = json.dumps({"kind": kind, **record}, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock, self.path.open("ab", buffering=0) as file:
            file.write(line)

    def replay(self) -> Iterator[dict[str, Any]]:
        """Yield every record in order. Skips a line that a kill has cut off."""
        with self.path.open("rb") as lines:
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    yield record


KEPT_ANSWERS = 200
KEPT_REMARKS = 200
KEPT_PIXELS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGiven:
    """`at` is in epoch seconds, `events` the number of rows in the request, `fault` the name of the fault or ""."""

    at: float
    channel: str
    pixel: str
    http_status: int
    code: int | None
    message: str
    request_id: str
    events: int
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemarkMade:
    """A sentence, how often it was made, and the event that it was last about."""

    at: float
    channel: str
    text: str
    times: int
    event: str
    event_id: str


class Notes:
    """Thread-safe and bounded notes. Answers and remarks are read again from the ledger's journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._answers: deque[AnswerGiven] = deque(maxlen=KEPT_ANSWERS)
        self._remarks: dict[tuple[str, str], RemarkMade] = {}
        self._script_loads: Counter[str] = Counter()
        if journal is not None:
            for record in journal.replay():
                self._replay(record)

    def answer(self, given: AnswerGiven) -> None:
        self._journalled("answer", asdict(given))
        with self._lock:
            self._answers.append(given)

    def remark(self, channel: str, remarks: Iterable[Remark], *, at: float) -> None:
        """Add the remarks of one request. The same sentence is kept once, with its number of times."""
        made: dict[str, RemarkMade] = {}
        for one in remarks:
            times = made[one.text].times + 1 if one.text in made else 1
            made[one.text] = RemarkMade(
                at=at, channel=channel, text=one.text, times=times, event=one.event, event_id=one.event_id
            )
        for remark in made.values():
            self._journalled("remark", asdict(remark))
            with self._lock:
                self._keep(remark)

    def script_loaded(self, pixel: str) -> None:
        with self._lock:
            if pixel in self._script_loads or len(self._script_loads) < KEPT_PIXELS:
                self._script_loads[pixel] += 1

    def answers(self) -> list[AnswerGiven]:
        """Return the last answers, oldest first."""
        with self._lock:
            return list(self._answers)

    def remarks(self) -> list[RemarkMade]:
        """Return the remarks; the most recent one comes last."""
        with self._lock:
            return list(self._remarks.values())

    def script_loads(self) -> dict[str, int]:
        """Return how often each pixel's events.js was requested since the start."""
        with self._lock:
            return dict(self._script_loads)

    def clear(self) -> None:
        """Forget everything. The ledger's reset does the same for the journal."""
        with self._lock:
            self._answers.clear()
            self._remarks.clear()
            self._script_loads.clear()

    def _keep(self, remark: RemarkMade) -> None:
        key = (remark.channel, remark.text)
        before = self._remarks.pop(key, None)
        self._remarks[key] = replace(remark, times=remark.times + before.times) if before else remark
        if len(self._remarks) > KEPT_REMARKS:
            del self._remarks[next(iter(self._remarks))]

    def _journalled(self, kind: str, record: Mapping[str, Any]) -> None:
        if self._journal is not None:
            self._journal.append(kind, record)

    def _replay(self, record: dict[str, Any]) -> None:
        kind = record.pop("kind", None)
        if kind == "answer":
            self._answers.append(AnswerGiven(**record))
        elif kind == "remark":
            self._keep(RemarkMade(**record))
        elif kind == "reset":
            self.clear()
