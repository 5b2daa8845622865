"""`path("tiktok/", include("tiktok_attribution.urls"))`: where the page reports to, and a consent banner."""

from __future__ import annotations

from django.urls import path

from tiktok_attribution.browser.views import beacon, consent

app_name = "tiktok_attribution"

urlpatterns = [path("", beacon, name="beacon"), path("consent/", consent, name="consent")]
