"""The nonce of the site's Content-Security-Policy, wherever it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject
from hypothesis import given
from hypothesis import strategies as st

from tests.browser.reading import parsed
from tiktok_attribution.browser.csp_nonce import nonce_of, script


class LazyNonce(SimpleLazyObject):
    """As both django-csp 4 and Django 6 make it: false until somebody has asked for the text."""

    def __init__(self) -> None:
        super().__init__(lambda: "n0nce")
        self.__dict__["asked"] = False

    def __bool__(self) -> bool:
        return False


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get("/")


@pytest.mark.parametrize("attribute", ["csp_nonce", "_csp_nonce"])
def test_a_nonce_that_nobody_asked_for_yet_is_asked_for(request_: HttpRequest, attribute: str) -> None:
    setattr(request_, attribute, LazyNonce())
    assert script("1", request_) == '<script nonce="n0nce">1</script>'


def test_without_a_policy_there_is_no_nonce(request_: HttpRequest) -> None:
    assert script("1", request_) == "<script>1</script>"


def test_without_a_request_there_is_no_nonce() -> None:
    assert script("1", None) == "<script>1</script>"


def test_no_text_makes_no_element(request_: HttpRequest) -> None:
    request_.csp_nonce = "n0nce"  # type: ignore[attr-defined]
    assert script("", request_) == ""


def test_an_empty_nonce_is_none(request_: HttpRequest) -> None:
    request_.csp_nonce = ""  # type: ignore[attr-defined]
    assert nonce_of(request_) == ""


def test_a_nonce_that_comes_too_late_breaks_no_page(request_: HttpRequest, caplog: pytest.LogCaptureFixture) -> None:
    request_.csp_nonce = SimpleLazyObject(lambda: 1 / 0)  # type: ignore[attr-defined]
    assert script("1", request_) == "<script>1</script>"
    assert "the browser will block it" in caplog.text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1))
def test_a_nonce_is_escaped(nonce: str) -> None:
    request = RequestFactory().get("/")
    request.csp_nonce = nonce  # type: ignore[attr-defined]
    page = parsed(script("1", request))
    assert (page.attributes, page.scripts) == ([{"nonce": nonce}], ["1"])


@pytest.mark.since_django("6.0")
def test_djangos_own_policy_gets_the_nonce(settings: Any, client: Client) -> None:
    from django.utils.csp import CSP  # noqa: PLC0415 -- not in Django 5.2

    settings.MIDDLEWARE = ["django.middleware.csp.ContentSecurityPolicyMiddleware", *settings.MIDDLEWARE]
    settings.SECURE_CSP = {"script-src": [CSP.SELF, CSP.NONCE]}
    response = client.get("/page/")
    (attributes,) = parsed(response.content.decode()).attributes
    assert f"'nonce-{attributes['nonce']}'" in response["Content-Security-Policy"]
