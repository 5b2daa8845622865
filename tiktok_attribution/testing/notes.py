"""A file of JSON lines that outlives the process: what was written is known again after a kill.

What the stand-in answered last, what it remarked, and which pixel scripts were asked for.
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
    """Appends one JSON object a line, unbuffered and without fsync: it survives a kill, not a power cut."""

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
        """In the file when this returns. Raises OSError when it can't be."""
        line = json.dumps({"kind": kind, **record}, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock, self.path.open("ab", buffering=0) as file:
            file.write(line)

    def replay(self) -> Iterator[dict[str, Any]]:
        """Every record in order; a line that was cut off by a kill is passed over."""
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
    """`at` in epoch seconds; `events`: rows in the request; `fault`: the name of the fault, if one was."""

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
    """One sentence, how often it was made, and on which event last."""

    at: float
    channel: str
    text: str
    times: int
    event: str
    event_id: str


class Notes:
    """Thread-safe and bounded. Answers and remarks are replayed from the ledger's journal."""

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
        """Remarks of one request: the same sentence is kept once, with its number of times."""
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
        """The last ones, oldest first."""
        with self._lock:
            return list(self._answers)

    def remarks(self) -> list[RemarkMade]:
        """The one made last comes last."""
        with self._lock:
            return list(self._remarks.values())

    def script_loads(self) -> dict[str, int]:
        """How often each pixel's events.js was asked for, since the start."""
        with self._lock:
            return dict(self._script_loads)

    def clear(self) -> None:
        """Forget everything; the ledger's reset does the same for the journal."""
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
