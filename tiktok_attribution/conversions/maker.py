"""Who makes an object in this very request, kept for what may become of it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tiktok_attribution import conf
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.objects import signals_for
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.visitor import snapshot
from tiktok_attribution.visitor.commitment import Commitment
from tiktok_attribution.visitor.current import current_shopper
from tiktok_attribution.visitor.object_key import object_key
from tiktok_attribution.visitor.reason import report
from tiktok_attribution.visitor.visitor import Visitor


def current_maker(using: str) -> Visitor | None:
    """The shopper of this request; the queries of the site's IS_VISITOR must not spoil the transaction."""
    if conf.current().is_visitor is None:
        return current_shopper()
    with protected(using):
        return current_shopper()


def keep_maker(maker: Visitor, awaited: Iterable[Conversion], obj: Any, *, using: str) -> None:
    """A snapshot for the server half, and a note in the maker's session for the browser half."""
    commitment = Commitment(using)
    for conversion in {one.model: one for one in awaited}.values():
        label = conversion.model._meta.label
        entry = f"{label}:{object_key(obj.pk)}"
        try:
            signals = signals_for(conversion, obj, maker, using)
            snapshot.keep(signals, label, obj.pk, using=using)
            if signals.decision is not None and signals.decision.is_denied:
                continue
            if signals.decision is not None and conf.current().asks:
                maker.answers_for(entry, commitment, held=not signals.decision.is_granted)
        except Exception as error:
            report(error, "no visitor was kept for %s %s", label, object_key(obj.pk))
        maker.watch(entry, commitment)
