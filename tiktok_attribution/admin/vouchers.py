"""The admin of voucher codes: the one list of this app that people edit, with Django's own permissions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tiktok_attribution.admin.base import ReadOnlyAdmin, is_storable
from tiktok_attribution.attribution.code_sums import mark_days_of_code
from tiktok_attribution.models import VoucherCode

MOST_SEARCHED = 150


@admin.register(VoucherCode)
class VoucherCodeAdmin(ReadOnlyAdmin):
    """Codes of creators and campaigns. A changed code has the worker count the conversions that already have it."""

    actions = None
    fields = ("code", "creator", "campaign_name", "campaign_id")
    list_display = ("code", "creator", "campaign_name", "campaign_id")
    ordering = ("folded",)
    search_fields = ("code", "creator")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[VoucherCode], search_term: str
    ) -> tuple[QuerySet[VoucherCode], bool]:
        # No column is as long, and SQLite refuses a LIKE with a pattern over 50,000 bytes.
        if len(search_term) > MOST_SEARCHED or not is_storable(search_term):
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def save_model(self, request: HttpRequest, obj: VoucherCode, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if not change or "code" in form.changed_data:
            mark_days_of_code(obj.code)
