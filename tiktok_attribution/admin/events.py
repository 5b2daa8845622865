"""The admin of events: the list with its search and export, and the page of one event."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from tiktok_attribution import conf
from tiktok_attribution.admin import event_list, formatting
from tiktok_attribution.admin.action_run import run
from tiktok_attribution.admin.actions import ActionAdmin
from tiktok_attribution.admin.event_list import EventList, Unsearchable, matching, parameters_of
from tiktok_attribution.admin.event_page import ObjectLinks, event_page
from tiktok_attribution.admin.explanations import REASONS, Text
from tiktok_attribution.admin.filters import (
    AttemptFilter,
    ChannelsFilter,
    EventPixelFilter,
    NameFilter,
    PersonFilter,
    RecordedFilter,
    StateFilter,
)
from tiktok_attribution.admin.formatting import moment_text, since
from tiktok_attribution.admin.list_query import KNOWN, TERM, ListQuery, read_query
from tiktok_attribution.conversions import registry
from tiktok_attribution.delivery import manual
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.models import OutboxEvent, State

GIVEN_UP = {State.REJECTED, State.EXPIRED, State.CANCELLED}


@admin.register(OutboxEvent)
class OutboxEventAdmin(ActionAdmin):
    """The list of all events with their states, and the page of one event."""

    fields = ("event_id",)
    filter_parameters = KNOWN
    list_display = ("state_badge", "event", "money", "happened", "last_answer", "browser", "attempts", "recorded")
    list_display_links = ("event",)
    list_filter = (
        *(StateFilter, NameFilter, EventPixelFilter, ChannelsFilter, RecordedFilter),
        *(AttemptFilter, PersonFilter),
    )
    list_select_related = ("last_attempt",)
    ordering = ("-pk",)
    search_fields = ()  # a theme with its own templates would make a GET form of them, also for e-mail addresses
    search_help_text = _(
        "A whole event id, the key of an object such as an order, TikTok's request id, or an e-mail address. An e-mail "
        "address is hashed, and neither logged nor put into the address of the page."
    )

    class Media:
        js = ("tiktok_attribution/copy.js",)

    @admin.display(description=_("state"))
    def state_badge(self, row: OutboxEvent) -> SafeString:
        return formatting.state_badge(row)

    @admin.display(description=_("event"))
    def event(self, row: OutboxEvent) -> SafeString:
        name, key = formatting.event_name(row.name), row.event_id
        return format_html('{} <small class="tiktok-id" title="{}">{}</small>', name, key, key)

    @admin.display(description=_("value"), empty_value="")
    def money(self, row: OutboxEvent) -> SafeString:
        return format_html('<span class="tiktok-money">{}</span>', formatting.money(row))

    @admin.display(description=_("happened"))
    def happened(self, row: OutboxEvent) -> str:
        return moment_text(row.happened_at)

    @admin.display(description=_("recorded"))
    def recorded(self, row: OutboxEvent) -> str:
        return since(row.happened_at, row.created_at)

    @admin.display(description=_("last answer"))
    def last_answer(self, row: OutboxEvent) -> SafeString | str:
        answer = formatting.last_answer(row)
        return format_html('<span class="tiktok-answer">{}</span>', answer) if answer else ""

    @admin.display(description=_("browser"))
    def browser(self, row: OutboxEvent) -> SafeString | str:
        text, tone = formatting.browser_channel(row)
        when = since(row.happened_at, row.browser_at) if row.wants_browser and row.browser_at else ""
        return format_html('<span class="tiktok-text-{}">{} {}</span>', tone.value, text, when)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns: list[Any] = list(super().get_list_display(request))
        columns.insert(columns.index("happened"), self._object_column(request))
        return columns

    def _object_column(self, request: HttpRequest) -> Callable[[OutboxEvent], SafeString | str]:
        links = ObjectLinks(self.admin_site, request)

        @admin.display(description=_("object"))
        def subject(row: OutboxEvent) -> SafeString | str:
            link = links.of(row)
            if link is None or not link.address:
                return link.text if link else ""
            return format_html('<a href="{}">{}</a>', link.address, link.text)

        return subject

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxEvent]:
        rows: QuerySet[OutboxEvent] = super().get_queryset(request)
        return rows.select_related("last_attempt")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[EventList]:
        return EventList

    def read_parameters(self, parameters: QueryDict) -> ListQuery:
        return read_query(parameters)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[OutboxEvent], search_term: str
    ) -> tuple[QuerySet[OutboxEvent], bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=matching(term, using=queryset.db)) if term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        search = require_POST(self.admin_site.admin_view(self._search))
        as_csv = self.admin_site.admin_view(require_GET(self._export))
        return [
            path("search/", search, name="tiktok_attribution_event_search"),
            path("export/", as_csv, name="tiktok_attribution_event_export"),
            *super().get_urls(),
        ]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.export_outboxevent")

    def _export(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request) or not self.has_export_permission(request):
            raise PermissionDenied
        refusal = self.refusal(request)
        if refusal:
            return HttpResponseBadRequest(refusal, content_type="text/plain; charset=utf-8")
        changelist = cast(EventList, self.get_changelist_instance(request))
        rows = changelist.queryset.select_related(None)
        response = StreamingHttpResponse(
            event_list.lines(rows, changelist.asked), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = 'attachment; filename="tiktok-events.csv"'
        return response

    @method_decorator(sensitive_post_parameters())
    @errors_without_values
    def _search(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        address = reverse("admin:tiktok_attribution_outboxevent_changelist", current_app=self.admin_site.name)
        try:
            parameters = parameters_of(request.POST.get("typed", ""))
        except Unsearchable as error:
            self.message_user(request, str(error), messages.WARNING)
            return HttpResponseRedirect(address)
        return HttpResponseRedirect(f"{address}?{urlencode(parameters)}" if parameters else address)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"declared": _declared, "settings_of_app": conf.current()}
        more["may_export"] = self.has_export_permission(request)
        more["elsewhere"] = partial(ObjectLinks(self.admin_site, request).searches, request.GET.get(TERM, ""))
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: OutboxEvent = kwargs["obj"]
        link = ObjectLinks(self.admin_site, request).of(row)
        context["page"] = event_page(row, link, using=row._state.db or "default")
        using = router.db_for_write(OutboxEvent)
        if self.has_retry_permission(request):
            plan = run(manual.retry, [row.pk], using=using, dry=True)
            context["may_retry"] = bool(plan.all_changed)
            context["skip_reasons"] = [REASONS[reason] for reason in plan.refused if row.state in GIVEN_UP]
        context["may_cancel"] = self.has_cancel_permission(request) and row.state == State.WAITING
        return super().render_change_form(request, context, *args, **kwargs)


def _declared() -> list[tuple[str, Text]]:
    return [(conversion.event, conversion.model._meta.verbose_name or "") for conversion in registry.every()]
