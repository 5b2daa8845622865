"""Decide whether the person who makes or tracks something is the person that it is about.

`maker_of` compares the signed-in user with what an object says of its person. `teller_of` does the same for an event
by hand. If they are different persons, the maker counts as a stranger, whose signals are not used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from django.db import connections

from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.accounts import Owner, is_account
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.events import User
from tiktok_attribution.failures import report
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.caller import Caller, account_of, is_staff
from tiktok_attribution.visitor.visitor import Requester

logger = logging.getLogger("tiktok_attribution")

REGISTRATION = "CompleteRegistration"


class Evidence(Enum):
    """What an object says of its person, compared with the signed-in user."""

    SAME = "the same account, e-mail address or external id"
    ANOTHER_ACCOUNT = "another account or external id"
    ANOTHER_EMAIL = "another e-mail address, and no account"
    NOBODY = "no person at all, though the declaration names where one would stand"
    NOT_DECLARED = "the declaration names no person"


# Decision: the visitor is not the request, and the maker is not always the person. A customer may order with a second
# address, or for a friend: it stays their order, unless another account is named. An account that is made with another
# address while a user is signed in is another person's. Staff enter other people's orders and try the shop with their
# own, so the object itself must say that it is theirs. A token may be that of a customer's app or of a machine (an ERP,
# a till). So the object must say so there too, unless the declaration does not say where to look.
_CUSTOMER = frozenset(Evidence) - {Evidence.ANOTHER_ACCOUNT}
_REGISTERING = _CUSTOMER - {Evidence.ANOTHER_EMAIL}
_STAFF = frozenset({Evidence.SAME})
_APP = frozenset({Evidence.SAME, Evidence.NOT_DECLARED})


def maker_of(conversion: Conversion, obj: Any, requester: Requester | None, *, using: str) -> Requester | None:
    """Return who makes this object: the requester, or the requester as a stranger if it is another person's object."""
    if requester is None or requester.shopper is None:
        return requester
    try:
        with protected(using):
            declared = conversion.maker_is_person(obj)
            if declared is not None:
                return requester if declared else requester.as_stranger
            account = account_of(requester.visitor.request)
            if account is None:
                return requester
            staff, own = _is_staff(requester, account), requester.visitor.signed_in
        key = str(account.pk)
        owner = _owner(conversion, obj, key, using=using, freely=staff or requester.caller is Caller.APP)
        evidence = _compare(owner, key, own)
    except Exception as error:
        report(error, "can't tell whose %r is, so it is recorded without the signals of its visitor", conversion)
        return requester.as_stranger
    if evidence in _accepted(requester, conversion.event, staff=staff):
        return requester
    logger.debug("tiktok: the signed-in user is not the person of %r: %s", conversion, evidence.value)
    return requester.as_stranger


def teller_of(event: str, keys: User, requester: Requester | None) -> Requester | None:
    """Return who tracks an event by hand, as `maker_of` does. `keys` are what the caller says of its person."""
    if requester is None or requester.shopper is None or not (keys.email or keys.phone or keys.external_id):
        return requester
    account = account_of(requester.visitor.request)
    if account is None:
        return requester
    own = requester.visitor.signed_in
    if keys.email or keys.external_id:
        evidence = _compare(Owner(keys=keys), str(account.pk), own)
    else:  # only a phone number: many users have none stored, and a customer may give a second one
        evidence = Evidence.SAME if set(keys.phone) & set(own.phone) else Evidence.NOT_DECLARED
    accepted = _accepted(requester, event, staff=_is_staff(requester, account))
    return requester if evidence in accepted else requester.as_stranger


def _is_staff(requester: Requester, account: Any) -> bool:
    """Return whether the user is staff. If IS_VISITOR names the request a visitor's, the user's flag is ignored."""
    return requester.caller is not Caller.NAMED_VISITOR and is_staff(account)


def _accepted(requester: Requester, event: str, *, staff: bool) -> frozenset[Evidence]:
    if staff:
        return _STAFF
    if requester.caller is Caller.APP:
        return _APP
    return _REGISTERING if event == REGISTRATION else _CUSTOMER


def _compare(owner: Owner | None, pk: str, own: User) -> Evidence:
    if owner is None:
        return Evidence.NOT_DECLARED
    accounts, keys = owner
    if pk in accounts or set(keys.email) & set(own.email):
        return Evidence.SAME
    if accounts:
        return Evidence.ANOTHER_ACCOUNT
    if set(keys.external_id) & set(own.external_id):
        return Evidence.SAME
    if keys.external_id and own.external_id:
        return Evidence.ANOTHER_ACCOUNT
    return Evidence.ANOTHER_EMAIL if keys.email else Evidence.NOBODY


def _owner(conversion: Conversion, obj: Any, account: str, *, using: str, freely: bool) -> Owner | None:
    """Return what the object says of its person, by this declaration or another one of its model.

    Unless `freely`, this sends no statement (`_no_queries`), so an ordinary customer's order costs nothing. What is not
    loaded stays unknown then, and the order stays theirs. `freely` is for staff and apps, where the answer must be
    known.
    """
    owner = None
    for one in (conversion, *registry.of(type(obj))):
        try:
            with protected(using) if freely else _no_queries():
                owner = one.owner(obj, account, freely=freely)
        except Exception as error:
            logger.debug("tiktok: can't read from %r whose it is: %s", one, type(error).__name__)
            owner = Owner()
        if owner is not None:
            break
    if is_account(obj):
        return Owner(frozenset({str(obj.pk)}), Owner().keys if owner is None else owner.keys)
    return owner


@contextmanager
def _no_queries() -> Iterator[None]:
    """Forbid database queries inside: a statement raises an error before it is sent."""
    asked = connections.all(initialized_only=True)
    for connection in asked:
        connection.execute_wrappers.insert(0, _refuse)  # first, before a wrapper that would make a savepoint
    try:
        yield
    finally:
        for connection in asked:
            connection.execute_wrappers.remove(_refuse)


class _WouldAsk(Exception):
    """A statement that was not sent."""


def _refuse(*args: Any) -> Any:
    raise _WouldAsk
