"""URLs for the page's script and for a consent banner: `path("tiktok/", include("tiktok_attribution.urls"))`."""

from __future__ import annotations

from django.urls import path

from tiktok_attribution.browser.views import beacon, consent

app_name = "tiktok_attribution"

urlpatterns = [path("", beacon, name="beacon"), path("consent/", consent, name="consent")]
