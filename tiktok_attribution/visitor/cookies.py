"""The app's cookies in a visitor's browser: their attributes, in one place for setting and for taking away.

With IN_FRAMES they are `SameSite=None; Secure; Partitioned`, so that a browser keeps them where the site is shown in
another site's frame. Partitioned (CHIPS), because browsers refuse third-party cookies that are not. Python's cookies
know the attribute from 3.14 on and Django's `set_cookie` does not, so a Morsel of our own writes it; to change Python's
own class would change the cookies of every library in the process.
"""

from __future__ import annotations

from collections.abc import Container
from http.cookies import Morsel
from typing import TYPE_CHECKING

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution.conf import Settings

if TYPE_CHECKING:
    PlainMorsel = Morsel[str]
else:
    PlainMorsel = Morsel


class PartitionedMorsel(PlainMorsel):
    """A cookie that belongs to the site whose frame it was set in."""

    def OutputString(self, attrs: Container[str] | None = None) -> str:  # noqa: N802 -- the standard library's name
        return f"{super().OutputString(attrs)}; Partitioned"


def put(
    request: HttpRequest,
    response: HttpResponseBase,
    name: str,
    value: str,
    *,
    settings: Settings,
    domain: str,
    max_age: int | None,
    httponly: bool = True,
) -> None:
    """Set a cookie for the whole site. `max_age` in seconds, None for as long as the browser is open; `domain` "" for
    this host alone.
    """
    secure = is_secure(request)
    if settings.in_frames and secure:  # browsers refuse None without Secure
        response.set_cookie(name, value, max_age, None, "/", domain or None, secure, httponly, "None")
        _partition(response, name)
    else:
        response.set_cookie(name, value, max_age, None, "/", domain or None, secure, httponly, "Lax")


def remove(request: HttpRequest, response: HttpResponseBase, name: str, *, settings: Settings, domain: str) -> None:
    """Take it away; a browser does that only with the attributes that it was set with."""
    in_frames = settings.in_frames and is_secure(request)
    response.delete_cookie(name, domain=domain or None, samesite="None" if in_frames else "Lax")
    if in_frames:
        _partition(response, name)


def is_secure(request: HttpRequest) -> bool:
    """Whether the cookies of this connection are Secure: by its own scheme, or as the site wants its session's."""
    return bool(request.is_secure() or django_settings.SESSION_COOKIE_SECURE)


def _partition(response: HttpResponseBase, name: str) -> None:
    plain = response.cookies[name]
    morsel = PartitionedMorsel()
    morsel.set(name, plain.value, plain.coded_value)
    morsel.update(plain)
    response.cookies[name] = morsel
