"""Workers that are killed and started again, or stand still for a while and go on, one after another."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.site import Process, Site, kill

PAUSE_SECONDS = (0.3, 4.0)  # shorter and longer than the lease of the suite's settings, which is 2.1 s
KILLED, PAUSED = "killed", "paused"


@dataclass(kw_only=True)
class Crew:
    """One process for each command. `troubles` counts what happened to them."""

    site: Site
    commands: Sequence[Sequence[str]]
    environment: dict[str, str]
    troubles: Counter[str] = field(default_factory=Counter)
    _running: list[Process] = field(default_factory=list)
    _goes_on_at: dict[int, float] = field(default_factory=dict)

    @contextmanager
    def at_work(self) -> Iterator[Crew]:
        """Killed at the end, those that stand still too."""
        try:
            self._running += [self._start(command) for command in self.commands]
            yield self
        finally:
            for process in self._running:
                kill(process)

    def disturb(self) -> None:
        """Let those go on whose pause is over, then kill or pause one of the others."""
        for number, at in list(self._goes_on_at.items()):
            if at <= time.monotonic():
                self._go_on(number)
        number = random.choice([number for number in range(len(self._running)) if number not in self._goes_on_at])
        if random.random() < 0.5:
            kill(self._running[number])
            self._running[number] = self._start(self.commands[number])
            self.troubles[KILLED] += 1
        elif len(self._goes_on_at) < len(self._running) - 1:
            os.killpg(self._running[number].pid, signal.SIGSTOP)
            self._goes_on_at[number] = time.monotonic() + random.uniform(*PAUSE_SECONDS)
            self.troubles[PAUSED] += 1

    def _go_on(self, number: int) -> None:
        del self._goes_on_at[number]
        os.killpg(self._running[number].pid, signal.SIGCONT)

    def _start(self, command: Sequence[str]) -> Process:
        return self.site.start(*command, **self.environment)
