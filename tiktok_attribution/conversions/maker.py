"""Find who made an object: the sender of the current request, else the visitor that a snapshot remembers.

`keep_maker` stores the visitor with an object that may count later. `signals_for` returns the signals for its event.
`first_visitor` and `of_first` take the visitor of another object, as `visitor_of` declares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Decision, Reason
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.person import maker_of
from tiktok_attribution.conversions.written import find_signals
from tiktok_attribution.delivery import outages
from tiktok_attribution.failures import report
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor import snapshot
from tiktok_attribution.visitor.caller import pixels_of_request
from tiktok_attribution.visitor.snapshot import NOBODY, NOT_THE_PERSONS, Signals
from tiktok_attribution.visitor.visitor import Commitment, Requester, current_requester


def current_maker(using: str) -> Requester | None:
    """Return who sends this request. Queries of the site's own callables must not spoil the transaction."""
    settings = conf.current()
    if settings.is_visitor is None and settings.is_staff is None:
        return current_requester()
    with protected(using):
        return current_requester()


def keep_maker(maker: Requester, awaited: Iterable[Conversion], obj: Any, *, using: str) -> Signals | None:
    """Store a snapshot for the server event, and a note in the maker's cookie for the pixel call.

    If the signals of the request are not used, or the maker is not the object's person, only a refusal is stored.
    Return the signals in the snapshot of the object's own model, or None if none was stored.
    """
    by_model = {one.model: one for one in awaited}
    for conversion in by_model.values():
        maker = maker_of(conversion, obj, maker, using=using) or maker
    with protected(using):
        circumstance = maker.circumstance
    shopper = None if circumstance in NOT_THE_PERSONS else maker.shopper
    commitment = Commitment(using)
    kept = None
    for conversion in by_model.values():
        label = conversion.model._meta.label
        key = object_key(obj.pk)
        entry = f"{label}:{key}"
        if circumstance is not None:
            maker.visitor.made_under[label, key] = circumstance
        try:
            with protected(using):
                signals = _of_request(maker)
            if signals is NOBODY and shopper is None:
                continue
            will = signals.decision
            refused = [(label, key)] if will is not None and will.is_refusal else ()
            with outages.noticing(using, refused=refused, reason=None if will is None else will.reason):
                snapshot.keep(signals, label, obj.pk, using=using)
            if conversion.model is type(obj):
                kept = signals
            if will is not None and will.is_denied:
                continue
            if shopper is not None and will is not None and conf.current().asks:
                shopper.answers_for(entry, commitment, awaiting=not will.is_granted)
        except Exception as error:
            report(error, "the visitor of %s %s was not stored", label, key)
        if shopper is not None and conversion.event:
            shopper.watch(entry, commitment)
    return kept


def signals_for(
    conversion: Conversion, obj: Any, maker: Requester | None, using: str, *, just_made: bool = False
) -> Signals:
    """Return the signals of the visitor who made the object: of the current request, else of the snapshot.

    An object that was `just_made` has no snapshot yet.
    """
    try:
        with protected(using):
            own = NOBODY if maker is None else _of_request(maker)
            if maker is None and not just_made:
                own = _kept(conversion.model._meta.label, obj, using)
            first = first_visitor(conversion, obj, own)
            return own if first is None else of_first(own, snapshot.recall(*first, using=using))
    except Exception as error:
        report(error, "%r is recorded without the signals of its visitor", conversion)
        return NOBODY


def _kept(label: str, obj: Any, using: str) -> Signals:
    """Return the signals of the object's snapshot, from memory if this transaction has stored it."""
    mine = find_signals(label, obj.pk, using=using)
    return snapshot.recall(label, obj.pk, using=using) if mine is None else mine


def _of_request(maker: Requester) -> Signals:
    """Return the signals of the request that makes the object; only a refusal if the signals are not used."""
    if maker.shopper is not None:
        return snapshot.signals_of(maker.shopper, pixels_of_request(maker.shopper.request))
    refusal = maker.will
    return NOBODY if refusal is None else Signals(decision=refusal)


def first_visitor(conversion: Conversion, obj: Any, own: Signals) -> tuple[str, str] | None:
    """Return label and key of the object whose visitor is used. None if this object has a visitor or a refusal."""
    # Decision: an object that was made without a visitor may name another object, whose visitor is used (`visitor_of`).
    # It is a reference and not a copy. So signals are stored once, for their own time, and erased once.
    if not conversion.visitor_models or own.by_visitor or _refuses(own.decision):
        return None
    first = conversion.first_visitor(obj)
    return None if first is None else (first[0], object_key(first[1]))


def of_first(own: Signals, first: Signals) -> Signals:
    """Combine the signals of another object with what is noted at this one.

    Of this object two things stay: the names of its events on a private path, and TikTok's flag for limited data use.
    No visitor made this object, so it does not count as made by one (`made_by`).
    """
    if first == NOBODY:
        return own
    decision = first.decision
    if decision is not None and own.decision is not None and own.decision.limited_data_use:
        decision = replace(decision, limited_data_use=True)
    return replace(first, decision=decision, suppressed=own.suppressed, by_visitor=False)


def _refuses(decision: Decision | None) -> bool:
    """Return whether the decision is a refusal, and not only the flag for limited data use."""
    return decision is not None and decision.is_denied and decision.reason is not Reason.NO_VISITOR
