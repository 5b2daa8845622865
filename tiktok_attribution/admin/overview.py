"""The overview page: what happened, what it means and what to do, and its figures as CSV for a spreadsheet."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import Error as AnyDatabaseError
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from tiktok_attribution import conf
from tiktok_attribution.admin.base import ReadOnlyAdmin, unreadable
from tiktok_attribution.admin.formatting import csv_text, here, with_tone
from tiktok_attribution.admin.overview_page import TITLES, Period, chosen, overview_page, unread
from tiktok_attribution.conversions import registry
from tiktok_attribution.delivery.figures import PixelFigures, figures
from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.doctor.run import quick
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import Overview, moment
from tiktok_attribution.monitoring.hourly_statistics import refresh_recent
from tiktok_attribution.monitoring.summary import Totals, summarize

logger = logging.getLogger("tiktok_attribution")


def lines(period: Period, *, using: str) -> Iterator[list[object]]:
    """Yield the header, then one line for each event name, for each step of time, and for the total."""
    summary = summarize(period.starts, period.end, pixel_code=period.pixel_code, using=using)
    names = list(Totals().counts)
    yield ["part", "name", *names, "median_seconds", "p95_seconds", "match_quality_estimate", *MATCH_KEYS, "value"]
    parts = [("event", name, totals) for name, totals in sorted(summary.by_name.items())]
    parts += [("time", _stamp(start), totals) for start, totals in summary.by_step.items()]
    for part, name, totals in [*parts, ("all", "", summary.all)]:
        quality = totals.quality()
        money = " ".join(f"{total} {currency}" for currency, total in sorted(totals.value_sums.items()))
        yield [
            *(part, name, *totals.counts.values(), totals.delay(0.5), totals.delay(0.95)),
            *(None if quality is None else round(quality, 1), *totals.match_keys, money),
        ]


def _stamp(epoch: int) -> str:
    return here(moment(epoch)).isoformat(timespec="minutes")


LINKED = ("outboxevent", "attempt", "pixelstatus")
"""Models that the overview links to, for users who may view them."""


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    """A page instead of a list. It has no rows to open."""

    class Media:
        css = {"all": ("tiktok_attribution/overview.css",)}

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(require_GET(self.changelist_view))
        export = self.admin_site.admin_view(require_GET(self._export))
        return [
            path("", page, name="tiktok_attribution_overview_changelist"),
            path("export/", export, name="tiktok_attribution_overview_export"),
        ]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.export_overview")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        using = _refreshed()
        period = chosen(request.GET.dict())
        found = list(figures())
        context = {
            **self.admin_site.each_context(request),
            "title": _("TikTok: overview"),
            "opts": self.opts,
            "media": self.media,
            "page": overview_page(period, found, using=using, site=self.admin_site.name),
            "period": period,
            "period_title": TITLES[period.key],
            "periods": [(key, title, urlencode({**period.query, "period": key})) for key, title in TITLES.items()],
            "results": _ill(found) if self._sees_diagnosis(request) else [],
            "query": urlencode(period.query),
            "sees": {model: request.user.has_perm(f"tiktok_attribution.view_{model}") for model in LINKED},
            "may_resume": request.user.has_perm("tiktok_attribution.resume_pixelstatus")
            and request.user.has_perm("tiktok_attribution.view_pixelstatus"),
            "may_export": self.has_export_permission(request),
            "declared": [(conversion.event, conversion.model._meta.verbose_name) for conversion in registry.every()],
            "settings_of_app": conf.current(),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/tiktok_attribution/overview/page.html", context)

    def _sees_diagnosis(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.view_diagnosis")

    def _export(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request) or not self.has_export_permission(request):
            raise PermissionDenied
        period = chosen(request.GET.dict())
        for name in unread(request.GET, period):
            return HttpResponseBadRequest(str(unreadable(name)), content_type="text/plain; charset=utf-8")
        response = HttpResponse(csv_text(lines(period, using=_refreshed())), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="tiktok-{period.key}.csv"'
        return response


def _ill(figures_now: Sequence[PixelFigures]) -> list[tuple[CheckResult, str]]:
    """Return the warnings and errors of the diagnosis that can be found quickly.

    Stopped pixels are shown above them.
    """
    found = [one for one in quick(figures_now) if one.level is not Level.OK and not one.id.startswith("stopped-")]
    return with_tone(found)


def _refreshed() -> str:
    """Return the database of the outbox, after its newest hours were counted.

    If counting fails, the page shows the older figures.
    """
    using = router.db_for_write(Overview)
    try:
        refresh_recent(using=using, now=time.time())
    except AnyDatabaseError:
        logger.exception("tiktok: the hourly statistics could not be updated for the overview")
    return router.db_for_read(Overview)
