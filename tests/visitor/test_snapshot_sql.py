"""A snapshot is written by fixed SQL text: the statement that the ORM would make."""

from __future__ import annotations

import json
from dataclasses import asdict
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tiktok_attribution.consent.types import Consent, Decision, Reason
from tiktok_attribution.events import Page, User
from tiktok_attribution.models import VisitorSnapshot
from tiktok_attribution.visitor.snapshot import NOBODY, Signals, keep, recall

pytestmark = pytest.mark.django_db

WHOLE = Signals(
    user=User(email=("5e" * 32,), ttclid="E.C.P.1", ip="81.2.69.142"),
    page=Page(url="https://shop.example/?a=%s", referrer="https://a.example/"),
    pixel_codes=("C0A",),
    decision=Decision(consent=Consent.DENIED, reason=Reason.DENIED, limited_data_use=True),
    suppressed=("Purchase",),
    by_visitor=True,
    visitor_key=UUID(int=1 << 120),
)


def insert_of(captured: CaptureQueriesContext) -> str:
    """Without its values, and without what goes in the same trip."""
    (statement,) = (one["sql"] for one in captured if "INSERT" in one["sql"])
    begin = statement.index("INSERT")
    return statement[begin : statement.index("VALUES")] + statement[statement.rindex(")") :].split(";")[0]


def test_it_is_the_statement_of_the_orm() -> None:
    with CaptureQueriesContext(connection) as ours:
        keep(WHOLE, "shop.Order", 1, using="default")
    row = VisitorSnapshot(object_label="shop.Order", object_pk="2", signals="{}")
    with CaptureQueriesContext(connection) as its:
        VisitorSnapshot.objects.bulk_create([row], ignore_conflicts=True)
    assert insert_of(ours) == insert_of(its)


@pytest.mark.parametrize("signals", [WHOLE, NOBODY])
def test_what_is_kept_is_recalled(signals: Signals) -> None:
    keep(signals, "shop.Order", 1, using="default")
    assert recall("shop.Order", 1, using="default") == signals
    text = {name: value for name, value in asdict(signals).items() if name != "visitor_key"}
    assert json.loads(VisitorSnapshot.objects.get().signals) == json.loads(json.dumps(text))


def test_the_first_one_stays_and_its_moment_is_now() -> None:
    keep(WHOLE, "shop.Order", 1, using="default")
    keep(NOBODY, "shop.Order", 1, using="default")
    stored = VisitorSnapshot.objects.get()
    assert recall("shop.Order", 1, using="default") == WHOLE
    assert abs((stored.created_at - VisitorSnapshot(object_label="x").created_at).total_seconds()) < 60
