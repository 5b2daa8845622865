"""Addresses of the app's own: none yet; include it now and later versions need no change of yours."""

from __future__ import annotations

from django.urls.resolvers import URLPattern

app_name = "tiktok_attribution"
urlpatterns: list[URLPattern] = []
