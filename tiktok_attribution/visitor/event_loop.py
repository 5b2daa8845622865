"""Whether the database can be asked here: not by code that an event loop runs."""

from __future__ import annotations

import asyncio
import os


def in_event_loop() -> bool:
    """As Django's `async_unsafe` decides, which would raise SynchronousOnlyOperation at the first statement."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return not os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
