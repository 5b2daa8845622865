"""Erases what is kept of a person, and says what was done without saying of whom.

An event keeps its bare name, id and state: they are what keeps the backfill from recording it anew. Its body, hashes
and notes go, and what was not sent yet is never sent. TikTok's answers are kept without what they repeat of a person;
they are looked through all the same, as a row may be older than that.

Erases a user's events when the site deletes the user, where the setting ERASE_WITH_USER asks for it.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import pre_delete

from tiktok_attribution import conf
from tiktok_attribution.consent.decision import Reason
from tiktok_attribution.delivery.outbox import clear_bodies, outbox_databases
from tiktok_attribution.delivery.suppressed import refusal
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.sanitize import without_echoes
from tiktok_attribution.failures import report
from tiktok_attribution.models import ERASED, Attempt, OutboxEvent, PixelStatus, State, VisitorSnapshot
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.privacy.person import Found, Person, find
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.matching import identified

logger = logging.getLogger("tiktok_attribution")

STILL_OPEN = (State.WAITING, State.AWAITING_CONSENT, State.INVALID, State.REJECTED, State.EXPIRED)
PAGE_ROWS = 500

Key = TypeVar("Key")
Telling = tuple[type[Attempt] | type[PixelStatus], str, str]
"""A row whose answer repeats a person: its model, its key, and the words that may stay."""


def erase(who: Person, *, dry: bool = False, quick: bool = False) -> dict[str, Any]:
    """The report: what was (or, `dry`, would be) erased, by database and state. It holds nothing personal."""
    report: dict[str, Any] = {
        "reference": str(uuid.uuid4()),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dry_run": dry,
        "whole_search": not quick,
        "databases": {},
    }
    for using in outbox_databases():
        found = find(who, using=using, quick=quick)
        rows = OutboxEvent.objects.using(using).with_keys(found.events)
        before = Counter(rows.values_list("state", flat=True))
        if not dry:
            _erase(found, using)
        answers = list(_telling_answers(found, using))
        if not dry:
            _clean(answers, using)
        left = 0 if dry else rows.exclude(payload="").count()
        report["databases"][using] = {
            "events": dict(sorted(before.items())),
            "events_still_with_data": left,
            "answers": len(answers),
            "answers_still_with_data": 0 if dry else sum(1 for _ in _telling_answers(found, using)),
            "snapshots": len(found.snapshots),
            "event_keys": found.events,
        }
    told = {using: (sum(one["events"].values()), one["snapshots"]) for using, one in report["databases"].items()}
    logger.info("tiktok: erasure %s%s: %s", report["reference"], " (dry run)" if dry else "", told)
    return report


def _telling_answers(found: Found, using: str) -> Iterator[Telling]:
    """Of the attempts to send these events, and of each pixel."""
    events = OutboxEvent.objects.using(using)
    kept: dict[str, None] = {}
    for pks in _pages(found.events):
        for log in events.with_keys(pks).exclude(attempt_log="").values_list("attempt_log", flat=True):
            kept.update(dict.fromkeys(filter(None, log.split(","))))
    for keys in _pages(list(kept)):
        yield from _telling(Attempt, Attempt.objects.using(using).filter(pk__in=keys, http_status__isnull=False))
    yield from _telling(PixelStatus, PixelStatus.objects.using(using).exclude(message=""))


def _telling(model: type[Attempt | PixelStatus], rows: QuerySet[Any]) -> Iterator[Telling]:
    for key, message in rows.values_list("pk", "message"):
        clean = without_echoes(message)
        if clean != message:
            yield model, key, clean


def _clean(answers: Iterable[Telling], using: str) -> None:
    for model, key, words in answers:
        model._default_manager.using(using).filter(pk=key).update(message=words)


def _pages(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """As many keys as fit into a statement on every engine."""
    return (keys[at : at + PAGE_ROWS] for at in range(0, len(keys), PAGE_ROWS))


def _erase(found: Found, using: str) -> None:
    for pks in _pages(found.events):
        rows = OutboxEvent.objects.using(using).with_keys(pks)
        with transaction.atomic(using=using):
            rows.in_state(*STILL_OPEN).update(state=State.CANCELLED, due_at=None)
            # Nor is it finished any more: that would write its body anew, of an object that may still name the person.
            rows.update(note=ERASED, match_keys=0, value=None, currency="", unfinished_since=None)
            clear_bodies(pks, using=using)
    snapshots = VisitorSnapshot.objects.using(using)
    for pks in _pages(found.snapshots):
        # Not deleted: what becomes of the object by a webhook tomorrow must not be told either.
        snapshots.filter(pk__in=pks).update(signals=refusal(Reason.ERASED.value))


def connect() -> None:
    """Watch the site's user model."""
    pre_delete.connect(before_delete, sender=get_user_model(), dispatch_uid="tiktok_attribution.erase_with_user")


@errors_without_values
def before_delete(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    """Note who it is while it can be read, erase once it is gone for good.

    By e-mail address and object, which an index finds; the rest is for `tiktok_erase`, as it reads whole tables.
    """
    if not conf.current().erase_with_user:
        return
    try:
        with protected(using):
            keys, _ = identified(instance, conf.current().user)
        who = Person(emails=keys.email, hashes=keys.email, objects=((sender._meta.label, object_key(instance.pk)),))
        transaction.on_commit(lambda: erase_quietly(who), using=using, robust=True)
    except Exception as error:  # noqa: BLE001 -- the site's own mapping may raise anything
        report(error, "a deleted user's events were not erased, use tiktok_erase")


def erase_quietly(who: Person) -> None:
    """After the commit; what fails is logged."""
    try:
        erase(who, quick=True)
    except Exception as error:  # noqa: BLE001 -- the user is deleted whatever happens here
        report(error, "a deleted user's events were not erased, use tiktok_erase")
