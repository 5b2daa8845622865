"""Addresses of the app: `path("tiktok/", include("tiktok_attribution.urls"))`."""

from __future__ import annotations

from django.urls import path

from tiktok_attribution.browser import answer

app_name = "tiktok_attribution"

urlpatterns = [path("consent/", answer.consent, name="consent")]
