"""`manage.py tiktok_spend`: import what TikTok's ads cost, from a CSV or by the Marketing API; list and undo."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tiktok_attribution import conf
from tiktok_attribution.attribution import spend, spend_fetch
from tiktok_attribution.attribution.spend_columns import FIELDS, LEVELS
from tiktok_attribution.attribution.spend_preview import MOST_LISTED, Preview, currency_of, preview
from tiktok_attribution.attribution.spend_row import Choices, level_words, unread_columns
from tiktok_attribution.attribution.spend_table import MOST_BYTES, UnreadableSpend
from tiktok_attribution.events.money import currency_code
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.management.tables import TablesCommand
from tiktok_attribution.marketing.client import Fate
from tiktok_attribution.models import SpendImport

LISTED = 50


class Command(TablesCommand):
    """Show a preview first. It asks only on a terminal, and imports without asking only with --yes."""

    help = "Import spend from a CSV of TikTok Ads Manager, by day; list imports, or undo one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", metavar="FILE", help="A CSV that was exported by day.")
        parser.add_argument("--advertiser", help="The advertiser id (default: the only one of MARKETING_API).")
        parser.add_argument("--currency", help="The currency of rows that name none (default: the advertiser's).")
        parser.add_argument("--dates", choices=("dmy", "mdy"), help="The order of dates such as 01/02/2026.")
        parser.add_argument("--decimal", choices=(".", ","), metavar="SIGN", help="The decimal sign: . or ,")
        parser.add_argument("--level", choices=LEVELS, help="Refuse the file if it is of another level.")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            type=_column,
            metavar="FIELD=HEADING",
            help="Which column a field is.",
        )
        parser.add_argument("--yes", action="store_true", help="Import without asking.")
        parser.add_argument("--json", action="store_true", help="Print the preview as JSON, and import nothing.")
        parser.add_argument("--fetch", action="store_true", help="Fetch the last 35 days by the Marketing API.")
        parser.add_argument("--list", action="store_true", help="List the newest imports.")
        parser.add_argument("--undo", type=int, metavar="NUMBER", help="Undo this import.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [name for name in ("file", "fetch", "list", "undo") if options[name] not in (None, False)]
        if len(chosen) != 1:
            raise CommandError("Give one of: FILE, --fetch, --list, --undo NUMBER.")
        if options["list"]:
            self._list()
        elif options["fetch"]:
            self._fetch(options["advertiser"])
        elif options["undo"] is not None:
            self._undo(options["undo"])
        else:
            self._import(options)

    def _list(self) -> None:
        for one in SpendImport.objects.order_by("-pk")[:LISTED]:
            state = " (undone)" if one.undone_at else ""
            sums = ", ".join(f"{amount} {currency}" for currency, amount in json.loads(one.sums).items())
            period = (
                f"{level_words(one.level)}  {one.first_day} to {one.last_day}  {sums or 'no spend'}  {one.rows} rows"
            )
            head = f"{one.pk}  {one.created_at:%Y-%m-%d %H:%M}  {one.advertiser}"
            self._write(f"{head}  {period}  {one.source}  {one.file_name}{state}")

    def _fetch(self, advertiser: str | None) -> None:
        wanted = [one for one in spend_fetch.fetchable() if advertiser in (None, one.advertiser_id)]
        if not wanted:
            raise CommandError("No such advertiser has a token in MARKETING_API. See tiktok_marketing_token.")
        failed = []
        for one in wanted:
            result = spend_fetch.fetch(one)
            self._write(f"{result.advertiser}: {result.rows} rows{'' if result.fate is Fate.OK else ', not all'}")
            for note in result.notes:
                self._write(f"  {note}")
            if result.fate is not Fate.OK:
                failed.append(result.advertiser)
        if failed:
            raise CommandError(f"Not fetched whole: {', '.join(failed)}", returncode=1)

    def _undo(self, number: int) -> None:
        try:
            made = spend.undo(number)
        except spend.CannotUndo as error:
            raise CommandError(str(error)) from None
        self._write(f"Import {made.pk} is undone. What it had replaced counts again.")

    def _import(self, options: Mapping[str, Any]) -> None:
        advertiser = _advertiser(options["advertiser"])
        path = Path(options["file"])
        data = _read(path)
        choices = _choices(options, advertiser)
        found = self._previewed(
            advertiser, data, choices, asks=not options["json"] and not options["yes"] and _is_terminal()
        )
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(), indent=2))
            return
        self._show(found)
        if found.file.questions:
            raise CommandError(_to_answer(found))
        if not found.is_ready:
            raise CommandError("No line of it can be imported.")
        if found.same is not None:
            self._write(f"This file is import {found.same.pk} already. To read it in another way, undo that one first.")
        elif options["yes"] or (_is_terminal() and self._agrees()):
            origin = spend.Origin(
                source=spend.CSV, user_label="tiktok_spend", file_name=path.name, file_hash=found.file.sha256
            )
            made = spend.import_rows(advertiser, found.file.level, found.file.rows, origin=origin)
            self._write(f"Imported. To undo it: manage.py tiktok_spend --undo {made.pk}")
        else:
            self._write("Nothing was imported. Run it with --yes to import.")

    def _previewed(self, advertiser: str, data: bytes, choices: Choices, *, asks: bool) -> Preview:
        """Read the file; on a terminal, ask each question and read it again."""
        try:
            found = preview(advertiser, data, choices)
            while asks and found.file.questions:
                question = found.file.questions[0]
                self._write(question.text)
                for answer, meaning in question.answers.items():
                    self._write(f"  {answer}   {meaning}")
                answer = input("> ").strip()
                if not question.answers:
                    answer = _currency(answer)
                elif answer not in question.answers:
                    continue
                given: dict[str, Any] = {question.name: answer}
                choices = replace(choices, **given)
                found = preview(advertiser, data, choices)
        except UnreadableSpend as error:
            raise CommandError(f"The file can't be imported. {error}") from None
        return found

    def _agrees(self) -> bool:
        return input("Import it? [y/N] ").strip().lower() in ("y", "yes")

    def _show(self, found: Preview) -> None:
        told = found.as_json()
        if told["rows"]:
            period = f"{told['first_day']} to {told['last_day']} ({told['days']} days)"
            self._write(f"{told['rows']} rows by {level_words(told['level'])}, {period}: {_sums(told['sums'])}")
            for row in told["first_rows"]:
                self._write(f"  {row['day']}  {row['id']} {row['name']}  {row['spend']} {row['currency']}")
        if told["missing_days"]:
            self._write(
                f"{len(told['missing_days'])} days in between have no row: {', '.join(told['missing_days'][:10])}"
            )
        if told["replaced_rows"]:
            self._write(f"It replaces {told['replaced_rows']} rows: {_sums(told['replaces'])}")
        if told["finer_days"]:
            self._write(
                f"{told['finer_days']} of its days have spend by a finer level, which counts where it is complete."
            )
        if unread_columns(found.file):
            self._write(f"Columns that are not read: {', '.join(unread_columns(found.file))}")
        for warning in found.file.warnings:
            self._write(f"Warning: {warning}")
        for one in found.file.not_taken[:MOST_LISTED]:
            self._write(f"Line {one.line} is not taken: {one.reason}")
        if len(found.file.not_taken) > MOST_LISTED:
            self._write(f"… and {len(found.file.not_taken) - MOST_LISTED} more lines that are not taken")

    def _write(self, text: str) -> None:
        # Names and headings are a file's: control characters could move the cursor of a terminal.
        self.stdout.write("".join(one if one.isprintable() else "?" for one in text))


def _sums(sums: Mapping[str, str]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in sums.items())


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _advertiser(given: str | None) -> str:
    known = conf.current().marketing_api
    if given is None:
        if len(known) == 1:
            return next(iter(known))
        raise CommandError("Say whose spend it is: --advertiser with the number that Ads Manager shows.")
    if not given.isascii() or not given.isdecimal() or len(given) > 32:
        raise CommandError("--advertiser is a number of about 19 digits.")
    return given


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from None


def _choices(options: Mapping[str, Any], advertiser: str) -> Choices:
    return Choices(
        dates=options["dates"] or "",
        decimal=options["decimal"] or "",
        currency=_currency(options["currency"] or currency_of(advertiser)),
        level=options["level"] or "",
        columns=dict(options["column"]),
    )


def _currency(text: str) -> str:
    try:
        return currency_code(text) if text else ""
    except InvalidEvent as error:
        raise CommandError(f"The currency can't be read: {error}.") from None


def _column(text: str) -> tuple[str, str]:
    name, equals, heading = text.partition("=")
    if name not in FIELDS or not equals:
        raise argparse.ArgumentTypeError(f"write FIELD=HEADING, with FIELD one of: {', '.join(FIELDS)}")
    return name, heading


def _to_answer(found: Preview) -> str:
    told = []
    for one in found.file.questions:
        answers = "; ".join(f"{answer} ({meaning})" for answer, meaning in one.answers.items())
        told.append(f"{one.text} Give --{one.name}" + (f": {answers}." if answers else "."))
    return "\n".join(told)
