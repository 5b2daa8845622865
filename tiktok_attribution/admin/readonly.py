"""The base of the app's admin pages: to look at, and never to edit by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import helpers
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from tiktok_attribution.admin.paging import BoundedPaginator


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
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER  # facets are one COUNT a choice
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ("tiktok_attribution/admin.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return IndexedList

    def log_by_hand(self, request: HttpRequest, rows: QuerySet[Any], message: str) -> None:
        """One entry of the admin's log for each row."""
        LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, change_message=message)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
