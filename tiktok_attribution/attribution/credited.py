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


class CreditsOf:
    """The credits of one conversion by any model and window. What several windows have in common is computed once."""

    def __init__(self, conversion: RecordedConversion, touches: Sequence[ConversionTouch]) -> None:
        self._conversion = conversion
        self._by_key = {touch.key: touch for touch in touches}
        self._points = [point_of(touch) for touch in touches]
        self._value = net_value(conversion)
        self._taken = (conversion.value or Decimal(0)) - self._value
        self._inside: dict[int, list[credit.TouchPoint]] = {}
        self._known: dict[tuple[tuple[int, Fraction], ...], list[Credit]] = {}

    def by(self, model: str, window: int) -> list[Credit]:
        """Return the credits by one of `credit.MODELS` and a window (days), in the order of the touches.

        Without an eligible touch it is one credit without a touch. Their sums are the conversion, exactly.
        """
        at = self._conversion.at
        if window not in self._inside:
            self._inside[window] = credit.eligible(
                self._points,
                at=at,
                window=window,
                placed_at=self._conversion.placed_at,
                other_channels=conf.current().attribution.other_channels,
            )
        found = credit.shares(model, self._inside[window], at=at, window=window)
        key = tuple((point.key, share) for point, share in found)  # most models and windows agree on most conversions
        if key not in self._known:
            self._known[key] = self._credits(found)
        return self._known[key]

    def _credits(self, found: Sequence[credit.Share]) -> list[Credit]:
        owners: list[ConversionTouch | None] = [self._by_key[point.key] for point, _ in found] or [None]
        parts = [share for _, share in found] or [Fraction(1)]
        digits = minor_digits(self._conversion.currency)
        rows = zip(
            owners,
            parts,
            credit.stored_credits(parts, of=0 if self._conversion.is_reversed else 1),
            credit.split(self._value, parts, digits=digits),
            credit.split(self._taken, parts, digits=digits),
            strict=True,
        )
        return [Credit(*row) for row in rows]


def net_value(conversion: RecordedConversion) -> Decimal:
    """Return what refunds and a reversal leave of the value."""
    return credit.net_value(conversion.value, conversion.refunded, is_reversed=conversion.is_reversed)
