"""`python -m tests.faults.visits COUNT`: paid orders of visitors who send `Sec-GPC: 1`; then the process is killed."""

from __future__ import annotations

import os
import signal
import sys

import django

if __name__ == "__main__":
    django.setup()

    from django.test import Client, override_settings

    with override_settings(ROOT_URLCONF="tests.conversions.site"):
        for _ in range(int(sys.argv[1])):
            answer = Client().get("/checkout/?status=paid", headers={"sec-gpc": "1"})
            print(answer.status_code, flush=True)  # noqa: T201 -- its answer
    os.kill(os.getpid(), signal.SIGKILL)  # nothing of it can write down what it remembers
