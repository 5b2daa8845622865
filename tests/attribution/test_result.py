"""`attribution_of`: what brought an object, for programs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.attribution.models import Sale
from tests.attribution.samples import DAY, PURCHASE, clicked, sold, told, worked
from tiktok_attribution import attribution_of
from tiktok_attribution.attribution.credit import MODELS

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


def test_it_tells_touches_and_credits_by_every_model_and_window(configure: Configure) -> None:
    now = time.time()
    for days, campaign in ((20, "A"), (5, "B"), (2, "C"), (1.5, "D")):
        clicked(now - days * DAY, campaign)
    sale = sold()
    worked()
    with CaptureQueriesContext(connection) as queries:
        found = told(sale)
    assert len(queries) == 2
    assert [touch.campaign_id for touch in found.touches] == ["A", "B", "C", "D"]
    assert set(found.credits) == {1, 7, 14, 28}
    assert all(set(models) == set(MODELS) for models in found.credits.values())
    shares = [(one.touch.campaign_id, one.share) for one in found.credits[28]["position"]]
    assert shares == [("A", Fraction(2, 5)), ("B", Fraction(1, 10)), ("C", Fraction(1, 10)), ("D", Fraction(2, 5))]
    for models in found.credits.values():
        for credit in models.values():
            assert sum(one.value for one in credit) in (0, 100)
    assert found.credits[1]["last_tiktok"] == ()


def test_it_is_frozen(configure: Configure) -> None:
    sale = sold()
    worked()
    with pytest.raises(dataclasses.FrozenInstanceError):
        told(sale).code = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        told(sale).credits[7]["linear"] = ()  # type: ignore[index]


def test_none_where_nothing_is_recorded(configure: Configure) -> None:
    assert attribution_of(Sale()) is None
    sale = sold()
    assert attribution_of(sale) is None
    worked()
    assert attribution_of(sale) is not None
    assert attribution_of(sale, event="Lead") is None
    configure(ATTRIBUTION=False)
    assert attribution_of(sale) is None


def test_an_object_of_several_events(configure: Configure) -> None:
    configure([PURCHASE, {"event": "Lead", "label": "lead"}])
    sale = sold()
    worked()
    assert [getattr(attribution_of(sale, event=name), "event", None) for name in ("Purchase", "Lead")] == [
        "Purchase",
        "Lead",
    ]
