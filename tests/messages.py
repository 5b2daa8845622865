"""`python -m tests.messages`: brings the catalogues up to date with the code and compiles them. Needs GNU gettext."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "tiktok_attribution"
LANGUAGES = ("de", "es", "ja")
OPTIONS = ("--no-wrap", "--no-obsolete", "--add-location=file")


def make(package: Path) -> None:
    """Extract the texts of this package into its catalogues; what is translated stays so."""
    (package / "locale").mkdir(exist_ok=True)
    locales = [option for language in LANGUAGES for option in ("--locale", language)]
    _django(package, "makemessages", *locales, *OPTIONS)


def extracted(directory: Path) -> Path:
    """The locale directory of a copy of the package in this directory."""
    package = directory / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    make(package)
    return package / "locale"


def _django(directory: Path, *arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(
        [sys.executable, "-m", "django", *arguments], cwd=directory, env=environment, check=True, timeout=120
    )


if __name__ == "__main__":
    make(PACKAGE)
    _django(PACKAGE, "compilemessages")
