"""Paths that a site keeps out of what is sent: MASKED_PATHS."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import RequestFactory

from tiktok_attribution import conf
from tiktok_attribution.visitor.page import page_address
from tiktok_attribution.visitor.visitor import Visitor

pytestmark = [pytest.mark.hostile, pytest.mark.privacy]

SITE = "https://shop.example"
TOKEN = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
ORDERS = r"^/orders/([^/]+)/"


def masked(path: str, paths: Any) -> str:
    return page_address(SITE + path, conf.read({"MASKED_PATHS": paths})).removeprefix(SITE)


@pytest.mark.parametrize(
    ("pattern", "path", "left"),
    [
        (ORDERS, f"/orders/{TOKEN}/thank-you/", "/orders/-/thank-you/"),
        (ORDERS, f"/%6Frders/{TOKEN}/thank-you/", "/orders/-/thank-you/"),
        (ORDERS, f"/products/{TOKEN}/", f"/products/{TOKEN}/"),
        (r"(?<=/invite/)[^/]+", "/invite/abc/x/", "/invite/-/x/"),
        (r"/a/(b(c)?)/(d)", "/a/bc/d/", "/a/-/-/"),
        (r"/a/(b(c)?)/(d)", "/a/b/d/", "/a/-/-/"),
        (r"/a/(b)?d", "/a/d", "/a/d"),
        (r"/([^/]+)", "/a/b", "/-/-"),
        (r"^/orders/.*", f"/orders/{TOKEN}", "/-"),
        (ORDERS, "/orders/a b/ü/", "/orders/-/%C3%BC/"),
    ],
)
def test_each_group_of_a_pattern_is_masked_or_all_of_it(pattern: str, path: str, left: str) -> None:
    assert masked(path, [pattern]) == left


def test_a_callable_says_what_stays() -> None:
    assert masked(f"/orders/{TOKEN}/", lambda path: path.replace(TOKEN, "token")) == "/orders/token/"
    assert masked("/a/?utm_a=b", lambda path: "evil.example?c=d#e") == "/evil.example%3Fc=d%23e?utm_a=b"


@pytest.mark.parametrize("wrong", [lambda path: 1 / 0, lambda path: None, lambda path: "/\ud800"])
def test_where_the_sites_own_code_fails_no_path_is_kept(
    wrong: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert masked(f"/orders/{TOKEN}/?utm_a=b", wrong) == "/"
    assert TOKEN not in caplog.text
    assert "MASKED_PATHS failed" in caplog.text


def test_the_sites_own_code_gets_a_bounded_text_and_no_half_of_a_segment() -> None:
    given: list[str] = []
    address = masked("/a" * 495 + f"/{TOKEN}/x", lambda path: given.append(path) or path)
    assert given == ["/a" * 495 + "/"]
    assert address == "/a" * 495 + "/"


def test_page_and_referrer_of_a_visitor_are_masked(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MASKED_PATHS": [ORDERS]}
    path = f"/orders/{TOKEN}/thank-you/"
    page = Visitor(RequestFactory().get(path, HTTP_REFERER=f"{SITE}{path}")).page
    assert (page.url, page.referrer) == ("http://testserver/orders/-/thank-you/", f"{SITE}/orders/-/thank-you/")


def test_a_pattern_that_does_not_compile_is_an_error_and_nobody_has_agreed(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MASKED_PATHS": ["/orders/("]}
    (message,) = [one for one in run_checks(tags=["tiktok_attribution"]) if "MASKED_PATHS" in one.msg]
    assert message.id == "tiktok_attribution.E001"
    assert message.hint
    assert conf.current().is_closed
