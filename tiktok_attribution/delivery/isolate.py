"""Finds the one bad event of a refused batch in at most log2(n) requests, and one more for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass
class Search(Generic[Row]):
    """`suspects` are known to hold a bad event; of `others` nothing is known yet.

    Send `half`, then say what became of it. When one suspect is left it is the bad one, without another request: the
    set it is left over from was refused, and the rest of that set was accepted.
    """

    suspects: Sequence[Row]
    others: list[Row] = field(default_factory=list)

    @property
    def half(self) -> Sequence[Row]:
        """What to send next."""
        return self.suspects[: len(self.suspects) // 2]

    def accepted(self) -> None:
        """The half was delivered, so the bad event is in the other one."""
        self.suspects = self.suspects[len(self.suspects) // 2 :]

    def refused(self) -> None:
        """The half was refused, so a bad event is in it; the other half may be good."""
        self.others.extend(self.suspects[len(self.suspects) // 2 :])
        self.suspects = self.half
