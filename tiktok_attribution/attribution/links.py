"""Who a browser belongs to: persons as keyed digests, and links between browsers and persons. Only with `join`.

`person_of` makes the number of a person from a matching key's SHA-256. `link` notes that a person used a browser: the
worker calls it for conversions, and a sign-in may call it too. `visitor_keys` returns the browsers whose touches a
conversion may have.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.conf import settings as django_settings
from django.db import Error as AnyDatabaseError
from django.db import router
from django.db.models import Count, Q

from tiktok_attribution import conf
from tiktok_attribution.attribution_settings import JOINS
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import User
from tiktok_attribution.failures import report
from tiktok_attribution.models import ConversionPerson, RecordedConversion, VisitorLink
from tiktok_attribution.transactions import protected

MOST_BROWSERS = 20
"""A person with more browsers is a shared account, a shop's till or a test: its devices are not joined."""
OF_ANOTHER, TOO_MANY = "other person", "many browsers"
"""Why touches are missing (`RecordedConversion.unjoined`)."""


def _keys() -> list[bytes]:
    """Return the keys of the site, the one that is used now first."""
    own = str(conf.current().attribution.key)
    if own:
        return [own.encode()]
    texts = (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)
    return [text if isinstance(text, bytes) else str(text).encode() for text in texts]


# Decision: a person is an HMAC under a key of the site, cut to 16 bytes. The SHA-256 of an e-mail address can be found
# from a list of addresses, and TikTok knows it; this number is of use to no one without the key.
@errors_without_values
def person_of(digest: str) -> uuid.UUID:
    """Return the number of the person with this matching key (its SHA-256 in hex)."""
    return _number(_keys()[0], digest)


def _number(key: bytes, digest: str) -> uuid.UUID:
    mac = hmac.new(b"tiktok_attribution:" + key, digest.encode(), hashlib.sha256).digest()
    # With the bits of a version: MariaDB's column refuses a UUID of a version and variant that no standard defines.
    return uuid.UUID(bytes=mac[:16], version=4)


@errors_without_values
def persons_of(user: User) -> list[tuple[str, uuid.UUID]]:
    """Return (identifier, person) for each matching key of an event by which ATTRIBUTION["join"] joins."""
    return [(name, person_of(digest)) for name, digest in joining_digests(user)]


@errors_without_values
def joining_digests(user: User) -> list[tuple[str, str]]:
    """Return (identifier, SHA-256 hex) for each matching key of an event by which ATTRIBUTION["join"] joins."""
    wanted = conf.current().attribution.join
    return [(name, digest) for name in JOINS if name in wanted for digest in getattr(user, name)]


@errors_without_values
def any_persons_of(digests: Iterable[str]) -> set[uuid.UUID]:
    """Return the numbers of these matching keys (SHA-256 hex) under the current key of the site and all older ones."""
    return {_number(key, digest) for digest in digests for key in _keys()}


def attribution_database() -> str:
    """Return the alias of the database for conversions and all that is computed from them."""
    return router.db_for_write(RecordedConversion)


# Decision: a sign-in adds one row, and looks at no conversion: that could wait for a worker's locks. The worker finds
# the row (`is_fresh`) and marks the conversions that it reaches.
@errors_without_values
def link(visitor_key: uuid.UUID, identifier: str, digest: str, at: int) -> bool:
    """Note that a person used a browser, at a sign-in for instance. Return True if that is new.

    `digest` is the SHA-256 (hex) of the matching key `identifier`, `at` epoch seconds. Call it only for a visitor who
    agreed, and never for staff or impersonation. It does nothing unless ATTRIBUTION["join"] names the identifier. It
    costs one statement for a known browser, three for a new one, and raises nothing.
    """
    settings = conf.current().attribution
    if not settings.enabled or identifier not in settings.join:
        return False
    try:
        using = router.db_for_write(VisitorLink)
        with protected(using):
            rows = VisitorLink.objects.using(using)
            if rows.filter(visitor_key=visitor_key, identifier=identifier).exists():
                return False
            wanted = _with_room([Link(visitor_key, identifier, person_of(digest), at)])
            rows.bulk_create([VisitorLink(**one._asdict()) for one in wanted], ignore_conflicts=True)
            return bool(wanted)
    except AnyDatabaseError as error:
        report(error, "a browser was not linked to the person who signed in")
        return False


@errors_without_values
def renumber(digests: Iterable[str]) -> None:
    """Give the rows of these persons (SHA-256 hex) the number under the current key, if SECRET_KEY was changed since.

    Without SECRET_KEY_FALLBACKS it costs no statement.
    """
    current, *older = _keys()
    numbers = {_number(key, one): _number(current, one) for one in digests for key in older} if older else {}
    if not numbers:
        return
    links = VisitorLink.objects.using(router.db_for_write(VisitorLink))
    for old in set(links.filter(person__in=numbers).values_list("person", flat=True)):
        links.filter(person=old).update(person=numbers[old])
    persons = ConversionPerson.objects.using(attribution_database())
    for old in set(persons.filter(person__in=numbers).values_list("person", flat=True)):
        # Two workers may have had two keys while the site was deployed.
        twice = list(persons.filter(person=numbers[old]).values_list("conversion_id", flat=True))
        persons.filter(person=old, conversion__in=twice).delete()
        persons.filter(person=old).update(person=numbers[old])


class Link(NamedTuple):
    """A browser, a person and when they were seen together (epoch seconds)."""

    visitor_key: uuid.UUID
    identifier: str
    person: uuid.UUID
    at: int


def link_all(wanted: Collection[Link]) -> None:
    """Store the links of recorded conversions.

    A browser belongs to the person who used it first; a later person gets none of its touches. Of two conversions that
    are recorded in the wrong order, the earlier one decides.
    """
    earliest: dict[tuple[uuid.UUID, str], Link] = {}
    for one in sorted(wanted, key=lambda one: (one.at, str(one.person))):
        earliest.setdefault((one.visitor_key, one.identifier), one)
    if not earliest:
        return
    rows = VisitorLink.objects.using(router.db_for_write(VisitorLink))
    stored = {
        (row.visitor_key, row.identifier): row
        for row in rows.filter(visitor_key__in={key for key, _ in earliest}).order_by("pk")
    }
    fresh = _with_room([one for key, one in earliest.items() if key not in stored])
    rows.bulk_create([VisitorLink(**one._asdict()) for one in fresh], ignore_conflicts=True)
    lost = []
    for key, one in earliest.items():
        row = stored.get(key)
        if row is None or (row.at, str(row.person)) <= (one.at, str(one.person)):
            continue
        rows.filter(pk=row.pk, at=row.at).update(person=one.person, at=one.at, is_fresh=True)
        lost.append(Link(one.visitor_key, one.identifier, row.person, row.at))
    _mark_reached(lost)


def read_links(*, most: int = 500) -> int:
    """Mark the conversions that new links reach as stale. Return how many links were new."""
    rows = VisitorLink.objects.using(router.db_for_write(VisitorLink))
    fresh = list(rows.filter(is_fresh=True).order_by("pk")[:most])
    _mark_reached([Link(row.visitor_key, row.identifier, row.person, row.at) for row in fresh])
    for row in fresh:  # not one that has got another person in the meantime
        rows.filter(pk=row.pk, person=row.person, at=row.at).update(is_fresh=False)
    return len(fresh)


def _with_room(fresh: Sequence[Link]) -> list[Link]:
    """Leave out links of persons who have more browsers already than are joined: they would only fill the table."""
    if not fresh:
        return []
    rows = VisitorLink.objects.using(router.db_for_write(VisitorLink)).filter(person__in={one.person for one in fresh})
    counts = dict(rows.values_list("person").annotate(Count("pk")).order_by())
    return [one for one in fresh if counts.get(one.person, 0) <= MOST_BROWSERS]


# Decision: a late link reaches back as far as the widest window. So whoever signs in on the phone two days after the
# purchase on the laptop gives the conversion the phone's click; forty days after, nothing changes.
def _mark_reached(links: Collection[Link]) -> None:
    """Mark as stale the conversions of these persons, and those that these browsers made for another person."""
    if not links:
        return
    using = attribution_database()
    since = min(one.at for one in links) - conf.current().attribution.widest
    theirs = ConversionPerson.objects.using(using).filter(person__in={one.person for one in links})
    pks = set(theirs.values_list("conversion_id", flat=True))
    own = RecordedConversion.objects.using(using).filter(at__gte=since)
    pks |= set(own.filter(visitor_key__in={one.visitor_key for one in links}).values_list("pk", flat=True))
    own.filter(pk__in=pks, is_stale=False).update(is_stale=True)


class Wanted(NamedTuple):
    """A conversion that looks for its touches: its browser, its persons by identifier, and its time."""

    pk: int
    visitor_key: uuid.UUID | None
    persons: frozenset[tuple[str, uuid.UUID]]
    at: int


class Joined(NamedTuple):
    """The browsers whose touches a conversion may have, and why those of other browsers are missing."""

    visitor_keys: frozenset[uuid.UUID]
    unjoined: str


def visitor_keys(conversions: Collection[Wanted]) -> Mapping[int, Joined]:
    """Return the browsers of each conversion by its key: its own, and those of its persons. Two statements at most."""
    join = conf.current().attribution.join
    persons = {person for one in conversions for name, person in one.persons if name in join}
    own = {one.visitor_key for one in conversions if one.visitor_key is not None}
    links = VisitorLink.objects.using(router.db_for_write(VisitorLink)).filter(identifier__in=join)
    found = list(links.filter(Q(person__in=persons) | Q(visitor_key__in=own))) if join and (persons or own) else []
    by_person, by_browser = defaultdict(list), defaultdict(list)
    for row in found:
        by_person[row.identifier, row.person].append(row)
        by_browser[row.visitor_key].append(row)
    return {one.pk: _joined(one, by_person, by_browser, join) for one in conversions}


def _joined(
    one: Wanted,
    by_person: Mapping[tuple[str, uuid.UUID], list[VisitorLink]],
    by_browser: Mapping[uuid.UUID, list[VisitorLink]],
    join: Collection[str],
) -> Joined:
    latest = one.at + conf.current().attribution.widest
    keys, unjoined = set(), ""
    if one.visitor_key is not None:
        if _is_anothers(one, by_browser.get(one.visitor_key, ())):
            unjoined = OF_ANOTHER
        else:
            keys.add(one.visitor_key)
    for name, person in one.persons:
        rows = by_person.get((name, person), []) if name in join else []
        if len(rows) > MOST_BROWSERS:
            unjoined = TOO_MANY
            continue
        keys.update(
            row.visitor_key
            for row in rows
            if row.at <= latest and not _is_anothers(one, by_browser.get(row.visitor_key, ()))
        )
    return Joined(frozenset(keys), unjoined)


def _is_anothers(one: Wanted, links: Iterable[VisitorLink]) -> bool:
    """Return whether a browser was linked to another person before this conversion. An unknown person is no other."""
    theirs: dict[str, set[uuid.UUID]] = defaultdict(set)
    for name, person in one.persons:
        theirs[name].add(person)
    return any(
        row.at <= one.at and row.identifier in theirs and row.person not in theirs[row.identifier] for row in links
    )
