"""Find the rows of a person.

`person` hashes the given values at once and stores none of them. `find` returns the keys of the person's rows.
`add_arguments` and `asked` are the arguments of `tiktok_erase` and `tiktok_export`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q, QuerySet

from tiktok_attribution import conf
from tiktok_attribution.attribution.erasure import conversions_of
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions import registry
from tiktok_attribution.errors import HiddenText, errors_without_values
from tiktok_attribution.events.hashing import email_sha256, external_id_sha256, phone_sha256, search_key
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot, events_of, snapshots_of
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected

logger = logging.getLogger("tiktok_attribution")

PAGE_ROWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The SHA-256 hashes (hex) that a person is known by, and the objects (label, key) that belong to them."""

    hashes: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    objects: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Person({len(self.hashes)} hashes, {len(self.objects)} objects)"


@errors_without_values
def person(
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
    external_ids: Iterable[str] = (),
    objects: Iterable[str] = (),
) -> Person:
    """Hash the values that name a person.

    Raises ConfigurationError for a value that can't be of its type; the message does not contain the value.
    """
    region = conf.current().phone_region
    hashed = [_found(email_sha256(one), "an e-mail address") for one in emails]
    others = [_found(phone_sha256(one, region), "a phone number with country code") for one in phones]
    others += [_found(external_id_sha256(one), "an external id") for one in external_ids]
    return Person(
        hashes=tuple(dict.fromkeys([*hashed, *others])), emails=tuple(hashed), objects=tuple(map(_object, objects))
    )


def _found(digest: str | None, kind: str) -> str:
    if digest is None:
        raise ConfigurationError(f"One of the values is not {kind}.")
    return digest


def _object(text: str) -> tuple[str, str]:
    label, colon, pk = text.partition(":")
    if not colon or "." not in label or not pk:
        raise ConfigurationError('An object is written as its model and key: "shop.Order:42".')
    return label, object_key(pk)


@dataclass(slots=True)
class Found:
    """The keys of a person's rows in one database."""

    events: list[int] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)


def find(who: Person, *, using: str, quick: bool = False) -> Found:
    """Find a person's events and snapshots, also those of objects that turn out to be theirs.

    E-mail addresses and objects have an index. The other values need a search in every text, page by page. With `quick`
    that search is left out.
    """
    events = OutboxEvent.objects.using(using)
    snapshots = VisitorSnapshot.objects.using(using)
    found: set[int] = set()
    kept: set[int] = set()
    for email in who.emails:
        found |= set(events.filter(email_key=search_key(email), payload__contains=email).values_list("pk", flat=True))
    if who.hashes and not quick:
        found |= set(_holding(events, "payload", who.hashes))
        kept |= set(_holding(snapshots, "signals", who.hashes))
    objects = set(who.objects)
    objects |= {pair for pair in events.filter(pk__in=found).values_list("object_label", "object_pk") if pair[0]}
    objects |= set(snapshots.filter(pk__in=kept).values_list("object_label", "object_pk"))
    objects |= set(_first_visitors(objects, using))
    if objects:
        found |= set(events.filter(events_of(objects)).values_list("pk", flat=True))
        kept |= set(snapshots.filter(snapshots_of(objects)).values_list("pk", flat=True))
    return Found(sorted(found), sorted(kept))


def _first_visitors(objects: Iterable[tuple[str, str]], using: str) -> Iterator[tuple[str, str]]:
    """Yield the objects whose visitor is used for these (`visitor_of`), such as the subscription of an invoice."""
    for conversion in registry.every():
        label = conversion.model._meta.label
        keys = [key for of, key in objects if of == label] if conversion.visitor_models else []
        for key in keys:
            try:
                with protected(using):
                    obj = conversion.model._base_manager.using(using).filter(pk=key).first()
                    first = None if obj is None else conversion.first_visitor(obj)
            except Exception as error:  # noqa: BLE001 -- the site's own code; and a key may be only a digest
                logger.info("tiktok: the visitor of a %s could not be found: %s", label, type(error).__name__)
                continue
            if first is not None:
                yield first[0], object_key(first[1])


def _holding(rows: QuerySet[Any], column: str, texts: Sequence[str]) -> Iterator[int]:
    """Yield the keys of rows whose column contains one of the texts."""
    holds = Q(pk__in=())
    for text in texts:
        holds |= Q((f"{column}__contains", text))
    after = 0
    while True:
        page = list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PAGE_ROWS])
        if not page:
            return
        yield from rows.filter(holds, pk__gt=after, pk__lte=page[-1]).values_list("pk", flat=True)
        after = page[-1]


PERSON_TYPES = {
    "email": "An e-mail address, or its SHA-256.",
    "phone": "A phone number with country code (or see PHONE_REGION), or its SHA-256.",
    "external_id": "An external id as it was sent, or its SHA-256.",
    "object": 'An object of the site: "shop.Order:42".',
}
STANDARD_INPUT = "-"
FROM_INPUT = '"-" reads them from standard input, one a line.'
MOST_CHARACTERS = 1_000_000  # of standard input


def add_arguments(parser: CommandParser) -> None:
    """Add the arguments that name a person. Each may be given several times; all of them name one person."""
    for kind, text in PERSON_TYPES.items():
        name = f"--{kind.replace('_', '-')}"
        # Hidden, because Django's own frames contain the options, and an error tracker shows them.
        parser.add_argument(name, action="append", default=[], type=HiddenText, help=f"{text} {FROM_INPUT}")


@errors_without_values
def asked(options: Mapping[str, Any]) -> Person:
    """Return the person that the options name. Raises ConfigurationError for no person, or for an invalid value."""
    named = {kind: [value for value in options[kind] if value != STANDARD_INPUT] for kind in PERSON_TYPES}
    from_input = [kind for kind in PERSON_TYPES if STANDARD_INPUT in options[kind]]
    if len(from_input) > 1:
        raise ConfigurationError('Only one option can be "-", as there is one standard input.')
    for kind in from_input:
        named[kind] += _lines()
    if not any(named.values()):
        raise ConfigurationError("Name a person: --email, --phone, --external-id or --object.")
    return person(named["email"], named["phone"], named["external_id"], named["object"])


def _lines() -> list[str]:
    """Read lines from standard input, which no process list, shell history or crash report contains."""
    lines = sys.stdin.read(MOST_CHARACTERS).splitlines()
    return [line.strip() for line in lines if line.strip()]


def recorded_conversions(who: Person, found: Mapping[str, Found]) -> list[int]:
    """Return the keys of a person's recorded conversions: by their matching keys, objects and events (by database).

    Not by their browsers: a browser may be shared, and another person's conversion is not theirs.
    """
    objects, events = set(who.objects), set()
    for using, theirs in found.items():
        rows = OutboxEvent.objects.using(using)
        for at in range(0, len(theirs.events), PAGE_ROWS):
            page = rows.with_keys(theirs.events[at : at + PAGE_ROWS])
            events |= set(page.values_list("name", "event_id"))
            objects |= {pair for pair in page.values_list("object_label", "object_pk") if pair[0]}
    return conversions_of(digests=who.hashes, objects=objects, events=events)
