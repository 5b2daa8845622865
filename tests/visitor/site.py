"""One page that tells who its visitor is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tiktok_attribution.visitor.visitor import visitor_of


def who(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    visitor = visitor_of(request)
    return JsonResponse({"user": asdict(visitor.user), "page": asdict(visitor.page), "is_shopper": visitor.is_shopper})


def _hook(request: HttpRequest) -> HttpResponse:
    return who(request)


another_admin = admin.AdminSite(name="backoffice")

urlpatterns = [
    path("", who),
    path("hook/", csrf_exempt(_hook)),
    path("admin/", admin.site.urls),
    path("office/", ([path("who/", who)], "admin", "backoffice")),
    path("<path:rest>", who),
]
