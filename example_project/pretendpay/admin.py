from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Payment
from .webhook import send_later


@admin.register(Payment)
class PaymentAdmin(admin.ModelAdmin):
    list_display = ("id", "reference", "amount", "currency", "status", "created_at")
    list_filter = ("status",)
    search_fields = ("id", "reference")
    readonly_fields = tuple(field.name for field in Payment._meta.fields)
    actions = ("send_webhook_again",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description="Send the webhook again", permissions=["change"])
    def send_webhook_again(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        decided = queryset.exclude(status=Payment.Status.OPEN)
        for payment in decided:
            send_later(payment)
        messages.info(request, f"{len(decided)} webhooks on their way.")
