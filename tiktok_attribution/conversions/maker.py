"""Who made an object: whoever makes it in this very request, else whom a snapshot remembers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tiktok_attribution import conf
from tiktok_attribution.consent.decision import Decision, Reason
from tiktok_attribution.conversions import written
from tiktok_attribution.conversions.building import pixels_of_request
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.person import maker_of
from tiktok_attribution.delivery import outages
from tiktok_attribution.failures import report
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor import snapshot
from tiktok_attribution.visitor.snapshot import NOBODY, NOT_THE_PERSONS, Signals
from tiktok_attribution.visitor.visitor import Commitment, Requester, current_requester


def current_maker(using: str) -> Requester | None:
    """Who sends this request; the queries of the site's own callables must not spoil the transaction."""
    settings = conf.current()
    if settings.is_visitor is None and settings.is_staff is None:
        return current_requester()
    with protected(using):
        return current_requester()


def keep_maker(maker: Requester, awaited: Iterable[Conversion], obj: Any, *, using: str) -> Signals | None:
    """A snapshot for the server event, and a note in the maker's session for the pixel call.

    Return the signals of the snapshot of the object's own model, None where none was stored.

    Where the signals of the request are not used, or the maker is not the object's person, only a refusal is kept.
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
    """Who made the object: whoever sends this request, else whom a snapshot remembers.

    Of an object that was `just_made` there is no snapshot yet.
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
    """The signals of the object's snapshot, which this transaction may have stored itself."""
    mine = written.find(label, obj.pk, using=using)
    return snapshot.recall(label, obj.pk, using=using) if mine is None or mine.signals is None else mine.signals


def _of_request(maker: Requester) -> Signals:
    """The signals of the request that makes the object; where they are not used, only a refusal."""
    if maker.shopper is not None:
        return snapshot.signals_of(maker.shopper, pixels_of_request(maker.shopper.request))
    refusal = maker.will
    return NOBODY if refusal is None else Signals(decision=refusal)


def first_visitor(conversion: Conversion, obj: Any, own: Signals) -> tuple[str, str] | None:
    """Label and key of the object whose visitor is to be used; None where the object has one, or a refusal."""
    if not conversion.visitor_models or own.by_visitor or _refuses(own.decision):
        return None
    first = conversion.first_visitor(obj)
    return None if first is None else (first[0], object_key(first[1]))


def of_first(own: Signals, first: Signals) -> Signals:
    """What is noted at the object itself stays: its events on a private path, TikTok's flag for limited use.

    Nobody has visited for this object, so it does not count as one that a visitor made (`made_by`).
    """
    if first == NOBODY:
        return own
    decision = first.decision
    if decision is not None and own.decision is not None and own.decision.limited_data_use:
        decision = replace(decision, limited_data_use=True)
    return replace(first, decision=decision, suppressed=own.suppressed, by_visitor=False)


def _refuses(decision: Decision | None) -> bool:
    """Whether it says no, and not only that the data may be used in a limited way."""
    return decision is not None and decision.is_denied and decision.reason is not Reason.NO_VISITOR
