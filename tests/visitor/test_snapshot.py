from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from tiktok_attribution.events import Page, User
from tiktok_attribution.models import VisitorSnapshot
from tiktok_attribution.visitor.snapshot import NOBODY, Signals, keep, recall, recall_many, signals_of
from tiktok_attribution.visitor.visitor import Visitor

pytestmark = pytest.mark.django_db
SIGNALS = Signals(
    user=User(ttclid="abc", email=("a" * 64, "b" * 64)),
    page=Page(url="https://shop.example/"),
    pixel_codes=("C0A", "C0B"),
)


@pytest.mark.parametrize("signals", [SIGNALS, NOBODY, Signals(pixel_codes=())])
def test_what_is_kept_is_recalled(signals: Signals) -> None:
    keep(signals, "shop.Order", 42, using="default")
    assert recall("shop.Order", "42", using="default") == signals


def test_the_first_visitor_stays() -> None:
    keep(SIGNALS, "shop.Order", 42, using="default")
    keep(Signals(user=User(ttclid="another")), "shop.Order", 42, using="default")
    assert recall("shop.Order", 42, using="default") == SIGNALS


@pytest.mark.parametrize(("label", "pk"), [("shop.Order", 43), ("shop.Cart", 42)])
def test_another_object_has_another_visitor(label: str, pk: int) -> None:
    keep(SIGNALS, "shop.Order", 42, using="default")
    assert recall(label, pk, using="default") == NOBODY


def test_many_are_recalled_in_one_statement(django_assert_num_queries: Any) -> None:
    for pk in range(3):
        keep(SIGNALS, "shop.Order", pk, using="default")
    with django_assert_num_queries(1):
        assert set(recall_many("shop.Order", range(5), using="default")) == {"0", "1", "2"}


def test_a_snapshot_from_before_shops_had_pixels_is_read() -> None:
    text = '{"user": {"ttclid": "abc"}, "page": {"url": "", "referrer": ""}}'
    VisitorSnapshot.objects.create(object_label="shop.Order", object_pk="1", signals=text)
    assert recall("shop.Order", 1, using="default") == Signals(user=User(ttclid="abc"))


@pytest.mark.privacy
@pytest.mark.parametrize("pk", ["jane.doe@example.com", "+49 151 12345678", "x" * 200])
def test_a_telling_or_long_key_becomes_a_digest(pk: str) -> None:
    keep(SIGNALS, "shop.Order", pk, using="default")
    assert len(VisitorSnapshot.objects.get().object_pk) == 32
    assert recall("shop.Order", pk, using="default") == SIGNALS


def test_the_visitor_of_a_request_is_taken_down() -> None:
    visitor = Visitor(RequestFactory().get("/cart/", HTTP_USER_AGENT="Agent/1"))
    found = signals_of(visitor, None)
    assert (found.user.user_agent, found.page.url, found.pixel_codes) == ("Agent/1", "http://testserver/cart/", None)
