"""Finds the one bad event of a refused batch in at most log2(n) requests, and one more for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass
class Search(Generic[Row]):
    """`suspects` are known to hold a bad event; with `prime`, the first of them is suspected above all.

    Send `probe`, then say what became of it. When one suspect is left it is the bad one, without another request: the
    set it is left over from was refused, and the rest of that set was accepted.
    """

    suspects: Sequence[Row]
    prime: bool = False

    @property
    def ended(self) -> bool:
        """True when the one suspect that is left is the bad one."""
        return len(self.suspects) <= 1

    @property
    def probe(self) -> Sequence[Row]:
        """What to send next: half of the suspects, or the prime one alone."""
        return self.suspects[: self._step]

    def accepted(self) -> None:
        """The probe was delivered, so the bad event is among the others."""
        self.suspects, self.prime = self.suspects[self._step :], False

    def refused(self) -> None:
        """The probe was refused, so a bad event is in it. Of the others nothing is known: they go with the rest."""
        self.suspects, self.prime = self.probe, False

    @property
    def _step(self) -> int:
        return 1 if self.prime else len(self.suspects) // 2
