"""The pages "Conversions": the list of what the report counts, and what led to each of them."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from tiktok_attribution import conf
from tiktok_attribution.admin.attribution_query import shops
from tiktok_attribution.admin.base import ReadOnlyAdmin
from tiktok_attribution.admin.conversion_list import conversion_list
from tiktok_attribution.admin.conversion_page import conversion_page
from tiktok_attribution.admin.conversion_query import read_list
from tiktok_attribution.admin.event_page import ObjectLinks
from tiktok_attribution.models import RecordedConversion


@admin.register(RecordedConversion)
class ConversionAdmin(ReadOnlyAdmin):
    """A list by pages and the page of one conversion. Looking at them changes nothing.

    Decision: the list is not Django's ChangeList. It is the report's other side: the same filters in the same form and
    the same words in the address, and its order is that of the index by time.
    """

    class Media:
        css = {"all": ("tiktok_attribution/overview.css", "tiktok_attribution/attribution.css")}

    def get_urls(self) -> list[URLPattern]:
        listed = self.admin_site.admin_view(require_GET(self.changelist_view))
        one = self.admin_site.admin_view(require_GET(self._conversion))
        return [
            path("", listed, name="tiktok_attribution_recordedconversion_changelist"),
            path("<int:pk>/change/", one, name="tiktok_attribution_recordedconversion_change"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("tiktok_attribution.view_attribution")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        using = router.db_for_read(RecordedConversion)
        known = shops()
        asked = read_list(request.GET.dict(), using=using, now=time.time(), shops=known)
        links = ObjectLinks(self.admin_site, request)
        context = {
            **self._context(request, _("TikTok: conversions")),
            "page": conversion_list(asked, using=using, shops=known, links=links),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/tiktok_attribution/conversions/list.html", context)

    def _conversion(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = RecordedConversion.objects.using(router.db_for_read(RecordedConversion)).filter(pk=pk).first()
        if row is None:
            raise Http404
        attribution = conf.current().attribution
        windows = {str(window): window for window in attribution.windows}
        window = windows.get(request.GET.get("window", ""), attribution.window)
        context = {
            **self._context(request, _("TikTok: conversion")),
            "page": conversion_page(row, window=window, site=self.admin_site, request=request),
        }
        return TemplateResponse(request, "admin/tiktok_attribution/conversions/conversion.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}
