"""What is built and what is claimed: the wheel, the metadata, the README and tox.ini tell the same story."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tiktok_attribution"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel, built by the backend that is installed: no isolated environment, so no network."""
    target = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (built,) = target.glob("*.whl")
    return ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name))


def versions_of(metadata: Message, topic: str) -> list[str]:
    found = (re.fullmatch(rf"{topic} :: (\d+\.\d+)", line) for line in metadata.get_all("Classifier", []))
    return [match[1] for match in found if match]


@pytest.fixture(scope="module")
def pythons(metadata: Message) -> list[str]:
    return versions_of(metadata, "Programming Language :: Python")


@pytest.fixture(scope="module")
def djangos(metadata: Message) -> list[str]:
    return versions_of(metadata, "Framework :: Django")


def test_the_wheel_holds_every_file_of_the_package(wheel: ZipFile) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert files - set(wheel.namelist()) == set()


def test_the_wheel_holds_nothing_else(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"tiktok_attribution"}


@pytest.mark.parametrize(
    "kind",
    ["py.typed", "templates/", "static/", "testing/static/", "testing/plugin.py", "migrations/0001_"],
)
def test_the_wheel_holds(kind: str, wheel: ZipFile) -> None:
    assert [name for name in wheel.namelist() if name.startswith(f"tiktok_attribution/{kind}")]


def test_the_readme_names_the_versions_of_the_metadata(pythons: list[str], djangos: list[str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"Python {', '.join(pythons)} · Django {', '.join(djangos)}" in readme


def test_tox_runs_every_version_of_the_metadata_and_no_other(pythons: list[str], djangos: list[str]) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    corners = [re.fullmatch(r"py(\d)(\d+)-django(\d)(\d)", name) for name in tox["tox"]["envlist"].split()]

    assert {f"{corner[1]}.{corner[2]}" for corner in corners if corner} == set(pythons)
    assert {f"{corner[3]}.{corner[4]}" for corner in corners if corner} == set(djangos)
    assert None not in corners


def test_the_requirements_admit_just_those_versions(metadata: Message, pythons: list[str], djangos: list[str]) -> None:
    major, minor = djangos[-1].split(".")
    requirements = metadata.get_all("Requires-Dist", [])

    assert metadata["Requires-Python"] == f">={pythons[0]}"
    assert f"django<{major}.{int(minor) + 1},>={djangos[0]}" in requirements
