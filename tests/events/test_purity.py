from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import tiktok_attribution
from tiktok_attribution import events

ROOT = Path(tiktok_attribution.__file__).parents[1]

WITHOUT_DJANGO = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"django", "requests", "celery"}:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
for name in sys.argv[1:]:
    importlib.import_module(name)
from tiktok_attribution.events import Event
from tiktok_attribution.events import wire
text = wire.event_text(Event(name="Lead", event_id="lead-1", event_time=1764000000))
print(wire.request_body("C0EXAMPLE0000000000", [text]).decode())
"""


def test_the_event_core_works_without_django_requests_and_celery() -> None:
    modules = [f"{events.__name__}.{found.name}" for found in pkgutil.iter_modules(events.__path__)]
    assert len(modules) > 8
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_DJANGO, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert '"event":"Lead"' in ran.stdout
