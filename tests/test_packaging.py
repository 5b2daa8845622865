"""What is built and what is claimed: the wheel, the metadata, the README and tox.ini tell the same story."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
import redis

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


# What each extra is for -----------------------------------------------------------------------------------------------


def test_the_extra_of_redis_is_celerys(metadata: Message) -> None:
    """kombu needs more than the client, and what it needs changes with its versions."""
    requirements = [line for line in metadata.get_all("Requires-Dist", []) if re.search(r"extra == .redis.", line)]
    assert [re.sub(r"\s*;.*", "", line) for line in requirements] == ["celery[redis]>=5.5"]


def test_every_extra_names_something(metadata: Message) -> None:
    wanted = "\n".join(metadata.get_all("Requires-Dist", []))
    assert [extra for extra in metadata.get_all("Provides-Extra", []) if f"extra == '{extra}'" not in wanted] == []


SITE = """
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="x", USE_TZ=True, INSTALLED_APPS=["django.contrib.contenttypes", "tiktok_attribution"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=["tiktok_attribution.middleware.AttributionMiddleware"],
    TIKTOK_ATTRIBUTION={"PIXEL_CODE": "C0A", "ACCESS_TOKEN": "0" * 40, "SITE_URL": "https://shop.example"},
)
import django
django.setup()
from django.core.management import call_command
"""
NOTHING = """
call_command("check", "--fail-level", "WARNING")
call_command("migrate", verbosity=0)
from tiktok_attribution import track
track(None, "Contact")
from tiktok_attribution.models import OutboxEvent
assert OutboxEvent.objects.get().state == "waiting"
"""
BROKER = """
from celery import Celery
Celery("shop", broker=sys.argv[1]).set_default()
from tiktok_attribution import tasks
"""
NO_REDIS = f"""{BROKER}
lack = tasks.lacking()
assert lack is not None and lack.package == "django-tiktok-attribution[redis]", lack
from tiktok_attribution.doctor import environment as running
(finding,) = running.broker()
assert 'pip install "django-tiktok-attribution[redis]"' in finding.fix, finding
assert lack.module in finding.what, finding
"""
REDIS = f"""{BROKER}
assert tasks.lacking() is None
assert tasks.broker_problem() == ""
tasks._Broker().publish("C0A", "default")
import redis
assert redis.Redis.from_url(sys.argv[1]).llen("celery") == 1
"""
BOTS = """
from tiktok_attribution import conf
settings.TIKTOK_ATTRIBUTION |= {"BOTS": "crawleruseragents.is_crawler"}
assert conf.current().problems == ()
assert conf.current().bots("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
assert not conf.current().bots("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
"""
PROMETHEUS = """
call_command("migrate", verbosity=0)
from prometheus_client import CollectorRegistry, generate_latest
from tiktok_attribution import track
from tiktok_attribution.metrics import TikTokCollector
track(None, "Contact")
registry = CollectorRegistry()
registry.register(TikTokCollector())
assert b'tiktok_attribution_waiting{database="default",pixel="C0A"} 1.0' in generate_latest(registry)
"""


@pytest.mark.packaging
@pytest.mark.services
@pytest.mark.parametrize(
    ("extra", "uses"),
    [("", [NOTHING, NO_REDIS]), ("redis", [REDIS]), ("bots", [BOTS]), ("prometheus", [PROMETHEUS])],
    ids=["none", "redis", "bots", "prometheus"],
)
def test_the_wheel_with_an_extra_alone_does_what_it_is_for(
    wheel: ZipFile, tmp_path: Path, valkey_server: str, extra: str, uses: list[str]
) -> None:
    """Into an empty environment, through pip. Here everything is installed already, so here nothing is ever missing."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "DJANGO"))}

    def run(*command: str) -> None:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr

    python = str(tmp_path / "empty" / "bin" / "python")
    run(sys.executable, "-m", "venv", "empty")
    run(python, "-m", "pip", "install", "-q", f"{wheel.filename}[{extra}]" if extra else str(wheel.filename))
    with redis.Redis.from_url(f"{valkey_server}/9") as client:
        client.flushdb()
    for used in uses:
        run(python, "-c", SITE + used, f"{valkey_server}/9")
