"""`manage.py tiktok_backfill`: record what the signals never saw. Safe to run twice."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.backfill import backfill


class Command(BaseCommand):
    """Finds conversions made by QuerySet.update, bulk_create, or while the app was off."""

    help = "Record conversions that no signal saw, within the last days. Each counts once, however often this runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("models", nargs="*", metavar="app.Model", help="Only these models (default: all declared).")
        parser.add_argument("--days", type=float, help="How far back; at most MAX_AGE_DAYS, which is the default.")
        parser.add_argument("--dry-run", action="store_true", help="Count, but record nothing.")
        parser.add_argument("--database", help="Look in this database instead of the one that the router names.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not conf.current().enabled:
            raise CommandError("TIKTOK_ATTRIBUTION['ENABLED'] is False: nothing can be recorded.")
        wanted = {label.lower() for label in options["models"]}
        declared = [c for c in registry.every() if not wanted or c.model._meta.label_lower in wanted]
        unknown = wanted - {conversion.model._meta.label_lower for conversion in declared}
        if unknown:
            raise CommandError(f"No conversion is declared for {', '.join(sorted(unknown))}.")
        since = options["days"] * 86_400 if options["days"] else None
        for conversion in declared:
            using = options["database"] or router.db_for_read(conversion.model)
            tally = backfill(conversion, using=using, since_seconds=since, dry=options["dry_run"])
            told = ", ".join(f"{count} {what}" for what, count in sorted(tally.items())) or "nothing happened"
            self.stdout.write(f"{conversion.event} of {conversion.model._meta.label}: {told}")
            if tally["undated"]:
                self.stdout.write('  undated: declare "time" (or event_time) so that they can be sent with their own time')
