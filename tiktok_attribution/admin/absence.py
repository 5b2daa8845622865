"""Why TikTok does not know of an object: it has no event, or one that has not arrived."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Model
from django.utils.translation import gettext as _

from tiktok_attribution.admin.display import cells
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import VISITOR
from tiktok_attribution.models import OutboxEvent, PixelStatus, State
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.snapshot import recall


def reason_nothing_was_recorded(obj: Model, using: str) -> str:
    """Asks the declarations whether the object counts now; where they raise, the bare fact is all that is told."""
    nothing = _("No event was recorded for this object.")
    try:
        with protected(using):
            counts = [conversion.happened(obj) for conversion in registry.of(type(obj))]
    except Exception:
        return nothing
    if not counts:
        return nothing
    if any(counts) and _is_by_visitor(obj, using):
        reason = _("It counts now: unless its visitor refused, manage.py tiktok_backfill records it.")
    elif any(counts):
        reason = _("Only what a visitor made counts (made_by), and no visitor of this object is known.")
    else:
        reason = _("What its conversion waits for (when) has not happened.")
    return f"{nothing} {reason}"


def _is_by_visitor(obj: Model, using: str) -> bool:
    """Whether a conversion counts it whoever made it, or a visitor is known to have done so."""
    conversions = registry.of(type(obj))
    if any(conversion.made_by != VISITOR for conversion in conversions):
        return True
    return any(recall(one.model._meta.label, obj.pk, using=using).by_visitor for one in conversions)


def missing_reasons(rows: Sequence[OutboxEvent], using: str) -> list[str]:
    """For each of these events, "" where it is delivered."""
    codes = {row.pixel_code for row in rows if row.state == State.WAITING}
    stopped = PixelStatus.objects.using(using).filter(pk__in=codes, stopped_at__isnull=False) if codes else ()
    waits = {pixel.pk for pixel in stopped}
    return [_missing_reason(row, waits) for row in rows]


def _missing_reason(row: OutboxEvent, stopped: set[str]) -> str:
    if row.state == State.DELIVERED:
        return ""
    if row.state == State.WAITING and row.pixel_code in stopped:
        return _("Pixel %(pixel)s is stopped, so this event waits.") % {"pixel": row.pixel_code}
    return cells.last_answer(row)
