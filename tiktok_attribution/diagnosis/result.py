"""One finding, in words for whoever looks: in the admin, at a terminal, or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext as _


class Level(str, Enum):
    """How bad it is. Only ERROR keeps events from TikTok."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What was found, why it matters and how to fix it ("" where all is well).

    `id` is stable: monitoring may name it, and it is the anchor on the admin's page.
    """

    id: str
    level: Level
    what: str
    reason: str = ""
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Plain texts."""
        return {"id": self.id, "level": self.level.value, "what": self.what, "reason": self.reason, "fix": self.fix}


def database_problem(reason: str) -> CheckResult:
    """A database that can't be looked at is a finding itself."""
    return CheckResult(
        id="database",
        level=Level.ERROR,
        what=_("The database could not be asked: %(reason)s.") % {"reason": reason},
        fix=_("See that it runs, and run: manage.py migrate"),
    )
