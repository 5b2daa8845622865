"""The tags in Jinja2 write what they write in Django's own templates."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest
from django.template.backends.jinja2 import Jinja2
from django.test import RequestFactory

from tests.browser.site import html

NASTY = "</script><script>'\"&"


@pytest.fixture
def engine(tmp_path: Any) -> Jinja2:
    (tmp_path / "part.html").write_text("{{ tiktok_event('Contact') }}")
    return Jinja2(
        {
            "NAME": "jinja2",
            "DIRS": [tmp_path],
            "APP_DIRS": False,
            "OPTIONS": {"extensions": ["tiktok_attribution.jinja2.TikTokExtension"]},
        }
    )


@pytest.fixture(params=[True, False], ids=["page script", "inline"])
def _page_script(request: Any, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": request.param}


def rendered(engine: Jinja2, text: str, request: HttpRequest | None, **context: Any) -> str:
    return str(engine.from_string(text).render(context, request))


@pytest.mark.usefixtures("_page_script")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("{{ tiktok_pixel() }}", "{% tiktok_pixel %}"),
        ("{{ tiktok_event('Contact', description=nasty) }}", "{% tiktok_event 'Contact' description=nasty %}"),
        ("{{ tiktok_pixel() }}{{ tiktok_event('Lead') }}", "{% tiktok_pixel %}{% tiktok_event 'Lead' %}"),
        ("{{ tiktok_action('Search', search_string=nasty) }}", "{% tiktok_action 'Search' search_string=nasty %}"),
    ],
)
def test_both_engines_write_the_same(engine: Jinja2, theirs: str, ours: str) -> None:
    found = rendered(engine, theirs, RequestFactory().get("/"), nasty=NASTY)
    assert f"{found}<body>" in html(RequestFactory().get("/"), head=ours, nasty=NASTY)


def test_an_included_template_has_the_request_too(engine: Jinja2) -> None:
    text = rendered(engine, "{{ tiktok_pixel() }}{% include 'part.html' %}", RequestFactory().get("/"))
    assert text.count("ttq.load = function") == 1
    assert 'ttq.track("Contact"' in text


def test_without_a_request_it_is_everybodys_text(engine: Jinja2) -> None:
    assert "ttq.load" in rendered(engine, "{{ tiktok_pixel() }}", None)
