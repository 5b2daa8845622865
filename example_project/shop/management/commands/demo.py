"""`manage.py demo`: the whole way of a purchase, on this machine, without a TikTok account."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from demo import report
from demo.processes import Stage, free_port
from demo.scripted_visitor import ScriptedVisitor
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from .seed import ADMIN, PASSWORD

PATIENCE_SECONDS = 60.0


class Command(BaseCommand):
    help = "Start a small shop, a Celery worker and a stand-in for TikTok, and say where to look."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Send a scripted visitor through and judge.")
        parser.add_argument("--port", type=int, default=8000, help="The shop's port, if it is free (default 8000).")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends its children, as Ctrl-C does
        check = options["check"]
        var = Path(tempfile.mkdtemp(prefix="demo-")) if check else settings.VAR_DIR
        wanted = (0, 0) if check else (options["port"], 8765)
        stage = Stage(var, free_port(wanted[0]), free_port(wanted[1]))
        try:
            self._prepare(stage)
            if check:
                self._check(stage)
            else:
                self._serve(stage)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")
        finally:
            stage.end()
            if check:
                shutil.rmtree(var, ignore_errors=True)

    def _prepare(self, stage: Stage) -> None:
        stage.manage("migrate", "--verbosity", "0")
        stage.manage("seed")
        stage.start()

    def _serve(self, stage: Stage) -> None:
        self.stdout.write(
            f"\n  Shop            {stage.site}/products/river-teapot/?ttclid=E.C.P.try-me\n"
            f"  Events (admin)  {stage.site}/admin/tiktok_attribution/outboxevent/   {ADMIN} / {PASSWORD}\n"
            f"  TikTok stand-in {stage.standin}/\n\n"
            "  Agree in the shop's banner, buy something and watch it arrive. What runs:\n"
        )
        for process in stage.processes:
            assert process.process is not None  # noqa: S101 -- it has just been started
            self.stdout.write(f"    {process.name:<9} process {process.process.pid}, log {process.log}\n")
        self.stdout.write("  Kill any of them: it comes back, and nothing is lost. Ctrl-C ends the demo.\n\n")
        while True:
            for said in stage.look():
                self.stdout.write(f"  {said}")
            time.sleep(0.2)

    def _check(self, stage: Stage) -> None:
        ScriptedVisitor(stage.site, stage.standin).whole_path()
        stage.wait_until(lambda: report.is_complete(report.state(stage.standin)["events"]), PATIENCE_SECONDS)
        events = report.state(stage.standin)["events"]
        self.stdout.write(report.table(events))
        if not report.is_complete(events):
            raise CommandError("Not every event arrived on both channels and was counted once.")
        self.stdout.write("\nEvery event arrived on both channels under one event_id and was counted once.")
