from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("tiktok/", include("tiktok_attribution.urls")),
    path("pretendpay/", include("pretendpay.urls")),
    path("", include("shop.urls")),
]
