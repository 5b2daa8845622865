"""The admin, the plainest page there can be, and a checkout."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.shop.views import buy, lead, paid, sign_up, thanks


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("page/", page),
    path("buy/", buy),
    path("paid/<int:pk>/", paid),
    path("sign-up/", sign_up),
    path("lead/", lead),
    path("thanks/<int:pk>/", thanks),
]
