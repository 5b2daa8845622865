"""A site's own Celery task beside this app's: `celery -A tests.faults.site_app worker`."""

from __future__ import annotations

import time
from pathlib import Path

from tests.worker import app

NOTE = "site.note"


@app.task(name=NOTE, ignore_result=True)
def note(path: str, number: int) -> None:
    """Append the number and the time, in epoch seconds."""
    with Path(path).open("a") as notes:
        notes.write(f"{number} {time.time()}\n")
