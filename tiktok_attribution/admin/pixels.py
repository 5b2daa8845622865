"""The admin of pixels: why a pixel was stopped, and the button that resumes it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tiktok_attribution import conf, tasks
from tiktok_attribution.admin import formatting
from tiktok_attribution.admin.base import ReadOnlyAdmin
from tiktok_attribution.admin.explanations import PIXEL_DOWN, PIXEL_RUNS, STOPPED, explain_stored
from tiktok_attribution.delivery.pixels import OPENS_AFTER, resume
from tiktok_attribution.models import PixelStatus


@admin.register(PixelStatus)
class PixelStatusAdmin(ReadOnlyAdmin):
    """A pixel has a row once it has been stopped or has failed. Others are only in the settings."""

    actions = ("resume_selected",)
    fields = ("pixel_code",)
    list_display = ("pixel_code", "status", "stopped_at", "answer", "explained")
    ordering = ("pk",)

    @admin.display(description=gettext_lazy("state"))
    def status(self, pixel: PixelStatus) -> SafeString:
        return formatting.pixel_badge(pixel)

    @admin.display(description=gettext_lazy("TikTok's answer"))
    def answer(self, pixel: PixelStatus) -> str:
        if pixel.failures and not pixel.stopped_at:
            return _("No answer, or HTTP 5xx, %(count)d times in a row.") % {"count": pixel.failures}
        return " ".join(str(part) for part in (pixel.code, pixel.message) if part not in (None, ""))

    @admin.display(description=gettext_lazy("what it means"))
    def explained(self, pixel: PixelStatus) -> SafeString | str:
        if pixel.failures and not pixel.stopped_at:
            return _("TikTok seems to be down. Its events wait; one is sent now and then to see whether it is back.")
        words = explain_stored(pixel) if pixel.stopped_at else None
        return format_html_join(" ", "{}", ((text,) for text in words if text)) if words else ""

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.resume_pixelstatus")

    @admin.action(permissions=["resume"], description=gettext_lazy("Resume selected pixels"))
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[PixelStatus]) -> None:
        for pixel_code in queryset.values_list("pk", flat=True):
            self._resume(request, pixel_code)

    def get_urls(self) -> list[URLPattern]:
        view = require_POST(self.admin_site.admin_view(self._resume_one))
        return [path("<path:object_id>/resume/", view, name="tiktok_attribution_pixel_resume"), *super().get_urls()]

    def _resume_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request) or not self.has_resume_permission(request):
            raise PermissionDenied
        pixel_code = unquote(object_id)
        if not PixelStatus.objects.using(router.db_for_write(PixelStatus)).filter(pk=pixel_code).exists():
            raise Http404
        self._resume(request, pixel_code)
        route = "admin:tiktok_attribution_pixelstatus_change"
        return HttpResponseRedirect(reverse(route, args=[quote(pixel_code)], current_app=self.admin_site.name))

    def _resume(self, request: HttpRequest, pixel_code: str) -> None:
        using = router.db_for_write(PixelStatus)
        if not resume(using, pixel_code):
            self.message_user(request, _("Pixel %(pixel)s was not stopped.") % {"pixel": pixel_code}, messages.WARNING)
            return
        pixels = PixelStatus.objects.using(using).filter(pk=pixel_code)
        self.log_by_hand(request, pixels, _("Resumed by a person."))
        transaction.on_commit(partial(tasks.wake_worker, pixel_code, using), using=using, robust=True)
        text = _("Pixel %(pixel)s may send again. If the cause is not fixed, TikTok's next answer stops it again.")
        self.message_user(request, text % {"pixel": pixel_code}, messages.SUCCESS)
        if not conf.current().token_of(pixel_code):
            text = _("No access token is configured for %(pixel)s, so it will stop again at once.")
            self.message_user(request, text % {"pixel": pixel_code}, messages.WARNING)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"never_stopped": self._never_stopped}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def _never_stopped(self) -> list[str]:
        known = set(PixelStatus.objects.values_list("pk", flat=True))
        return [code for code in conf.current().pixel_code if code not in known]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        pixel: PixelStatus = kwargs["obj"]
        context["badge"] = formatting.pixel_badge(pixel)
        is_down = pixel.failures >= OPENS_AFTER
        context["words"] = STOPPED if pixel.stopped_at else PIXEL_DOWN if is_down else PIXEL_RUNS
        context["tone"] = "bad" if pixel.stopped_at else "wait" if is_down else "good"
        context["explained"] = explain_stored(pixel) if pixel.stopped_at else None
        context["may_resume"] = pixel.stopped_at is not None and self.has_resume_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)
