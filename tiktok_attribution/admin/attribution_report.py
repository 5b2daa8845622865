"""The page "Attribution": what TikTok's ads cost and brought, its figures as CSV, and the builder of tagged links."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from tiktok_attribution.admin.attribution_page import attribution_page
from tiktok_attribution.admin.attribution_query import Asked, read_address, shops
from tiktok_attribution.admin.attribution_table import in_order
from tiktok_attribution.admin.base import ReadOnlyAdmin
from tiktok_attribution.admin.formatting import csv_text
from tiktok_attribution.attribution.code_sums import code_sums
from tiktok_attribution.attribution.link_builder import MOST_CHARACTERS, InvalidAddress, TaggedAddress, tagged_address
from tiktok_attribution.attribution.report import Report, report
from tiktok_attribution.attribution.report_lines import table
from tiktok_attribution.models import AttributionReport


@admin.register(AttributionReport)
class AttributionReportAdmin(ReadOnlyAdmin):
    """A page instead of a list, and the link builder beside it. Looking at them changes nothing."""

    class Media:
        css = {"all": ("tiktok_attribution/overview.css", "tiktok_attribution/attribution.css")}
        js = ("tiktok_attribution/copy.js",)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(require_GET(self.changelist_view))
        export = self.admin_site.admin_view(require_GET(self._export))
        link = self.admin_site.admin_view(require_GET(self._link))
        return [
            path("", page, name="tiktok_attribution_attributionreport_changelist"),
            path("export/", export, name="tiktok_attribution_attributionreport_export"),
            path("link/", link, name="tiktok_attribution_attributionreport_link"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tiktok_attribution.view_attribution")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.export_attribution")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        known = shops()
        asked, found = _answered(request, known)
        codes = code_sums(asked.query, using=router.db_for_read(AttributionReport))
        context = {
            **self._context(request, _("TikTok: attribution")),
            "page": attribution_page(found, asked, shops=known, codes=codes),
            "query": urlencode(asked.parameters),
            "may_export": self.has_export_permission(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/tiktok_attribution/attribution/page.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}

    def _export(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request) or not self.has_export_permission(request):
            raise PermissionDenied
        asked, found = _answered(request, shops())
        if asked.problems:
            return HttpResponseBadRequest(" ".join(asked.problems), content_type="text/plain; charset=utf-8")
        text = csv_text(table(found, in_order(found, asked.sort)))
        response = HttpResponse(text, content_type="text/csv; charset=utf-8")
        days = f"{asked.query.first.isoformat()}-{asked.query.last.isoformat()}"
        response["Content-Disposition"] = f'attachment; filename="tiktok-attribution-{days}.csv"'
        return response

    # Decision: the builder is a form by GET that changes nothing, so a built address can be sent to a colleague as a
    # link. It holds an address of a landing page, never of a person: `tagged_address` refuses names and passwords.
    def _link(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        given = request.GET.get("address", "")
        tagged: TaggedAddress | None = None
        problem = ""
        try:
            tagged = tagged_address(given) if given else None
        except InvalidAddress as error:
            problem = str(error)
        context = {
            **self._context(request, _("TikTok: tag a link")),
            "given": given[:MOST_CHARACTERS],
            "most": MOST_CHARACTERS,
            "tagged": tagged,
            "problem": problem,
        }
        return TemplateResponse(request, "admin/tiktok_attribution/attribution/link.html", context)


def _answered(request: HttpRequest, known: list[str]) -> tuple[Asked, Report]:
    using = router.db_for_read(AttributionReport)
    asked = read_address(request.GET.dict(), using=using, now=time.time(), shops=known)
    return asked, report(asked.query, using=using, today=asked.today, with_windows=asked.with_windows)
