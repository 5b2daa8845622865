"""Celery's messages as files that are whole as soon as they can be seen.

kombu makes the file of a message, then writes into it. A worker that looks in between reads nothing, and ends.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        name = f"{round(monotonic() * 1000)}_{uuid4()}.{queue}.msg"
        unseen = Path(self.data_folder_out, f"unfinished.{name}")  # of no queue's name
        unseen.write_text(dumps(payload), encoding="utf-8")
        unseen.rename(Path(self.data_folder_out, name))


class Transport(filesystem.Transport):
    Channel = Channel
