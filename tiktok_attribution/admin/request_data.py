"""Check what a request to the admin says before a query or a page sees it.

The admin's own pages and links send short printable text. Databases refuse some of what a request can hold besides:
PostgreSQL raises for a NUL, every driver for half a surrogate pair, SQLite for a number beyond 64 bits. So a
ModelAdmin of this app checks each of its addresses here, at one place, before its view runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import wraps
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, PAGE_VAR
from django.core.exceptions import BadRequest
from django.db.models import Field, IntegerField, Model
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _

View = Callable[..., HttpResponseBase]

DJANGOS = frozenset({*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG})
"""Parameters of a list that Django reads itself. None of them reaches a query as it is."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)


class InvalidParameter(ValueError):
    """The address of a list holds a parameter that the list does not know or can't read. The text says which."""


def is_storable(text: str) -> bool:
    """Whether every database takes this text as a value."""
    return _UNSTORABLE.search(text) is None


def each_once(parameters: QueryDict, known: Collection[str]) -> dict[str, str]:
    """The `known` parameters of a list's address, without Django's own.

    Raises UnusableParameter for any other parameter, and for one that is given twice: Django's lists take both values
    of some and the last value of others, and a person who reads the address can't tell which.
    """
    found = {}
    for name, values in parameters.lists():
        if name in known:
            if len(values) > 1:
                raise InvalidParameter(_("The address gives “%(name)s” more than once.") % {"name": name})
            found[name] = values[0]
        elif name not in DJANGOS:
            raise InvalidParameter(_unknown(name))
    return found


def _unknown(name: str) -> str:
    # The message may be kept in a cookie, and what was pasted behind the "?" may be anything, an e-mail address too.
    if not _NAME.fullmatch(name):
        return _("The address holds a parameter that this list does not know.")
    return _("This list has no filter “%(name)s”.") % {"name": name}


def unreadable(name: str) -> InvalidParameter:
    """The error for a known parameter whose value no link or form makes."""
    return InvalidParameter(_("The address gives a value for “%(name)s” that can't be read.") % {"name": name})


def checked(view: View, model: type[Model]) -> View:
    """The view behind the check: 404 for what can't be a key of this model, 400 for any other unusable text.

    It stands outside of the login, so nobody learns more from it than from the length of a line.
    """

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = _key_field(model)
        for part in kwargs.values():
            if not _can_be_key(key, unquote(part) if isinstance(part, str) else part):
                raise Http404
        if not all(map(is_storable, _texts(request))):
            raise BadRequest("a text that no database takes")
        if not all(_is_key(key, chosen) for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("a key of no row")
        return view(request, *args, **kwargs)

    return check


def _key_field(model: type[Model]) -> Field[Any, Any]:
    """The primary key; where that is the link to a parent's row, the parent's."""
    field: Any = model._meta.pk
    while field.remote_field is not None:
        field = field.target_field
    return field  # type: ignore[no-any-return]


def _can_be_key(field: Field[Any, Any], key: object) -> bool:
    """Whether a query for this key is safe; a text that is no number, where one is wanted, Django refuses itself."""
    if isinstance(key, int):
        return -(2**63) <= key < 2**63
    text = str(key)
    if not isinstance(field, IntegerField):
        return len(text) <= (field.max_length or len(text)) and _CONTROL.search(text) is None
    return not _CONTROL.search(text) and (not _is_number(text) or _can_be_key(field, int(text)))


def _is_key(field: Field[Any, Any], text: str) -> bool:
    """As above, for a list's checkbox: here Django lets a text that is no number reach the query."""
    return _can_be_key(field, text) and (not isinstance(field, IntegerField) or _is_number(text))


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _texts(request: HttpRequest) -> Iterator[str]:
    for sent in (request.GET, request.POST):
        for name, values in sent.lists():
            yield name
            yield from map(str, values)
