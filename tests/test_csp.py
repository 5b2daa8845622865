"""The policy that the pixel needs, in Django 6's form and in django-csp's."""

from __future__ import annotations

import subprocess
import sys

from tiktok_attribution.csp import CSP_SOURCES, with_tiktok


def test_tiktoks_sources_come_to_the_sites_own() -> None:
    merged = with_tiktok({"default-src": ["'self'"], "script-src": ["'self'", "<nonce>"], "font-src": ("data:",)})
    assert merged["script-src"] == ["'self'", "<nonce>", *CSP_SOURCES["script-src"]]
    assert merged["font-src"] == ("data:",)
    assert merged["default-src"] == ["'self'"]


def test_what_was_left_to_the_default_keeps_it() -> None:
    assert with_tiktok({"default-src": ["'self'"]})["connect-src"][0] == "'self'"


def test_none_goes_where_something_is_allowed() -> None:
    assert "'none'" not in with_tiktok({"default-src": ["'none'"]})["connect-src"]


def test_the_sites_directives_are_left_as_they_are() -> None:
    own = {"script-src": ["'self'"]}
    with_tiktok(own)
    assert own == {"script-src": ["'self'"]}


def test_a_directive_without_sources_is_kept() -> None:
    assert with_tiktok({"upgrade-insecure-requests": True})["upgrade-insecure-requests"] is True


def test_one_text_is_one_source() -> None:
    assert with_tiktok({"script-src": "'self'"})["script-src"][0] == "'self'"


def test_a_settings_module_may_import_it() -> None:
    code = "import sys, tiktok_attribution.csp; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
