"""The base of this app's admin pages: read-only lists, bounded counts, and a check of each request.

`ReadOnlyAdmin` is the base class. `BoundedPaginator` limits the count of large tables. `checked` refuses texts that no
page or link of the admin sends, before a query sees them. Databases refuse some values that a request can hold:
PostgreSQL a NUL, every driver half a surrogate pair, SQLite a number over 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import cached_property, wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, ORDER_VAR, PAGE_VAR, ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Field, IntegerField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import URLPattern
from django.utils.translation import gettext as _

MOST = 10_000
"""The most rows that a list pages through, and that an action takes at once."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Count up to `MOST` only: a COUNT over a million rows takes longer than the page itself."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows[:MOST].count() if isinstance(rows, QuerySet) else len(rows)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than the count."""
        return self.count >= MOST


View = Callable[..., HttpResponseBase]

DJANGOS = frozenset({*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG})
"""Parameters of a list that Django reads itself. Their raw values reach no query."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)


class InvalidParameter(ValueError):
    """The address of a list has a parameter that is unknown or can't be read. The text names it."""


def is_storable(text: str) -> bool:
    """Return whether every database accepts this text as a value."""
    return _UNSTORABLE.search(text) is None


def each_once(parameters: QueryDict, known: Collection[str]) -> dict[str, str]:
    """Return the `known` parameters of a list's address, without Django's own.

    Raises InvalidParameter for any other parameter, and for one that is given twice. Django's lists use both values of
    some parameters and the last value of others, and a person who reads the address can't know which.
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
    # The message may be stored in a cookie, and the pasted text may be anything, an e-mail address too.
    if not _NAME.fullmatch(name):
        return _("The address has a parameter that this list does not know.")
    return _("This list has no filter “%(name)s”.") % {"name": name}


def unreadable(name: str) -> InvalidParameter:
    """Return the error for a known parameter with a value that no link or form makes."""
    return InvalidParameter(_("The address has a value for “%(name)s” that can't be read.") % {"name": name})


def checked(view: View, model: type[Model]) -> View:
    """Wrap a view in the check: 404 for what can't be a key of this model, 400 for other texts that can't be stored.

    It runs before the login, so it must not reveal anything about the rows.
    """

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = _key_field(model)
        for part in kwargs.values():
            if not _can_be_key(key, unquote(part) if isinstance(part, str) else part):
                raise Http404
        if not all(map(is_storable, _texts(request))):
            raise BadRequest("the request has a text that databases refuse")
        if not all(_is_key(key, chosen) for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("the request has a key that no row can have")
        return view(request, *args, **kwargs)

    return check


def _key_field(model: type[Model]) -> Field[Any, Any]:
    """Return the primary key field. If that is a link to a parent's row, return the parent's."""
    field: Any = model._meta.pk
    while field.remote_field is not None:
        field = field.target_field
    return field  # type: ignore[no-any-return]


def _can_be_key(field: Field[Any, Any], key: object) -> bool:
    """Return whether a query for this key is safe. Django itself refuses a text for a number here."""
    if isinstance(key, int):
        return -(2**63) <= key < 2**63
    text = str(key)
    if not isinstance(field, IntegerField):
        return len(text) <= (field.max_length or len(text)) and _CONTROL.search(text) is None
    return not _CONTROL.search(text) and (not _is_number(text) or _can_be_key(field, int(text)))


def _is_key(field: Field[Any, Any], text: str) -> bool:
    """Return the same for the checkbox of a list. Here Django would pass a text for a number on to the query."""
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


class IndexedList(ChangeList):
    """Keep the order of the index. Any other order reads the whole table, so the address can't ask for one."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)


class ActionForm(helpers.ActionForm):
    """Django's form, with the attribute `x-model`. django-unfold needs it to show the button after a choice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].widget.attrs["x-model"] = "action"


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Admin without adding, changing and deleting, also for superusers. Its lists don't count their table.

    It reads the database that the site's router chooses for reading the model. If outboxes are in several databases,
    the admin shows that one.
    """

    action_form = ActionForm
    actions_on_bottom = False
    filter_parameters: Collection[str] = ()
    """The filters that a list's address may name. The list and its actions refuse any other."""
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER  # facets need one COUNT for each choice
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ("tiktok_attribution/admin.css",)}

    @property
    def urls(self) -> list[URLPattern]:
        """Wrap each URL of this admin in `checked`, also those that a subclass adds."""
        patterns = self.get_urls()
        for pattern in patterns:
            pattern.callback = checked(pattern.callback, self.model)
        return patterns

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return IndexedList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Django takes an empty "_to_field=" in the address as the name of a field, and fails.
        return super().get_object(request, object_id, from_field or None)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the filters that the list offers.

        Django's default lets any user with the view permission ask for any condition on the model's columns, for
        example a regular expression over all bodies.
        """
        return lookup in self.filter_parameters

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # This runs before Django reads the parameters, because Django ignores unknown ones. The list would then show
        # more than the address says, and an action with "select all" would change more. A POST is refused as well.
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        refusal = self.refusal(request)
        if refusal:
            self.message_user(
                request, f"{refusal} {_('No filter is applied, and nothing was changed.')}", messages.ERROR
            )
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        return super().changelist_view(request, extra_context)

    def refusal(self, request: HttpRequest) -> str:
        """Return why the list's address can't be read, as a sentence that names the parameter; "" if it can."""
        try:
            self.read_parameters(request.GET)
        except InvalidParameter as error:
            return str(error)
        return ""

    def read_parameters(self, parameters: QueryDict) -> object:
        """Read the filters in the address. Raises InvalidParameter."""
        return each_once(parameters, self.filter_parameters)

    def log_by_hand(self, request: HttpRequest, rows: QuerySet[Any], message: str) -> None:
        """Write one entry to the admin's log for each row."""
        LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, change_message=message)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
