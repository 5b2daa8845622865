"""The shopper's signals, kept with an object from the shopper's own request until it turns into a conversion."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models.constants import OnConflict
from django.utils import timezone as django_timezone

from tiktok_attribution.consent.decision import Consent, Decision, Reason
from tiktok_attribution.events import Page, User
from tiktok_attribution.models import VisitorSnapshot
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import together
from tiktok_attribution.visitor.visitor import Visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of who made an object: matching keys, the page, and the pixels of the shop it was made in."""

    user: User = field(default_factory=User)
    page: Page = field(default_factory=Page)
    pixel_codes: tuple[str, ...] | None = None  # None where PIXEL_FOR_REQUEST was not asked
    decision: Decision | None = None  # the person's own will; None where nobody was there to decide
    suppressed: tuple[str, ...] = ()  # names of its events that happened on a private path, or inside `paused()`
    by_visitor: bool = False  # whether the object's own person made it, in a visitor's request


_USER_FIELDS, _PAGE_FIELDS, _DECISION_FIELDS = ([one.name for one in fields(model)] for model in (User, Page, Decision))

NOBODY = Signals()
NOT_THE_PERSONS = (Reason.BOT, Reason.PREVIEW)
"""Circumstances in which the signals of the request are another's than the person's who acts later."""


def signals_of(visitor: Visitor, pixel_codes: Sequence[str] | None) -> Signals:
    """The visitor of this very request; of one who refuses, nothing but that; of a bot or a preview, only the pixels.

    A prefetch keeps everything: it is the same person with the same browser who pays later.
    """
    will = visitor.will
    if will.is_denied:
        return Signals(decision=will, by_visitor=True)
    codes = None if pixel_codes is None else tuple(pixel_codes)
    if visitor.circumstance in NOT_THE_PERSONS:
        return Signals(pixel_codes=codes, decision=will, by_visitor=visitor.circumstance is Reason.BOT)
    user = visitor.user.merged(visitor.signed_in)
    return Signals(user=user, page=visitor.page, pixel_codes=codes, decision=will, by_visitor=True)


def keep(signals: Signals, label: str, pk: object, *, using: str) -> None:
    """Store the signals beside the object. The first ones stay: they are the shopper's who made it."""
    connection = connections[using]
    values = (label, object_key(pk), _text(signals), connection.ops.adapt_datetimefield_value(django_timezone.now()))
    with together(using) as block, connection.cursor() as cursor:
        block.next_is_last()
        cursor.execute(_insert(using), values)


# Decision: fixed SQL text for a statement of every checkout. The ORM makes the same one (a test compares them) by some
# 400 calls of Python functions, a tenth of all that recording an order took.
@lru_cache(maxsize=32)
def _insert(using: str) -> str:
    connection = connections[using]
    names = ("object_label", "object_pk", "signals", "created_at")
    quoted = [connection.ops.quote_name(name) for name in names]
    return " ".join(
        filter(
            None,
            (
                connection.ops.insert_statement(on_conflict=OnConflict.IGNORE),
                connection.ops.quote_name(VisitorSnapshot._meta.db_table),
                f"({', '.join(quoted)}) VALUES ({', '.join(['%s'] * len(names))})",
                connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], []),
            ),
        )
    )


def _text(signals: Signals) -> str:
    """JSON. By hand, for `dataclasses.asdict` copies every value deeply."""
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
    """Note at the object that this event of it is told to nobody; its other events go by the signals all the same."""
    rows = VisitorSnapshot.objects.using(using).filter(object_label=label, object_pk=key)
    kept = [_read(text) for text in rows.values_list("signals", flat=True)]
    names = dict.fromkeys(name for one in (*kept, signals) for name in (*one.suppressed, event))
    noted = replace(kept[0] if kept else signals, suppressed=tuple(names))
    if kept:
        rows.update(signals=_text(noted))
    else:
        # What another object lent (`visitor_of`) stays there: it is kept once, and for its own time.
        own = noted if signals.by_visitor else Signals(decision=noted.decision, suppressed=noted.suppressed)
        keep(own, label, key, using=using)


def recall(label: str, pk: object, *, using: str) -> Signals:
    """Who made the object and on which page; empty where that is not known."""
    return recall_many(label, [pk], using=using).get(object_key(pk), NOBODY)


def recall_many(label: str, pks: Iterable[object], *, using: str) -> dict[str, Signals]:
    """The signals that were kept, by object key, in one statement."""
    keys = [object_key(pk) for pk in pks]
    rows = VisitorSnapshot.objects.using(using).filter(object_label=label, object_pk__in=keys)
    return {key: _read(text) for key, text in rows.values_list("object_pk", "signals")}


def _read(text: str) -> Signals:
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
    )


def _decision(kept: dict[str, Any] | None) -> Decision | None:
    """None for a snapshot of an earlier version, too: nobody was asked then."""
    if not kept:
        return None
    reason = kept.get("reason")
    return Decision(
        consent=Consent(kept["consent"]),
        reason=None if reason is None else Reason(reason),
        limited_data_use=kept.get("limited_data_use", False),
    )
