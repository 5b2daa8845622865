"""`manage.py tiktok_backfill`: record conversions that no signal saw. You can run it twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connections, router

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.finishing import finish_everywhere
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.management.tables import TablesCommand


class Command(TablesCommand):
    """Record conversions that were made by QuerySet.update or bulk_create, or while the app was off."""

    help = "Record conversions that no signal saw, within the last days. Each counts once, even if you run this twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("models", nargs="*", metavar="app.Model", help="Only these models (default: all declared).")
        parser.add_argument("--days", type=float, help="How many days back. Default and maximum: MAX_AGE_DAYS.")
        parser.add_argument(
            "--unknown-consent",
            action="store_true",
            help="Also record what visitors may have refused while the database refused rows of this app.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Count, but record nothing.")
        parser.add_argument("--database", help="Read this database instead of the one that the router chooses.")

    def handle(self, *args: Any, **options: Any) -> None:
        settings = conf.current()
        if not settings.enabled:
            raise CommandError("TIKTOK_ATTRIBUTION['ENABLED'] is False: nothing can be recorded. Set it to True here.")
        database, days, dry = options["database"], options["days"], options["dry_run"]
        if database is not None and database not in connections:
            raise CommandError(f"There is no database {database!r}. DATABASES has {', '.join(connections)}.")
        if days is not None and not 0 < days <= settings.max_age_days:
            raise CommandError(
                f"--days is {days:g}, but nothing older than MAX_AGE_DAYS ({settings.max_age_days:g}) is sent: "
                f"give more than 0 and at most {settings.max_age_days:g}."
            )
        if not dry:
            finish_everywhere()
            for alias in outbox_databases():
                outages.prepare(alias)
        for conversion in self._declared(options["models"]):
            using = database or router.db_for_write(conversion.model)
            since = None if days is None else days * 86_400
            unknown = options["unknown_consent"]
            counts = backfill(conversion, using=using, since_seconds=since, dry=dry, unknown_consent=unknown)
            self._tell(conversion, counts, dry=dry)

    def _declared(self, labels: Sequence[str]) -> list[Conversion]:
        wanted = {label.lower(): label for label in labels}
        declared = [one for one in registry.every() if not wanted or one.model._meta.label_lower in wanted]
        unknown = wanted.keys() - {conversion.model._meta.label_lower for conversion in declared}
        if unknown:
            raise CommandError(_undeclared(sorted(wanted[label] for label in unknown)))
        return declared

    def _tell(self, conversion: Conversion, counts: Counter[str], *, dry: bool) -> None:
        words = {"recorded": "to be recorded"} if dry else {}
        told = ", ".join(f"{count} {words.get(what, what)}" for what, count in sorted(counts.items()))
        self.stdout.write(f"{conversion.event} of {conversion.model._meta.label}: {told or 'nothing happened'}")
        advices = ADVICE | ({"undated": EMPTY_TIME} if conversion.has_time else {})
        for what, advice in advices.items():
            if counts[what]:
                self.stdout.write(f"  {what}: {advice}")


def _undeclared(labels: Sequence[str]) -> str:
    known = sorted({conversion.model._meta.label for conversion in registry.every()})
    near = dict.fromkeys(filter(None, (conf.nearest(label, known) for label in labels)))
    meant = f" Did you mean {' and '.join(map(repr, near))}?" if near else ""
    return f"No conversion is declared for {', '.join(labels)}.{meant} Declared: {', '.join(known) or 'none at all'}."


EMPTY_TIME = 'their time field is empty (the conversion\'s "time" or event_time): fill it, and run this again'
ADVICE = {
    "undated": 'declare "time" (or event_time) so that they can be sent with their own time',
    "invalid": "see their notes in the admin, fix the mapping or the object, and run this again",
    "unreadable": 'their condition failed, and the log says why: fix "when" (or happened)',
    "refused": "their visitors refused, no visitor could be asked, or paused() was active; they are not recorded",
    "with unknown consent": (
        "the database refused rows of this app then (tiktok_status says when), so a visitor's refusal may be lost; "
        "they are not recorded. If you know that they may be sent, run this again with --unknown-consent"
    ),
    "without visitor": 'only objects that a visitor made count ("made_by"), and no visitor is known; not recorded',
    "old": "older than --days or MAX_AGE_DAYS; they are not sent",
}
