"""The site of these tests under a Content-Security-Policy.

The middleware is put around each view, since a live server has loaded its own before a test can change them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path
from django.utils.decorators import decorator_from_middleware
from django.utils.module_loading import import_string

from tests.browser import site

View = Callable[..., HttpResponseBase]


def under_policy(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        middleware = decorator_from_middleware(import_string(settings.POLICY_MIDDLEWARE))
        return middleware(view)(request, *args, **kwargs)  # type: ignore[no-any-return]

    return guarded


urlpatterns = [
    path("tiktok/", include("tiktok_attribution.urls")),
    path("csp-report/", site.csp_report),
    path("page/", under_policy(site.page)),
    path("lead/", under_policy(site.lead)),
    path("template/", under_policy(site.template)),
]
