"""Store the visitor's signals with an object, from the visitor's own request until it becomes a conversion.

`signals_of` takes them from the request, `keep` stores them, `recall` reads them back for the event. `suppress` marks
an event of the object that must never be recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models.constants import OnConflict
from django.utils import timezone as django_timezone

from tiktok_attribution.consent.types import Consent, Decision, Reason
from tiktok_attribution.events import Page, User
from tiktok_attribution.models import VisitorSnapshot
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import together
from tiktok_attribution.visitor.visitor import Visitor
from tiktok_attribution.visitor.visitor_key import key_for_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of who made an object: matching keys, the page, and the pixels of the shop it was made in."""

    user: User = field(default_factory=User)
    page: Page = field(default_factory=Page)
    pixel_codes: tuple[str, ...] | None = None  # None if PIXEL_FOR_REQUEST was not asked
    decision: Decision | None = None  # the person's own will; None without a visitor who could decide
    suppressed: tuple[str, ...] = ()  # names of its events that happened on a private path, or inside `paused()`
    by_visitor: bool = False  # whether the object's own person made it, in a visitor's request
    visitor_key: UUID | None = None  # of the browser, if its visitor agreed; in a column of its own


_USER_FIELDS, _PAGE_FIELDS, _DECISION_FIELDS = ([one.name for one in fields(model)] for model in (User, Page, Decision))

_KEY = VisitorSnapshot._meta.get_field("visitor_key")

NOBODY = Signals()
NOT_THE_PERSONS = (Reason.BOT, Reason.PREVIEW)
"""Circumstances in which the request's signals are not those of the person who acts later."""


def signals_of(visitor: Visitor, pixel_codes: Sequence[str] | None) -> Signals:
    """Return the signals of the current request. For a refusal only the refusal, for a bot or preview only the pixels.

    A prefetch keeps everything: the same person pays later with the same browser.
    """
    # Decision: the visitor's signals are stored when the object is made in the visitor's own request. The request that
    # reports the payment may be a webhook. The snapshot also holds the shop's pixels. So an order that is paid by
    # webhook goes to the pixel of its own shop.
    will = visitor.will
    if will.is_denied:
        return Signals(decision=will, by_visitor=True)
    codes = None if pixel_codes is None else tuple(pixel_codes)
    if visitor.circumstance in NOT_THE_PERSONS:
        return Signals(pixel_codes=codes, decision=will, by_visitor=visitor.circumstance is Reason.BOT)
    user = visitor.user.merged(visitor.signed_in)
    return Signals(
        user=user,
        page=visitor.page,
        pixel_codes=codes,
        decision=will,
        by_visitor=True,
        visitor_key=key_for_event(visitor.request, will),
    )


def keep(signals: Signals, label: str, pk: object, *, using: str) -> None:
    """Store the signals beside the object. The first ones stay, because they are those of the visitor who made it."""
    connection = connections[using]
    values = (
        label,
        object_key(pk),
        _text(signals),
        None if signals.visitor_key is None else _KEY.get_db_prep_value(signals.visitor_key, connection),
        connection.ops.adapt_datetimefield_value(django_timezone.now()),
    )
    with together(using) as block, connection.cursor() as cursor:
        block.next_is_last()
        cursor.execute(_insert(using), values)


# Decision: fixed SQL text for a statement of every checkout. The ORM makes the same one; a test compares them. With the
# text of the signals it took 280 of the 3,260 calls of Python functions that recording an order made.
@lru_cache(maxsize=32)
def _insert(using: str) -> str:
    connection = connections[using]
    names = ("object_label", "object_pk", "signals", "visitor_key", "created_at")
    quoted = [connection.ops.quote_name(name) for name in names]
    insert = connection.ops.insert_statement(on_conflict=OnConflict.IGNORE)
    suffix = connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    places = ", ".join(["%s"] * len(names))
    table = connection.ops.quote_name(VisitorSnapshot._meta.db_table)
    return f"{insert} {table} ({', '.join(quoted)}) VALUES ({places}) {suffix}".rstrip()


def _text(signals: Signals) -> str:
    """Return the JSON text of the signals. By hand, because `dataclasses.asdict` copies every value deeply."""
    decision = signals.decision
    kept = {
        "user": {name: getattr(signals.user, name) for name in _USER_FIELDS},
        "page": {name: getattr(signals.page, name) for name in _PAGE_FIELDS},
        "pixel_codes": signals.pixel_codes,
        "decision": None if decision is None else {name: getattr(decision, name) for name in _DECISION_FIELDS},
        "suppressed": signals.suppressed,
        "by_visitor": signals.by_visitor,
    }
    return json.dumps(kept)


def suppress(event: str, signals: Signals, label: str, key: str, *, using: str) -> None:
    """Mark at the object that this event of it is never recorded. Its other events still use the signals."""
    # Decision: a refusal, and such a mark, is stored at the object in place of its snapshot, without anything of the
    # visitor. Otherwise a backfill would record an order whose visitor refused.
    rows = VisitorSnapshot.objects.using(using).filter(object_label=label, object_pk=key)
    kept = [_read(*columns) for columns in rows.values_list("signals", "visitor_key")]
    names = dict.fromkeys(name for one in (*kept, signals) for name in (*one.suppressed, event))
    noted = replace(kept[0] if kept else signals, suppressed=tuple(names))
    if kept:
        rows.update(signals=_text(noted))
    else:
        # Signals of another object (`visitor_of`) are not copied: they are stored once, for their own time.
        own = noted if signals.by_visitor else Signals(decision=noted.decision, suppressed=noted.suppressed)
        keep(own, label, key, using=using)


def recall(label: str, pk: object, *, using: str) -> Signals:
    """Return the signals of who made the object, empty if they are unknown."""
    return recall_many(label, [pk], using=using).get(object_key(pk), NOBODY)


def recall_many(label: str, pks: Iterable[object], *, using: str) -> dict[str, Signals]:
    """Return the stored signals by object key, in one statement."""
    keys = [object_key(pk) for pk in pks]
    rows = VisitorSnapshot.objects.using(using).filter(object_label=label, object_pk__in=keys)
    found = rows.values_list("object_pk", "signals", "visitor_key")
    return {key: _read(text, visitor_key) for key, text, visitor_key in found}


def _read(text: str, visitor_key: UUID | None) -> Signals:
    kept: dict[str, Any] = json.loads(text)
    user: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in kept["user"].items()
    }
    codes = kept.get("pixel_codes")
    return Signals(
        user=User(**user),
        page=Page(**kept["page"]),
        pixel_codes=None if codes is None else tuple(codes),
        decision=_decision(kept.get("decision")),
        suppressed=tuple(kept.get("suppressed", ())),
        by_visitor=kept.get("by_visitor", False),
        visitor_key=visitor_key,
    )


def _decision(kept: dict[str, Any] | None) -> Decision | None:
    """Read a stored decision. None also for a snapshot of an earlier version, in which no one was asked."""
    if not kept:
        return None
    reason = kept.get("reason")
    return Decision(
        consent=Consent(kept["consent"]),
        reason=None if reason is None else Reason(reason),
        limited_data_use=kept.get("limited_data_use", False),
    )
