"""The credits of a recorded conversion: which touch gets which share and how much money, by model and window."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tiktok_attribution import conf
from tiktok_attribution.attribution import credit
from tiktok_attribution.events.money import minor_digits
from tiktok_attribution.models import ConversionTouch, RecordedConversion


class Credit(NamedTuple):
    """What one touch gets of a conversion. `touch` is None for the whole of a conversion that no touch led to.

    `conversions` is the share as a decimal of 9 places, 0 for one that was reversed. `value` is what remains after
    refunds. `value` and `refunded` together are this touch's part of the value at the time of the conversion.
    """

    touch: ConversionTouch | None
    share: Fraction
    conversions: Decimal
    value: Decimal
    refunded: Decimal


def point_of(touch: ConversionTouch) -> credit.TouchPoint:
    """Return what credit depends on."""
    return credit.TouchPoint(key=touch.key, at=touch.at, traffic=touch.traffic)


def credits_of(
    conversion: RecordedConversion, touches: Sequence[ConversionTouch], *, model: str, window: int
) -> list[Credit]:
    """Return the credits of a conversion by one of `credit.MODELS` and a window (days), in the order of its touches.

    Without an eligible touch it is one credit without a touch. Their sums are the conversion, exactly.
    """
    inside = credit.eligible(
        map(point_of, touches),
        at=conversion.at,
        window=window,
        placed_at=conversion.placed_at,
        other_channels=conf.current().attribution.other_channels,
    )
    found = credit.shares(model, inside, at=conversion.at, window=window)
    by_key = {touch.key: touch for touch in touches}
    owners: list[ConversionTouch | None] = [by_key[point.key] for point, _ in found] or [None]
    parts = [share for _, share in found] or [Fraction(1)]
    digits = minor_digits(conversion.currency)
    value = net_value(conversion)
    taken = (conversion.value or Decimal(0)) - value
    rows = zip(
        owners,
        parts,
        credit.stored_credits(parts, of=0 if conversion.is_reversed else 1),
        credit.split(value, parts, digits=digits),
        credit.split(taken, parts, digits=digits),
        strict=True,
    )
    return [Credit(*row) for row in rows]


def net_value(conversion: RecordedConversion) -> Decimal:
    """Return what refunds and a reversal leave of the value."""
    return credit.net_value(conversion.value, conversion.refunded, is_reversed=conversion.is_reversed)
