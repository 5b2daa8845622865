"""The browser of the tests: what the `page` fixture promises to the tests that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.browser


def test_a_page_is_served_while_the_test_uses_the_orm(page: Page, live_server: LiveServer) -> None:
    User.objects.create_superuser("ada", password="secret")
    page.goto(f"{live_server.url}/admin/login/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "secret")
    page.click("[type=submit]")

    assert "ada" in page.inner_text("#user-tools").lower()
    assert User.objects.get().last_login is not None


def test_what_a_script_throws_is_noted(page: Page, console_errors: list[str]) -> None:
    page.set_content("<script>console.error('written'); throw new Error('thrown')</script>")

    assert sorted(console_errors) == ["thrown", "written"]


def test_no_name_beyond_this_machine_resolves(page: Page) -> None:
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://outside.example/")


def test_a_context_forgets_the_cookies_of_the_one_before(page: Page) -> None:
    page.context.add_cookies([{"name": "left", "value": "over", "url": "http://localhost/"}])
    browser = page.context.browser
    assert browser is not None
    after = browser.new_context()

    assert after.cookies() == []
    after.close()
