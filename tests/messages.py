"""`python -m tests.messages`: brings the catalogues up to date with the code and compiles them. Needs GNU gettext."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "tiktok_attribution"
LANGUAGES = ("de", "es", "ja")
OPTIONS = ("--no-wrap", "--no-obsolete", "--add-location=file")


def make(package: Path) -> None:
    """Extract the texts of this package into its catalogues; what is translated stays so."""
    (package / "locale").mkdir(exist_ok=True)
    locales = [option for language in LANGUAGES for option in ("--locale", language)]
    _django(package, "makemessages", *locales, *OPTIONS)
    for catalogue in (package / "locale").glob("*/LC_MESSAGES/django.po"):
        _drop_guesses(catalogue)


def _drop_guesses(path: Path) -> None:
    """Empty what msgmerge took over from a text that was like it: a text without a translation is shown in English."""
    entries = path.read_text(encoding="utf-8").split("\n\n")
    for number, entry in enumerate(entries[1:], 1):
        if re.search(r"^#,.*\bfuzzy\b", entry, re.MULTILINE):
            entries[number] = "\n".join(_without_translation(entry.split("\n")))
    path.write_text("\n\n".join(entries), encoding="utf-8")


def _without_translation(lines: list[str]) -> Iterator[str]:
    is_translation = False
    for line in lines:
        is_translation = line.startswith("msgstr") or (is_translation and line.startswith('"'))
        if line.startswith("msgstr"):
            yield f'{line.split(" ", 1)[0]} ""'
        elif line.startswith("#,"):
            rest = line.replace(", fuzzy", "")
            if rest != "#":
                yield rest
        elif not is_translation and not line.startswith("#|"):
            yield line


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
