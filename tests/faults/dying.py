"""`python -m tests.faults.dying MOMENT`: a worker that SIGKILLs itself at one moment of its first batch."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

Call = Callable[..., Any]


def _die(*args: Any, **kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(call: Call) -> Call:
    return _die


def _after(call: Call) -> Call:
    def dying(*args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        _die()

    return dying


MOMENTS = {
    "leased": ("tiktok_attribution.delivery.lanes.Lease.take", _before),
    "noted": ("tiktok_attribution.delivery.client.Client.post", _before),
    "answered": ("tiktok_attribution.delivery.client.Client.post", _after),
    "marking": ("tiktok_attribution.models.Attempt.save", _after),  # inside the transaction of the marks
    "taking the next": ("tiktok_attribution.delivery.lane_sender.take_ahead", _after),
    "marked": ("tiktok_attribution.delivery.results.Results.delivered", _after),
}

if __name__ == "__main__":
    django.setup()

    from django.core.management import call_command
    from django.utils.module_loading import import_string

    target, when = MOMENTS[sys.argv[1]]
    owner, _, name = target.rpartition(".")
    where = import_string(owner)
    setattr(where, name, when(getattr(where, name)))
    call_command("tiktok_deliver")
