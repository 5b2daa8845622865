"""The admin of attempts: the list of requests to TikTok, and the page of one request with its answer."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tiktok_attribution.admin import formatting
from tiktok_attribution.admin.base import ReadOnlyAdmin, is_storable
from tiktok_attribution.admin.explanations import explain_stored
from tiktok_attribution.admin.filters import PixelFilter
from tiktok_attribution.admin.formatting import moment_text, seconds
from tiktok_attribution.models import Attempt, OutboxEvent


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Every POST to the Events API, with TikTok's answer."""

    fields = (
        *("started_at", "outcome_badge", "explained", "events_link", "pixel_code"),
        *("http_status", "code", "message", "request_id", "duration"),
    )
    filter_parameters = ("outcome__exact", PixelFilter.parameter_name)
    list_display = (*("started", "outcome_badge", "events_link", "answer", "http_status", "duration", "request"),)
    list_filter = (("outcome", admin.ChoicesFieldListFilter), PixelFilter)
    ordering = ("-started_at",)
    search_fields = ("request_id",)
    search_help_text = _("A whole request id, as TikTok gave it.")

    @admin.display(description=_("outcome"))
    def outcome_badge(self, attempt: Attempt) -> SafeString:
        return formatting.outcome_badge(attempt)

    @admin.display(description=_("started"))
    def started(self, attempt: Attempt) -> str:
        return moment_text(attempt.started_at)

    @admin.display(description=_("answer"))
    def answer(self, attempt: Attempt) -> SafeString:
        return format_html('<span class="tiktok-answer">{}</span>', attempt)

    @admin.display(description=_("request id"))
    def request(self, attempt: Attempt) -> SafeString:
        return format_html('<small class="tiktok-id" title="{}">{}</small>', attempt.request_id, attempt.request_id)

    @admin.display(description=_("duration"))
    def duration(self, attempt: Attempt) -> str:
        return seconds(attempt.duration_seconds)

    @admin.display(description=_("what it means"))
    def explained(self, attempt: Attempt) -> SafeString | str:
        words = explain_stored(attempt)
        return format_html_join(" ", "{}", ((text,) for text in words if text)) if words else ""

    @admin.display(description=_("events"))
    def events_link(self, attempt: Attempt) -> SafeString | str:
        text = ngettext("%(count)d event", "%(count)d events", attempt.event_count) % {"count": attempt.event_count}
        route = f"admin:{OutboxEvent._meta.app_label}_{OutboxEvent._meta.model_name}_changelist"
        address = reverse(route, current_app=self.admin_site.name)
        return format_html('<a href="{}?{}">{}</a>', address, urlencode({"attempt": attempt.pk}), text)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Attempt], search_term: str
    ) -> tuple[QuerySet[Attempt], bool]:
        # Django's autocomplete view (admin/autocomplete/) calls this without the check of the list's parameters.
        term = search_term.strip()
        if not is_storable(term):
            return queryset.none(), False
        return (queryset.filter(request_id=term) if term else queryset), False
