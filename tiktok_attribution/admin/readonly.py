"""The base of the app's admin pages: to look at, and never to edit by hand."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern
from django.utils.translation import gettext as _

from tiktok_attribution.admin.paging import BoundedPaginator
from tiktok_attribution.admin.request_data import InvalidParameter, checked, each_once


class IndexedList(ChangeList):
    """Keeps the order of the index: any other reads the whole table, so the address can't ask for one."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)


class ActionForm(helpers.ActionForm):
    """Django's own, and its choice shows the button under django-unfold, which looks at the name in `x-model`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].widget.attrs["x-model"] = "action"


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Nothing is added, changed or deleted here, by superusers neither; lists don't count their table.

    Rows are read where the site's router reads the model. Where outboxes lie in several databases, the admin shows
    that one.
    """

    action_form = ActionForm
    actions_on_bottom = False
    filter_parameters: Collection[str] = ()
    """The filters that the address of the list may name. A list refuses any other, and so do its actions."""
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER  # facets are one COUNT a choice
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ("tiktok_attribution/admin.css",)}

    @property
    def urls(self) -> list[URLPattern]:
        """Each address of this admin behind the one check of `request_data`, also those that a subclass adds."""
        patterns = self.get_urls()
        for pattern in patterns:
            pattern.callback = checked(pattern.callback, self.model)
        return patterns

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return IndexedList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Django takes an empty "_to_field=" in the address for the name of a field, and fails.
        return super().get_object(request, object_id, from_field or None)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No lookup but the offered filters: Django's default lets anybody who may look ask for any condition on the
        model's own columns, such as a regular expression over all bodies."""
        return lookup in self.filter_parameters

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Before Django's own reading, which drops what it does not know at all: the list would then show, and an
        # action with "select all" change, more than the address says. A POST is refused in the same way.
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
        """Why the address of the list can't be read, in a sentence that names the parameter; "" where it can."""
        try:
            self.read_parameters(request.GET)
        except InvalidParameter as error:
            return str(error)
        return ""

    def read_parameters(self, parameters: QueryDict) -> object:
        """Read the filters that the address names. Raises UnusableParameter."""
        return each_once(parameters, self.filter_parameters)

    def log_by_hand(self, request: HttpRequest, rows: QuerySet[Any], message: str) -> None:
        """One entry of the admin's log for each row."""
        LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, change_message=message)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
