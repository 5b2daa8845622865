"""Who makes an object in this very request, kept for what may become of it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tiktok_attribution import conf
from tiktok_attribution.consent.answer import Reason
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.objects import signals_for
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.visitor import snapshot
from tiktok_attribution.visitor.commitment import Commitment
from tiktok_attribution.visitor.current import current_requester
from tiktok_attribution.visitor.object_key import object_key
from tiktok_attribution.visitor.reason import report
from tiktok_attribution.visitor.snapshot import NOBODY
from tiktok_attribution.visitor.visitor import Requester


def current_maker(using: str) -> Requester | None:
    """Who sends this request; the queries of the site's IS_VISITOR must not spoil the transaction."""
    if conf.current().is_visitor is None:
        return current_requester()
    with protected(using):
        return current_requester()


def keep_maker(maker: Requester, awaited: Iterable[Conversion], obj: Any, *, using: str) -> None:
    """A snapshot for the server half, and a note in the maker's session for the browser half.

    Where the signals of the request are not used, only a refusal is kept.
    """
    with protected(using):
        circumstance = maker.circumstance
    shopper = None if circumstance is Reason.BOT else maker.shopper
    commitment = Commitment(using)
    for conversion in {one.model: one for one in awaited}.values():
        label = conversion.model._meta.label
        key = object_key(obj.pk)
        entry = f"{label}:{key}"
        if circumstance is not None:
            maker.visitor.made_under[label, key] = circumstance
        try:
            signals = signals_for(conversion, obj, maker, using)
            if signals is NOBODY and shopper is None:
                continue
            snapshot.keep(signals, label, obj.pk, using=using)
            if signals.decision is not None and signals.decision.is_denied:
                continue
            if shopper is not None and signals.decision is not None and conf.current().asks:
                shopper.answers_for(entry, commitment, held=not signals.decision.is_granted)
        except Exception as error:
            report(error, "no visitor was kept for %s %s", label, key)
        if shopper is not None:
            shopper.watch(entry, commitment)
