"""`manage.py demo`: the whole way of a purchase, on this machine, without a TikTok account."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from demo import campaigns, report
from demo.processes import Stage, free_port
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.models import Order

from .seed import ADMIN, PASSWORD

PATIENCE_SECONDS = 60.0
ATTRIBUTION_SECONDS = 120.0  # the worker computes attribution every 20 seconds, and the machine may be busy


class Command(BaseCommand):
    help = "Start a small shop, a Celery worker and a stand-in for TikTok, and say where to look."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Send scripted visitors through and judge.")
        parser.add_argument("--port", type=int, default=8000, help="The shop's port, if it is free (default 8000).")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends its children, as Ctrl-C does
        check = options["check"]
        var = Path(tempfile.mkdtemp(prefix="demo-")) if check else settings.VAR_DIR
        wanted = (0, 0) if check else (options["port"], 8765)
        if check:
            os.environ.setdefault("PRETENDPAY_DELAY_SECONDS", "0.5")  # nobody watches
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
        campaigns.import_spend(stage, campaigns.today())
        stage.start()

    def _serve(self, stage: Stage) -> None:
        spring = {"ttclid": "E.C.P.try-me", "utm_id": campaigns.SPRING.campaign_id}
        self.stdout.write(
            f"\n  Shop            {stage.site}/products/river-teapot/?{urlencode(spring)}\n"
            f"  Events (admin)  {stage.site}/admin/tiktok_attribution/outboxevent/   {ADMIN} / {PASSWORD}\n"
            f"  Attribution     {stage.site}/admin/tiktok_attribution/attributionreport/   {ADMIN} / {PASSWORD}\n"
            f"  TikTok stand-in {stage.standin}/\n\n"
            "  Agree in the shop's banner, buy something and watch it arrive. Attribution follows within a minute.\n"
            "  A colleague's visits are not attributed: where you are signed in to the admin, use a private window.\n\n"
            "  What runs:\n"
        )
        for process in stage.processes:
            assert process.process is not None  # noqa: S101 -- it has just been started
            self.stdout.write(f"    {process.name:<9} process {process.process.pid}, log {process.log}\n")
        self.stdout.write("  Kill any of them: it comes back, and nothing is lost. Ctrl-C ends the demo.\n\n")
        if not Order.objects.exists():
            self.stdout.write("  Six scripted visitors come first, so that the pages of the admin have something.\n")
            threading.Thread(target=self._play, args=(stage,), name="visitors", daemon=True).start()
        while True:
            for said in stage.look():
                self.stdout.write(f"  {said}")
            time.sleep(0.2)

    def _play(self, stage: Stage) -> None:
        try:
            campaigns.play(stage)
        except (RuntimeError, OSError, SystemExit) as error:
            self.stderr.write(f"  The scripted visitors did not come to the end: {error}")

    def _check(self, stage: Stage) -> None:
        day = campaigns.today()
        campaigns.import_spend(stage, day)  # again, for the case that it was the day before a moment ago
        campaigns.play(stage)
        stage.wait_until(lambda: report.is_complete(report.state(stage.standin)["events"]), PATIENCE_SECONDS)
        events = report.state(stage.standin)["events"]
        self.stdout.write(report.table(events))
        if not report.is_complete(events):
            raise CommandError("Not every event arrived on both channels and was counted once.")
        self.stdout.write("\nEvery event arrived on both channels under one event_id and was counted once.\n\n")
        stage.wait_until(lambda: campaigns.figures(stage, day) == campaigns.EXPECTED, ATTRIBUTION_SECONDS)
        found = campaigns.figures(stage, day)
        self.stdout.write(campaigns.table(found))
        brought = [json.loads(line) for line in stage.manage("brought").splitlines()]
        if found != campaigns.EXPECTED or brought != campaigns.BROUGHT:
            raise CommandError(f"Attribution does not say what the visitors did.\n{brought}")
        self.stdout.write("\nAttribution says what the visitors did, to the cent.")
