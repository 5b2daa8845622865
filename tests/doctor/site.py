"""A front page with the tag, without it, elsewhere, and broken: each a URL configuration of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template import RequestContext, Template
from django.urls import path
from django.utils import translation

seen: list[HttpRequest] = []


def _page(tag: str) -> Callable[[HttpRequest], HttpResponse]:
    def page(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        translation.activate("de")
        text = "{% load tiktok_attribution %}<!doctype html><title>Shop</title>" + tag
        return HttpResponse(Template(text).render(RequestContext(request)))

    return page


def _broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret")


def _moved(request: HttpRequest) -> HttpResponseBase:
    return redirect("/shop/")


def _site(front: Any) -> Any:
    shop = path("shop/", _page("{% tiktok_pixel %}"))
    return type("Site", (), {"urlpatterns": [path("", front), shop, path("admin/", admin.site.urls)]})


WITH_TAG = _site(_page("{% tiktok_pixel %}"))
WITHOUT_TAG = _site(_page(""))
BROKEN = _site(_broken)
MOVED = _site(_moved)
