"""Outages: when the database refused rows of this app, so that refusals of visitors may be lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.utils.translation import gettext as _

from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.diagnosis.result import CheckResult, Level


def results() -> Iterator[CheckResult]:
    """One for all outages of a database, until they are so old that their orders are not looked for any more."""
    for alias in outbox_databases():
        found = outages.known(alias)
        if not found:
            continue
        lasts = time.time() - found[-1].until <= outages.JOIN_SECONDS
        yield CheckResult(
            id="outage",
            level=Level.ERROR if lasts else Level.WARNING,
            what=_("Database %(alias)s refused rows of this app: %(times)s.")
            % {"alias": alias, "times": "; ".join(map(str, found[-MOST_NAMED:]))},
            reason=_(
                "Refusals of visitors may be lost. An order of that time counts as refused if nothing was stored for "
                "its visitor: no backfill, webhook or recheck() records it."
            ),
            fix=_(
                "Find the cause in the database's log (full disk, missing right) and fix it. If you know that all of "
                "those orders may be sent, run: manage.py tiktok_backfill --unknown-consent"
            ),
        )


MOST_NAMED = 5
"""The newest outages of a disk that was full now and then."""
