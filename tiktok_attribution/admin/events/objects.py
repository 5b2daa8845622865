"""Links from an event to the site's own object."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import SEARCH_VAR
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from tiktok_attribution.conversions import registry
from tiktok_attribution.models import OutboxEvent


class ObjectLink(NamedTuple):
    """What an object is called without reading it, and where its admin page is ("" where this user has none)."""

    text: str
    address: str


class ObjectLinks:
    """For one request: asks each model's admin once whether the user may look."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request
        self._routes: dict[str, tuple[str, str]] = {}

    def of(self, row: OutboxEvent) -> ObjectLink | None:
        """None for an event without an object."""
        if not row.object_label:
            return None
        if row.object_label not in self._routes:
            self._routes[row.object_label] = self._route(row.object_label)
        name, route = self._routes[row.object_label]
        address = ""
        if route:
            with suppress(NoReverseMatch):
                address = reverse(route, args=[quote(row.object_pk)], current_app=self._site.name)
        return ObjectLink(f"{name} {row.object_pk}", address)

    def searches(self, term: str) -> list[tuple[str, str]]:
        """Where the site's own admin searches its objects for a term: what they are called, and the address."""
        models = {conversion.model for conversion in registry.every()} if term else set()
        found = []
        for model in sorted(models, key=lambda model: model._meta.label):
            model_admin = self._site._registry.get(model)  # noqa: SLF001 -- as below
            if model_admin and model_admin.search_fields and model_admin.has_view_or_change_permission(self._request):
                route = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
                address = f"{reverse(route, current_app=self._site.name)}?{urlencode({SEARCH_VAR: term})}"
                found.append((str(model._meta.verbose_name_plural), address))
        return found

    def _route(self, label: str) -> tuple[str, str]:
        """The model's name for people, and the route of its change page where this user may see it."""
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            return label, ""
        options = model._meta
        model_admin = self._site._registry.get(model)  # noqa: SLF001 -- get_model_admin raises instead of saying no
        allowed = model_admin is not None and model_admin.has_view_or_change_permission(self._request)
        route = f"admin:{options.app_label}_{options.model_name}_change" if allowed else ""
        return str(options.verbose_name), route
