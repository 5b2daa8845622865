"""A person is named by standard input, so that they stand in no list of processes and no crash report."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.consent.test_rights import ADA, PHONE, event
from tests.consent.trackers import reports
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import OutboxEvent, State

pytestmark = [pytest.mark.privacy, pytest.mark.hostile, pytest.mark.django_db(transaction=True)]


def run(command: str, *arguments: str) -> Any:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.parametrize(
    "typed", [ADA, f"  {ADA}\n", f"\nsomebody.else@example.com\r\n{ADA}\n", email_sha256(ADA) or ""]
)
@pytest.mark.parametrize("command", ["tiktok_export", "tiktok_erase"])
def test_an_address_is_read_from_standard_input(command: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event(ADA, State.DELIVERED)
    event("bob@example.com", State.DELIVERED)
    monkeypatch.setattr("sys.stdin", StringIO(typed))
    found = run(command, "--email", "-")
    count = {
        "tiktok_export": lambda: len(found["default"]["events"]),
        "tiktok_erase": lambda: found["databases"]["default"]["events"]["delivered"],
    }
    assert count[command]() == 1


def test_other_keys_can_be_given_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    event(ADA, State.DELIVERED)
    event("other@example.com", State.DELIVERED, object_label="shop.Order", object_pk="7")
    monkeypatch.setattr("sys.stdin", StringIO(ADA))
    report = run("tiktok_erase", "--email=-", "--object=shop.Order:7")
    assert report["databases"]["default"]["events"] == {"delivered": 2}


@pytest.mark.parametrize(
    ("typed", "arguments", "said"),
    [
        ("", ("--email", "-"), "Name a person"),
        ("nonsense", ("--email", "-"), "not an e-mail address"),
        (ADA, ("--email", "-", "--phone", "-"), 'Only one option can be "-"'),
    ],
)
def test_what_names_nobody_erases_nobody(
    typed: str, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(ADA, State.DELIVERED)
    monkeypatch.setattr("sys.stdin", StringIO(typed))
    with pytest.raises(CommandError, match=said) as raised:
        run("tiktok_erase", *arguments)
    assert "nonsense" not in str(raised.value)
    assert OutboxEvent.objects.exclude(payload="").count() == 1


@pytest.mark.parametrize("command", ["tiktok_export", "tiktok_erase"])
def test_the_help_says_so_and_the_process_needs_no_address(command: str, child_environment: dict[str, str]) -> None:
    asked = [sys.executable, "-m", "django", command, "--email", "-"]
    event(ADA, State.DELIVERED)
    ran = subprocess.run(
        asked, input=ADA, env=child_environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)
    helped = subprocess.run(
        [*asked[:-2], "--help"], env=child_environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "standard input" in helped.stdout


def test_what_is_given_as_an_argument_is_hidden_in_djangos_own_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arguments themselves can't be hidden; what Django parses out of them is."""
    from tiktok_attribution.management.commands.tiktok_erase import Command  # noqa: PLC0415

    parser = Command().create_parser("manage.py", "tiktok_erase")
    options = vars(parser.parse_args(["--email", ADA, "--phone", PHONE]))
    try:
        options["no such option"]
    except KeyError:
        found = reports()
    assert options["email"] == [ADA]
    for text in found.values():
        assert ADA not in text
        assert PHONE[1:] not in text


def test_every_command_that_names_a_person_can_read_it() -> None:
    """Whatever option of whatever command speaks of a person goes through the same arguments."""
    commands = Path(__file__).parents[2] / "tiktok_attribution" / "management" / "commands"
    naming = {path.stem for path in commands.glob("tiktok_*.py") if "privacy.person" in path.read_text()}
    assert naming == {"tiktok_erase", "tiktok_export"}
    words = ("--email", "--phone", "--external", "--person", "--user", "--name", "--ip")
    assert not [path for path in commands.glob("*.py") if any(f'"{word}' in path.read_text() for word in words)]
