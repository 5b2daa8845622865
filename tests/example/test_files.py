"""The demonstration's broker: messages as files, read while others are written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.example.conftest import EXAMPLE

pytestmark = pytest.mark.on_engine("sqlite")

MESSAGES = 1000
# In a process of its own, for the example's package brings its own Celery app.
READ_WHILE_WRITTEN = """
import sys, threading
from contextlib import suppress
from queue import Empty
from kombu import Connection
from example.files import Transport

folder, count = sys.argv[1], int(sys.argv[2])
options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
writer, reader = (Connection(transport=Transport, transport_options=options).default_channel for _ in range(2))
turn = threading.Semaphore()

def write():
    for number in range(count):
        turn.acquire()
        writer._put("q", {"number": number})

threading.Thread(target=write, daemon=True).start()
read = []
while len(read) < count:
    with suppress(Empty):
        read.append(reader._get("q")["number"])
        turn.release()
"""


def test_a_message_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_WHILE_WRITTEN, str(tmp_path), str(MESSAGES)],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
