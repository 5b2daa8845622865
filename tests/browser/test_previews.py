"""What an editor looks at before it is published is no visit: no pixel, no event, nothing of the editor."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from tests.conversions import models  # noqa: F401 -- made before the test database is
from tests.conversions.samples import PIXEL, PLAIN
from tests.shop.models import Order
from tiktok_attribution.browser.tags import pixel_text
from tiktok_attribution.consent.types import Reason
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
from tiktok_attribution.models import OutboxEvent, SuppressedCount, VisitorSnapshot
from tiktok_attribution.visitor.permission import circumstance_of

pytestmark = [pytest.mark.privacy, pytest.mark.django_db]

AGENT = "Editor/1.0"


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.conversions.whose_site"
    settings.TIKTOK_ATTRIBUTION = {
        "PIXEL_CODE": PIXEL,
        "SITE_URL": "https://shop.example",
        "CONVERSIONS": {"shop.Order": {**PLAIN, "time": "created_at"}},
    }


@pytest.fixture
def editor() -> Client:
    client = Client(REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT=AGENT)
    client.cookies["ttclid"] = "E.C.P.editor"
    client.force_login(User.objects.create_superuser("editor", "editor@example.com"))
    return client


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page_script", [False, True])
@pytest.mark.parametrize("marks", ["is_dummy is_preview", "is_dummy", "is_preview"])
def test_a_preview_carries_no_pixel_and_records_nothing(
    settings: Any, editor: Client, marks: str, page_script: bool
) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": page_script}
    text = editor.get("/preview/", {"marks": marks}).content.decode()
    assert "<script" not in text
    assert not OutboxEvent.objects.exists()
    assert set(SuppressedCount.objects.values_list("reason", flat=True)) == {"preview"}


def test_the_same_page_is_a_visit_when_it_is_none(editor: Client) -> None:
    """The preview of these tests goes through the whole middleware, as a visit does."""
    text = editor.get("/preview/", {"marks": "nothing"}).content.decode()
    assert "ttq.track" in text
    assert {"ViewContent", "Search"} <= set(OutboxEvent.objects.values_list("name", flat=True))


def test_an_order_of_a_preview_that_is_paid_later_carries_nothing_of_the_editor(editor: Client) -> None:
    text = editor.get("/preview/").content.decode()
    later = text.rpartition("later=")[2]
    assert "ditor" not in "".join(VisitorSnapshot.objects.values_list("signals", flat=True))
    Client().post(f"/hooks/pay/?order={later}")
    (row,) = OutboxEvent.objects.all()
    assert (row.object_pk, "ditor" in row.payload, "user" in row.payload) == (later, False, False)


def test_the_backfill_tells_nothing_of_the_editor_either(editor: Client) -> None:
    editor.get("/preview/")
    for conversion in every():
        backfill(conversion, using="default")
    assert "ditor" not in "".join(OutboxEvent.objects.values_list("payload", flat=True))


def test_what_waits_for_the_editor_waits_on(editor: Client) -> None:
    order = Order.objects.get(pk=editor.get("/order/", {"email": ""}).content.decode())
    OutboxEvent.objects.all().delete()
    order = Order.objects.get(pk=Client.get(editor, "/order/", {"status": "new"}).content.decode())
    order.status = "paid"
    order.save()
    assert f"order-{order.pk}" not in editor.get("/preview/").content.decode()


def test_a_page_that_is_no_preview_says_so_and_is_a_page() -> None:
    request = RequestFactory().get("/")
    request.is_preview = False  # type: ignore[attr-defined]
    assert circumstance_of(request) is None
    assert "ttq.load" in pixel_text(request)


class Toolbar:
    """As Django CMS's: its modes are asked of staff only."""

    def __init__(self, **modes: bool) -> None:
        self.edit_mode_active = modes.get("edit", False)
        self.preview_mode_active = modes.get("preview", False)


@pytest.mark.parametrize("modes", [{"edit": True}, {"preview": True}])
def test_django_cms_in_edit_or_preview_mode_is_a_preview(modes: dict[str, bool]) -> None:
    request = RequestFactory().get("/")
    lazy = SimpleLazyObject(lambda: Toolbar(**modes))
    assert lazy.edit_mode_active or lazy.preview_mode_active  # the CMS has asked it
    request.toolbar = lazy  # type: ignore[attr-defined]
    assert circumstance_of(request) is Reason.PREVIEW
    assert "ttq" not in pixel_text(request)


def test_a_toolbar_that_nobody_has_asked_is_left_alone() -> None:
    """It reads the session and the user, which would cost every page that."""
    asked: list[bool] = []

    def make() -> Toolbar:
        asked.append(True)
        return Toolbar(edit=True)

    request = RequestFactory().get("/")
    request.toolbar = SimpleLazyObject(make)  # type: ignore[attr-defined]
    assert circumstance_of(request) is None
    assert asked == []


@pytest.mark.parametrize("toolbar", [None, object(), Toolbar()])
def test_any_other_toolbar_is_no_preview(toolbar: object) -> None:
    request = RequestFactory().get("/")
    request.toolbar = toolbar  # type: ignore[attr-defined]
    assert circumstance_of(request) is None
