"""`python -m tests.hostile`: every reader with every text, each reader within a limit of processor time.

It writes the name of a reader before it begins, so the last name is the one that took too long.
"""

from __future__ import annotations

import resource
import sys
import time

import django

django.setup()

from tests.hostile.readers import READERS, run  # noqa: E402 -- models can't be imported before Django is set up
from tests.hostile.texts import LENGTH  # noqa: E402

CPU_SECONDS = 2
"""For one reader and all texts. The system limits whole seconds; they take 0.01 to 0.2."""


def main() -> None:
    for name in READERS:
        run(name, 200)  # loads what is loaded once, such as the numbering plan of a country
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        most = int(time.process_time()) + 1 + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        run(name, LENGTH)
    sys.stdout.write("all\n")


if __name__ == "__main__":
    main()
