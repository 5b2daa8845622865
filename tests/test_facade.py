"""What sites may import, and that importing it early breaks nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tiktok_attribution

ROOT = Path(__file__).parents[1]
FACADE = {
    *("Conversion", "atrack", "attribution_of", "hold_back", "paused", "pending_events", "recheck", "register"),
    "track",
}
DOORS = {
    "tiktok_attribution.admin.mixins": {"TikTokColumn", "TikTokEvents", "TikTokSection"},
    "tiktok_attribution.conf": {"ConfigurationError"},
    "tiktok_attribution.consent.cookie_rules": {"UnreadableConsent"},
    "tiktok_attribution.csp": {"CSP_SOURCES", "with_tiktok"},
    "tiktok_attribution.exceptions": {"InvalidEvent", "TikTokAttributionError", "TooOld"},
    "tiktok_attribution.jinja2": {"TikTokExtension"},
    "tiktok_attribution.metrics": {"TikTokCollector"},
    "tiktok_attribution.middleware": {"AttributionMiddleware"},
    "tiktok_attribution.models": {"Attempt", "OutboxEvent", "State"},
    "tiktok_attribution.signals": {
        "batch_attempted",
        "event_recorded",
        "pixel_resumed",
        "pixel_stopped",
        "alert_opened",
        "alert_closed",
    },
    "tiktok_attribution.testing.assertions": {"assert_not_tracked", "assert_tracked", "recorded"},
    "tiktok_attribution.testing.marketing": {"Ad"},
}
"""Beside the facade: modules that have a reason of their own to be imported, each with its public names."""


def test_the_facade_holds_these_names_and_no_others() -> None:
    assert set(tiktok_attribution.__all__) == FACADE
    assert all(callable(getattr(tiktok_attribution, name)) for name in FACADE)
    assert set(dir(tiktok_attribution)) >= FACADE


def test_another_name_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'tiktok_attribution' has no attribute 'trakc'"):
        tiktok_attribution.trakc  # noqa: B018


def test_importing_it_reaches_neither_django_nor_models() -> None:
    code = "import sys, tiktok_attribution; print('django' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["False"]


def test_every_door_holds_its_names() -> None:
    for module, names in DOORS.items():
        found = __import__(module, fromlist=["*"])
        assert [name for name in sorted(names) if not hasattr(found, name)] == [], module


def test_docs_and_the_example_import_public_names_alone() -> None:
    texts = [*ROOT.glob("README.md"), *ROOT.glob("docs/**/*.md")]
    told = {str(path.relative_to(ROOT)): _code_of(path) for path in texts}
    told |= {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "example_project").rglob("*.py")}
    private = {f"{place}: {module} {name}" for place, text in told.items() for module, name in _imports(text)}
    assert private == set()


def _code_of(path: Path) -> str:
    blocks = path.read_text().split("```python\n")[1:]
    return "\n".join(
        line.strip() for block in blocks for line in block.split("```")[0].splitlines() if "import" in line
    )


def _imports(text: str) -> list[tuple[str, str]]:
    """What no door offers, of everything that this text imports from the package."""
    found = []
    for line in text.splitlines():
        if not line.strip().startswith("from tiktok_attribution"):
            continue
        for node in ast.parse(line.strip().removesuffix("(")).body if not line.rstrip().endswith("(") else []:
            assert isinstance(node, ast.ImportFrom)
            names = FACADE if node.module == "tiktok_attribution" else DOORS.get(str(node.module), set())
            found += [(str(node.module), one.name) for one in node.names if one.name not in names]
    return found
