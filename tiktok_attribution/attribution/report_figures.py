"""The figures of one row, day or total of the report, and what is computed from them.

`Figures` adds up; its properties divide. A property is None where the answer isn't known, and pages show "–" for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

NOTHING = Decimal(0)
Money = dict[str, Decimal]
"""Amounts by currency. "" stands for an amount whose currency is unknown."""


def add_money(to: Money, currency: str, amount: Decimal) -> None:
    """Add an amount to the sum of its currency."""
    if amount or currency:
        to[currency] = to.get(currency, NOTHING) + amount


def plus(known: Decimal | None, more: Decimal | None) -> Decimal | None:
    """Add two numbers of which either may be unknown; the sum is unknown if both are."""
    return more if known is None else known if more is None else known + more


# Decision: currencies never add up. A ratio of value and spend exists only where both are in one currency, or where the
# site gives rates (ATTRIBUTION["rates"]). Every other answer would depend on a rate that nobody chose.
@dataclass(slots=True)
class Figures:
    """Sums of credits, money, spend and TikTok's own counts.

    `conversions` and `new` are sums of credits. `unknown` counts those of which nobody knows whether the customer is
    new. `value` is after refunds. `converted` is the value in the one currency of the whole report's spend; None if a
    rate was missing. `by_click` are the same conversions by the day of the click. With `is_partial`, spend and
    conversions are not about the same ads, so nothing is divided or compared. A sum of such figures is whole again.
    """

    conversions: Decimal = NOTHING
    new: Decimal = NOTHING
    unknown: Decimal = NOTHING
    value: Money = field(default_factory=dict)
    refunded: Money = field(default_factory=dict)
    converted: Decimal | None = NOTHING
    spend: Money = field(default_factory=dict)
    impressions: int | None = None
    clicks: int | None = None
    own_conversions: Decimal | None = None
    own_value: Money = field(default_factory=dict)
    own_views: Decimal | None = None
    by_click: Decimal | None = None
    is_partial: bool = False

    def add(self, other: Figures) -> None:
        """Add the figures of another row."""
        self.conversions += other.conversions
        self.new += other.new
        self.unknown += other.unknown
        for mine, more in (
            (self.value, other.value),
            (self.refunded, other.refunded),
            (self.spend, other.spend),
            (self.own_value, other.own_value),
        ):
            if more:
                for currency, amount in more.items():
                    add_money(mine, currency, amount)
        is_known = self.converted is not None and other.converted is not None
        self.converted = plus(self.converted, other.converted) if is_known else None
        self.impressions = _added(self.impressions, other.impressions)
        self.clicks = _added(self.clicks, other.clicks)
        self.own_conversions = plus(self.own_conversions, other.own_conversions)
        self.own_views = plus(self.own_views, other.own_views)
        self.by_click = plus(self.by_click, other.by_click)

    @property
    def cost(self) -> tuple[str, Decimal] | None:
        """Return the currency and the sum of the spend. None without spend, or with several currencies."""
        spent = [(currency, amount) for currency, amount in self.spend.items() if amount]
        return spent[0] if len(spent) == 1 and spent[0][0] else None

    @property
    def roas(self) -> Decimal | None:
        """Return value divided by spend."""
        if self.cost is None or self.is_partial:
            return None
        currency, cost = self.cost
        earned = {code for code, amount in self.value.items() if amount}
        if earned <= {currency}:
            # Conversions of which no value is known, such as sign-ups, have no return: that is not a return of 0.
            has_value = bool(self.value) or not self.conversions
            return self.value.get(currency, NOTHING) / cost if has_value else None
        return None if self.converted is None else self.converted / cost

    @property
    def cpa(self) -> Decimal | None:
        """Return the cost of one conversion, in the currency of the spend."""
        if self.cost is None or self.is_partial or not self.conversions:
            return None
        return self.cost[1] / self.conversions

    @property
    def new_customers(self) -> Decimal | None:
        """Return the conversions of new customers. None if that is unknown of some."""
        return None if self.unknown else self.new

    @property
    def cac(self) -> Decimal | None:
        """Return the cost of one new customer, in the currency of the spend."""
        if self.cost is None or self.is_partial or not self.new_customers:
            return None
        return self.cost[1] / self.new

    @property
    def rate(self) -> Decimal | None:
        """Return conversions for each click of the ads, as TikTok counts clicks."""
        return self.conversions / self.clicks if self.clicks and not self.is_partial else None

    @property
    def own_roas(self) -> Decimal | None:
        """Return TikTok's value divided by the spend."""
        if self.cost is None or not self.own_value:
            return None
        currency, cost = self.cost
        return self.own_value[currency] / cost if set(self.own_value) == {currency} else None

    @property
    def difference(self) -> Decimal | None:
        """Return by how much TikTok's conversions exceed ours."""
        if self.own_conversions is None or self.is_partial:
            return None
        return self.own_conversions - self.conversions

    @property
    def clock_part(self) -> Decimal | None:
        """Return how much of the difference is the clock: TikTok counts on the day of the click."""
        return None if self.by_click is None else self.by_click - self.conversions

    # Decision: only what is known is taken off: conversions after a view, which a site can't see, and the other clock.
    # What remains is "not explained". A guess would look like an answer.
    @property
    def not_explained(self) -> Decimal | None:
        """Return what is left of the difference after views and clock."""
        if self.difference is None:
            return None
        return self.difference - (self.own_views or NOTHING) - (self.clock_part or NOTHING)


def _added(known: int | None, more: int | None) -> int | None:
    return more if known is None else known if more is None else known + more
