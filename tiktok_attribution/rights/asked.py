"""The arguments by which both commands name a person."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.errors import HiddenText, errors_without_values
from tiktok_attribution.rights.person import Person, person

KINDS = {
    "email": "An e-mail address, or its SHA-256.",
    "phone": "A phone number with country code (or see PHONE_REGION), or its SHA-256.",
    "external_id": "An external id as it was sent, or its SHA-256.",
    "object": 'An object of the site: "shop.Order:42".',
}
STANDARD_INPUT = "-"
FROM_INPUT = '"-" reads them from standard input, one a line.'
MOST_CHARACTERS = 1_000_000  # of standard input


def add_arguments(parser: CommandParser) -> None:
    """Each may be given several times; together they are one person."""
    for kind, text in KINDS.items():
        name = f"--{kind.replace('_', '-')}"
        # Hidden, for Django's own frames hold the options, and an error tracker shows those.
        parser.add_argument(name, action="append", default=[], type=HiddenText, help=f"{text} {FROM_INPUT}")


@errors_without_values
def asked(options: Mapping[str, Any]) -> Person:
    """Raises ConfigurationError where nobody is named, or by something unusable."""
    named = {kind: [value for value in options[kind] if value != STANDARD_INPUT] for kind in KINDS}
    from_input = [kind for kind in KINDS if STANDARD_INPUT in options[kind]]
    if len(from_input) > 1:
        raise ConfigurationError('Only one option can be "-", as there is one standard input.')
    for kind in from_input:
        named[kind] += _lines()
    if not any(named.values()):
        raise ConfigurationError("Name somebody: --email, --phone, --external-id or --object.")
    return person(named["email"], named["phone"], named["external_id"], named["object"])


def _lines() -> list[str]:
    """What stands on standard input. There it is in no list of processes, shell history or crash report."""
    lines = sys.stdin.read(MOST_CHARACTERS).splitlines()
    return [line.strip() for line in lines if line.strip()]
