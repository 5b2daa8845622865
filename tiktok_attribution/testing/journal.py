"""A file of JSON lines that outlives the process: what was written is known again after a kill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


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
