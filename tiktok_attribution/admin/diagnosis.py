"""The diagnosis page: the settings, what runs, what is missing, and a form that sends a test event."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from tiktok_attribution import conf
from tiktok_attribution.admin.base import ReadOnlyAdmin
from tiktok_attribution.admin.explanations import explain
from tiktok_attribution.admin.formatting import with_tone
from tiktok_attribution.delivery.responses import Answer, judge
from tiktok_attribution.doctor.environment import values
from tiktok_attribution.doctor.pixels import TEST_CODE, send_test_event, states
from tiktok_attribution.doctor.run import everything
from tiktok_attribution.models import Diagnosis, Outcome, PixelStatus


@admin.register(Diagnosis)
class DiagnosisAdmin(ReadOnlyAdmin):
    """A page instead of a list. To view it changes nothing."""

    class Media:
        css = {"all": ("tiktok_attribution/overview.css",)}

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(require_GET(self.changelist_view))
        trial = require_POST(self.admin_site.admin_view(self._send_test_event))
        return [
            path("", page, name="tiktok_attribution_diagnosis_changelist"),
            path("test-event/", trial, name="tiktok_attribution_test_event"),
        ]

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.test_pixelstatus")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("TikTok: diagnosis"),
            "opts": self.opts,
            "media": self.media,
            "results": with_tone(everything()),
            "pixels": states(using=router.db_for_read(PixelStatus)),
            "values": values(),
            "codes": conf.current().pixel_code,
            "may_test": self.has_test_permission(request),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/tiktok_attribution/diagnosis/page.html", context)

    def _send_test_event(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request) or not self.has_test_permission(request):
            raise PermissionDenied
        pixel_code, test_code = request.POST.get("pixel", ""), request.POST.get("test_event_code", "").strip()
        if pixel_code not in conf.current().pixel_code:
            self.message_user(request, _("Choose one of the configured pixels."), messages.ERROR)
        elif not TEST_CODE.fullmatch(test_code):
            text = _("Enter the code that Events Manager shows under Test events. Without it the event would count.")
            self.message_user(request, text, messages.ERROR)
        else:
            self._tell(request, pixel_code, send_test_event(pixel_code, test_code))
        address = reverse("admin:tiktok_attribution_diagnosis_changelist", current_app=self.admin_site.name)
        return HttpResponseRedirect(address)

    def _tell(self, request: HttpRequest, pixel_code: str, answer: Answer) -> None:
        said = " ".join(str(part) for part in (answer.http_status, answer.code, answer.words) if part not in (None, ""))
        is_good = judge(answer).outcome == Outcome.DELIVERED
        words = explain(answer)
        text = _("TikTok's answer to the test event: %(answer)s") % {"answer": said}
        meaning = "" if words is None else f" {words.meaning} {words.advice}"
        self.message_user(request, text + meaning, messages.SUCCESS if is_good else messages.ERROR)
        LogEntry.objects.create(
            user_id=str(request.user.pk),
            content_type=ContentType.objects.get_for_model(PixelStatus),
            object_id=pixel_code,
            object_repr=pixel_code[:200],
            action_flag=CHANGE,
            change_message=_("Test event sent: %(answer)s") % {"answer": said},
        )
