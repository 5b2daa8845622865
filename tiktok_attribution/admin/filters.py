"""Filters of the lists. None of them counts, and none asks the table for its distinct values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin import known
from tiktok_attribution.admin.search import sent_by
from tiktok_attribution.models import Attempt, OutboxEvent

Choices = Iterable[tuple[str, Any]]
Rows = QuerySet[Any]


class PixelFilter(admin.SimpleListFilter):
    """Only where there is more than one pixel."""

    title = _("pixel")
    parameter_name = "pixel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        codes = known.pixels()
        return [(code, code) for code in codes] if len(codes) > 1 else []

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(pixel_code=self.value()) if self.value() else queryset


class NameFilter(admin.SimpleListFilter):
    """Names that are declared or that occur."""

    title = _("event")
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in known.names(known.pixels())]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(name=self.value()) if self.value() else queryset


class RecordedFilter(admin.SimpleListFilter):
    """Today and the last days, each from midnight of the current time zone."""

    title = _("recorded")
    parameter_name = "recorded"
    days = {"today": 0, "7": 6, "30": 29}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("today", _("Today")), ("7", _("Last 7 days")), ("30", _("Last 30 days"))]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        days = self.days.get(self.value() or "")
        return queryset if days is None else queryset.filter(created_at__gte=midnight() - timedelta(days=days))


class AttemptFilter(admin.SimpleListFilter):
    """Shown only while it is used: the link from an attempt to its events sets it."""

    title = _("attempt")
    parameter_name = "attempt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        pk = request.GET.get(self.parameter_name)
        return [(pk, _("The chosen attempt"))] if pk else []

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if not self.value():
            return queryset
        attempt = Attempt.objects.using(queryset.db).filter(pk=self.value()).first()
        return queryset.filter(sent_by(attempt)) if attempt else OutboxEvent.objects.none()


def midnight() -> datetime:
    """Of today, as the kind of datetime that this site uses."""
    now = timezone.now()
    here = timezone.localtime(now) if timezone.is_aware(now) else now
    return here.replace(hour=0, minute=0, second=0, microsecond=0)
