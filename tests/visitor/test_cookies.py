"""The attributes of the app's cookies, in frames of other sites too."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from tiktok_attribution import conf
from tiktok_attribution.visitor import cookies

IN_FRAMES = {"PIXEL_CODE": "C0A", "IN_FRAMES": True}


def set_and_taken(*, secure: bool) -> list[str]:
    """Both Set-Cookie headers, as they go out."""
    request = RequestFactory().get("/", secure=secure)
    given, taken = HttpResponse(), HttpResponse()
    cookies.put(request, given, "ttclid", "E.C.P.1", settings=conf.current(), domain="", max_age=60)
    cookies.remove(request, taken, "ttclid", settings=conf.current(), domain="")
    return [pickle.loads(pickle.dumps(one)).cookies["ttclid"].output(header="") for one in (given, taken)]  # noqa: S301


def attributes(header: str) -> set[str]:
    parts = {part.strip() for part in header.split(";")[1:]}
    return {part for part in parts if part.partition("=")[0] in ("SameSite", "Secure", "Partitioned", "HttpOnly")}


def test_in_frames_a_browser_keeps_them_and_gives_them_back(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = IN_FRAMES
    given, taken = map(attributes, set_and_taken(secure=True))
    assert given == {"SameSite=None", "Secure", "Partitioned", "HttpOnly"}
    assert taken == {"SameSite=None", "Secure", "Partitioned"}


@pytest.mark.parametrize(("options", "secure"), [(IN_FRAMES, False), ({"PIXEL_CODE": "C0A"}, True)])
def test_on_plain_http_or_without_the_setting_they_are_lax(options: Any, secure: bool, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = options
    for header in set_and_taken(secure=secure):
        assert "SameSite=Lax" in attributes(header)
        assert "Partitioned" not in attributes(header)
