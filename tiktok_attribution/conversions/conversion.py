"""Declare a conversion: which model, when an object of it counts, and which event it becomes.

`Conversion` is the class form of a declaration. The settings form is compiled into a subclass of it
(`settings_form.MappedConversion`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Model, QuerySet

from tiktok_attribution.conversions.accounts import KEYS, Owner, account_columns, concrete, read_accounts
from tiktok_attribution.conversions.event_source import Tables
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import User
from tiktok_attribution.events.ids import object_event_id
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.matching import hashed

BOTH, SERVER, BROWSER = "both", "server", "browser"
CHANNELS = (BOTH, SERVER, BROWSER)
ANYONE, VISITOR = MAKERS = ("anyone", "visitor")


def own_tables(model: type[Model]) -> frozenset[str]:
    """Return the table of a model, and those of the models that it inherits from."""
    return frozenset(one._meta.db_table for one in (model, *model._meta.get_parent_list()))


class Conversion:
    """The class form of a declaration. Subclass it, set `event`, override what the site knows better, `@register` it.

    ```python
    @register(Order)
    class OrderPurchase(Conversion):
        event = "Purchase"
        def happened(self, order): return order.status == Order.PAID
        def properties(self, order): return {"value": order.total, "currency": order.currency}
        def user(self, order): return {"email": order.email}
    ```
    """

    event: str = ""
    channels: str = BOTH
    label: str = ""
    made_by: str = ANYONE
    """"visitor": only objects count that their own person made in a visitor's request. Imports and colleagues don't."""
    visitor_models: Sequence[type[Model]] = ()
    """The models of what `visitor_of` returns. The visitor who makes one of them is kept for later objects."""
    model: type[Model]

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.event} of {self.model._meta.label}>"

    def happened(self, obj: Any) -> bool:
        """Return True once the object counts. It is recorded when this first becomes true. Default: when it is made."""
        return True

    def properties(self, obj: Any) -> Mapping[str, Any]:
        """Return value, currency, contents and other properties of the event; see `events.properties.properties`."""
        return {}

    def user(self, obj: Any) -> Mapping[str, Any]:
        """Return plain matching keys of the object's person (email, phone, external_id, …). They are hashed at once."""
        return {}

    def consent(self, obj: Any) -> Any:
        """Return what the site knows of the person's consent: True, False, or None to use the visitor's answer."""
        return None

    def skip(self, obj: Any) -> bool:
        """Return True for an object that must never be recorded, such as a child's or a patient's."""
        return False

    def maker_is_person(self, obj: Any) -> bool | None:
        """Return whether the person who makes the object is the person that it is about.

        None applies the usual rule (docs/browser.md). Return False for an order that a clerk enters or a till prints:
        then the event has no signals of the maker.
        """
        return None

    def visitor_of(self, obj: Any) -> Model | None:
        """Return another object whose visitor is used if this one was made without one: an invoice's subscription."""
        return None

    def event_id(self, obj: Any) -> str:
        """Return the event id, the same for the same object, so that nothing counts twice. Default: "order-42"."""
        return self.default_event_id(obj)

    def event_time(self, obj: Any) -> Any:
        """Return when it happened (datetime or epoch seconds). None means now, and the backfill skips the object."""
        return None

    def refunded(self, obj: Any) -> Any:
        """Return how much of the value has been paid back so far, None for nothing. Attribution lowers the value."""
        return None

    def is_reversed(self, obj: Any) -> bool:
        """Return True for an object that no longer counts, such as a cancelled order. Then count and value are 0."""
        return False

    def is_first(self, obj: Any) -> bool | None:
        """Return whether this is the first conversion of a new customer. None: earlier conversions tell."""
        return None

    def code(self, obj: Any) -> Any:
        """Return the voucher code that was used, for attribution to a creator. None or "" without one."""
        return None

    def pixels(self, obj: Any) -> Sequence[str]:
        """Return the pixel codes for this object. Empty: those of the request that made it, else PIXEL_CODE."""
        return ()

    def candidates(self) -> QuerySet[Any]:
        """Return the objects in which the backfill searches. Narrow the query if you can, and prefetch.

        It uses the base manager, as `had_happened` does. A default manager may hide archived orders from the site's
        pages. But an order that was archived an hour after its payment was paid all the same.
        """
        rows: QuerySet[Any] = self.model._base_manager.all()
        return rows

    def candidates_since(self, moment: datetime) -> QuerySet[Any]:
        """Return the candidates that may have happened since this moment, and all that have no time."""
        return self.candidates()

    def recent(self, moment: datetime) -> QuerySet[Any] | None:
        """Return the candidates with a time since this moment, for the hourly backfill. None if no query can tell.

        With None the hourly backfill skips this declaration: it must not read a whole table of orders every hour.
        """
        narrows = type(self).candidates_since is not Conversion.candidates_since
        return self.candidates_since(moment) if narrows else None

    def concerns(self, update_fields: Collection[str] | None) -> bool:
        """Return whether a save of only these fields can make it happen."""
        return update_fields is None or not self.happens_when_made

    def concerns_refunds(self, update_fields: Collection[str]) -> bool:
        """Return whether a save of only these fields may be a refund or a reversal."""
        return self.may_be_refunded

    def had_happened(self, pk: object, using: str) -> bool:
        """Return whether the stored object counted already, before the current save."""
        if self.happens_when_made:
            return True
        stored = self.model._base_manager.using(using).filter(pk=pk).first()
        return stored is not None and self.happened(stored)

    def default_event_id(self, obj: Any) -> str:
        """Build the event id from the label, or the model's name, and the primary key."""
        return object_event_id(self.label or self.model._meta.model_name or "", obj.pk)

    def hashed_user(self, obj: Any) -> tuple[User, list[str]]:
        """Hash the object's matching keys. Return them as they are sent, and notes on those that were left out."""
        return hashed(self.user(obj))

    @cached_property
    def tables(self) -> Tables:
        """Return the tables that the event is built from, to notice changes before the commit."""
        return Tables(own=own_tables(self.model), others=None)

    @errors_without_values
    def owner(self, obj: Any, account: str, *, freely: bool) -> Owner | None:
        """Return what the object says of its person; None if the declaration does not say where to look.

        Reading stops once the object names this `account`. Unless `freely`, values that need a statement are left out
        where that can be seen.
        """
        if type(self).user is not Conversion.user:
            keys = {key: value for key, value in self.user(obj).items() if key in KEYS}
            return Owner(keys=hashed(keys)[0])
        model: type[Model] = type(obj)
        accounts = read_accounts(obj, account_columns(model))
        # An order may name a customer and the clerk who entered it. No declaration says which one is the person.
        # The clerk is not, so with several accounts one that is the maker's own proves nothing.
        is_plain = len(accounts) == 1 or account not in accounts
        return Owner(accounts) if accounts and is_plain else None

    def first_visitor(self, obj: Any) -> tuple[str, object] | None:
        """Return label and primary key of the object that `visitor_of` returns."""
        first = self.visitor_of(obj)
        for model in self.visitor_models:
            if isinstance(first, model):
                return concrete(model)._meta.label, first.pk
        if first is not None:
            raise InvalidEvent(f"visitor_of gave a {type(first).__name__}, and visitor_models does not name it.")
        return None

    @property
    def may_be_refunded(self) -> bool:
        """True if the declaration says how refunds or reversals are found: then later saves are looked at too."""
        own = type(self)
        return own.refunded is not Conversion.refunded or own.is_reversed is not Conversion.is_reversed

    @property
    def describes_object(self) -> bool:
        """True if anything of a recorded conversion is read from its object: refund, reversal, newness or code."""
        own = type(self)
        others = own.is_first is not Conversion.is_first or own.code is not Conversion.code
        return others or self.may_be_refunded

    @property
    def happens_when_made(self) -> bool:
        """True if the object's creation alone makes it happen."""
        return type(self).happened is Conversion.happened

    @property
    def has_time(self) -> bool:
        """True if the site says where an object's own time is stored, whether it is filled or empty."""
        return type(self).event_time is not Conversion.event_time
