"""What a site declares: which object, when it counts, and what TikTok is told of it."""

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
    """The table of a model, and those of the models that it inherits from."""
    return frozenset(one._meta.db_table for one in (model, *model._meta.get_parent_list()))


class Conversion:
    """The class form. Subclass it, name the event, override what the site knows better, and `@register` it.

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
    """"visitor": only an object counts that its own person made in a visitor's request, and no import or colleague."""
    visitor_models: Sequence[type[Model]] = ()
    """The models of what `visitor_of` gives: the visitor who makes one of them is kept for later objects."""
    model: type[Model]

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.event} of {self.model._meta.label}>"

    def happened(self, obj: Any) -> bool:
        """True once the object counts. The event is recorded when this first becomes true. Default: when it is made."""
        return True

    def properties(self, obj: Any) -> Mapping[str, Any]:
        """value, currency, contents and whatever else TikTok is to know; see `events.payload.properties`."""
        return {}

    def user(self, obj: Any) -> Mapping[str, Any]:
        """Plain matching keys of the object's person (email, phone, external_id, …); hashed before they are stored."""
        return {}

    def consent(self, obj: Any) -> Any:
        """What the site knows of the person's consent: True, False, or None to go by the visitor's answer."""
        return None

    def skip(self, obj: Any) -> bool:
        """True for an object that nobody is told of: a child's, a patient's. It is not recorded at all."""
        return False

    def maker_is_person(self, obj: Any) -> bool | None:
        """Whether whoever makes the object is its person; None to go by the rule (docs/browser.md).

        False for an order that a clerk enters or a till prints: it carries nothing of who made it.
        """
        return None

    def visitor_of(self, obj: Any) -> Model | None:
        """Another object, whose visitor this one has where it was made without one: an invoice's subscription."""
        return None

    def event_id(self, obj: Any) -> str:
        """The same for the same object, so that nothing can count twice. Default: "order-42"."""
        return self.default_event_id(obj)

    def event_time(self, obj: Any) -> Any:
        """When it happened (datetime or epoch seconds); None means now, and keeps the backfill away."""
        return None

    def pixels(self, obj: Any) -> Sequence[str]:
        """Pixel codes for this object; empty means those of the request that made it, else PIXEL_CODE."""
        return ()

    def candidates(self) -> QuerySet[Any]:
        """Where the backfill looks for objects that happened. Narrow it, where a query can, and prefetch.

        By the base manager, as `had_happened` looks: a default manager that hides archived orders is for the site's
        pages, and an order that was archived an hour after it was paid was paid all the same.
        """
        rows: QuerySet[Any] = self.model._base_manager.all()
        return rows

    def candidates_since(self, moment: datetime) -> QuerySet[Any]:
        """The candidates that may have happened since then; undated ones are among them."""
        return self.candidates()

    def recent(self, moment: datetime) -> QuerySet[Any] | None:
        """Of the candidates those with a time since then, for the hourly search; None where no query can tell.

        Then that search leaves this declaration out: it must not read a whole table of orders every hour.
        """
        narrows = type(self).candidates_since is not Conversion.candidates_since
        return self.candidates_since(moment) if narrows else None

    def concerns(self, update_fields: Collection[str] | None) -> bool:
        """Whether a save of only these fields can make it happen."""
        return update_fields is None or not self.happens_when_made

    def had_happened(self, pk: object, using: str) -> bool:
        """Whether the stored object counted already, before the save that is under way."""
        if self.happens_when_made:
            return True
        stored = self.model._base_manager.using(using).filter(pk=pk).first()
        return stored is not None and self.happened(stored)

    def default_event_id(self, obj: Any) -> str:
        """The label, or the model's name, and the primary key."""
        return object_event_id(self.label or self.model._meta.model_name or "", obj.pk)

    def hashed_user(self, obj: Any) -> tuple[User, list[str]]:
        """The object's matching keys as they are sent, and notes on those left out."""
        return hashed(self.user(obj))

    @cached_property
    def tables(self) -> Tables:
        """What an event of it is made of, to notice what changes it before the commit."""
        return Tables(own=own_tables(self.model), others=None)

    @errors_without_values
    def owner(self, obj: Any, account: str, *, freely: bool) -> Owner | None:
        """What the object says of its person; None where the declaration does not say where that stands.

        No more is looked at once it names this `account`. Unless `freely`, what a statement would have to fetch is left
        out where that can be seen.
        """
        if type(self).user is not Conversion.user:
            keys = {key: value for key, value in self.user(obj).items() if key in KEYS}
            return Owner(keys=hashed(keys)[0])
        model: type[Model] = type(obj)
        accounts = read_accounts(obj, account_columns(model))
        # Of a customer and the clerk who entered their order nobody has said which is the person: a clerk is not.
        is_plain = len(accounts) == 1 or account not in accounts
        return Owner(accounts) if accounts and is_plain else None

    def first_visitor(self, obj: Any) -> tuple[str, object] | None:
        """Label and primary key of what `visitor_of` gives."""
        first = self.visitor_of(obj)
        for model in self.visitor_models:
            if isinstance(first, model):
                return concrete(model)._meta.label, first.pk
        if first is not None:
            raise InvalidEvent(f"visitor_of gave a {type(first).__name__}, and visitor_models does not name it.")
        return None

    @property
    def happens_when_made(self) -> bool:
        """True where nothing but the object's creation makes it happen."""
        return type(self).happened is Conversion.happened

    @property
    def has_time(self) -> bool:
        """Whether the site says where an object's own time stands, be it filled or empty."""
        return type(self).event_time is not Conversion.event_time
