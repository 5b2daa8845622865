"""The arguments by which both commands name a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.views.decorators.debug import sensitive_variables

from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.rights.person import Person, person

KINDS = {
    "email": "An e-mail address, or its SHA-256.",
    "phone": "A phone number with country code (or see PHONE_REGION), or its SHA-256.",
    "external_id": "An external id as it was sent, or its SHA-256.",
    "object": 'An object of the site: "shop.Order:42".',
}


def add_arguments(parser: CommandParser) -> None:
    """Each may be given several times; together they are one person."""
    for kind, text in KINDS.items():
        parser.add_argument(f"--{kind.replace('_', '-')}", action="append", default=[], help=text)


@sensitive_variables()
def asked(options: Mapping[str, Any]) -> Person:
    """Raises ConfigurationError where nobody is named, or by something unusable."""
    if not any(options[kind] for kind in KINDS):
        raise ConfigurationError("Name somebody: --email, --phone, --external-id or --object.")
    return person(options["email"], options["phone"], options["external_id"], options["object"])
