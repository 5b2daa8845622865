from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from tests.conversions.models import PhoneOrder, Ticket
from tests.conversions.samples import EMAIL, PLAIN, SECOND_PIXEL, body, paid, row, rows
from tests.shop.models import Member, Order
from tiktok_attribution import Conversion
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions import registry
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import State

Configure = Callable[..., None]
Register = Callable[..., Any]


class OrderPurchase(Conversion):
    event = "Purchase"

    def happened(self, obj: Order) -> bool:
        return obj.status == "paid"

    def properties(self, obj: Order) -> dict[str, Any]:
        return {"value": obj.total, "currency": obj.currency}

    def user(self, obj: Order) -> dict[str, Any]:
        return {"email": obj.email}


@pytest.mark.django_db
def test_the_class_form_counts_when_it_says_so(register: Register) -> None:
    register(Order)(OrderPurchase)
    order = Order.objects.create(total=5, email=EMAIL)
    assert rows() == []
    order.status = "paid"
    order.save()
    assert body()["user"] == {"email": email_sha256(EMAIL)}
    assert body()["properties"] == {"value": 5, "currency": "USD"}


@pytest.mark.django_db
def test_the_class_form_with_nothing_but_a_name_counts_what_is_made(register: Register) -> None:
    class SignUp(Conversion):
        event = "CompleteRegistration"

    register(Member)(SignUp)
    member = Member.objects.create(email=EMAIL)
    member.save()
    assert row().event_id == f"member-{member.pk}"


@pytest.mark.django_db
def test_the_class_form_chooses_id_time_pixel_and_channel(register: Register) -> None:
    moment = datetime.now(timezone.utc) - timedelta(hours=2)

    class Special(OrderPurchase):
        channels = "server"

        def event_id(self, obj: Order) -> str:
            return f"invoice-{obj.pk}"

        def event_time(self, obj: Order) -> datetime:
            return moment

        def pixels(self, obj: Order) -> Sequence[str]:
            return SECOND_PIXEL  # one code where a list is meant

    register(Order)(Special)
    order = paid()
    found = row()
    assert (found.event_id, found.pixel_code) == (f"invoice-{order.pk}", SECOND_PIXEL)
    assert (found.event_time, found.wants_browser) == (int(moment.timestamp()), False)


@pytest.mark.django_db
def test_one_class_may_be_declared_for_several_models(register: Register) -> None:
    class Contact(Conversion):
        event = "Contact"

    register(Member, Ticket)(Contact)
    Member.objects.create(email=EMAIL)
    Ticket.objects.create(code="A1")
    assert {one.object_label for one in rows()} == {"shop.Member", "shop.Ticket"}


@pytest.mark.django_db
def test_both_forms_live_side_by_side(register: Register, configure: Configure) -> None:
    configure({"event": "Lead", "when": {"status": "paid"}})
    register(Order)(OrderPurchase)
    paid()
    assert [one.name for one in rows()] == ["Lead", "Purchase"]


@pytest.mark.django_db
def test_a_declaration_for_a_proxy_is_for_what_is_saved_as_the_proxy(register: Register) -> None:
    class ByPhone(OrderPurchase):
        pass

    register(PhoneOrder)(ByPhone)
    paid()
    assert rows() == []
    PhoneOrder.objects.create(status="paid", total=5)
    assert row().object_label == "shop.PhoneOrder"


DECLARED = """
from tests.shop.models import Order
from tiktok_attribution import Conversion
from tiktok_attribution import register

@register(Order)
class OrderLead(Conversion):
    event = "Lead"
"""


@pytest.mark.django_db
@pytest.mark.usefixtures("register")
def test_a_tiktok_module_of_an_app_is_found_and_its_models_are_watched(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kiosk").mkdir()
    (tmp_path / "kiosk" / "__init__.py").touch()
    (tmp_path / "kiosk" / "tiktok.py").write_text(DECLARED)
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "kiosk"]
    Order.objects.create()
    assert row().name == "Lead"


def declared(**attributes: Any) -> type[Conversion]:
    return type("Declared", (Conversion,), {"event": "Purchase", **attributes})


@pytest.mark.parametrize(
    ("models", "attributes", "message"),
    [
        ([], {}, "Declared: it names no model, write @register(Order)."),
        (
            [Order],
            {"event": "purchase"},
            'Declared.event: event name "purchase": case counts, did you mean "Purchase"?',
        ),
        ([Order], {"event": ""}, "Declared.event: event name (not shown) is empty"),
        ([Order], {"channels": "all"}, "Declared: channels is 'all', not one of both, server, browser."),
        ([AbstractUser], {}, "Declared: AbstractUser has no objects, register its children."),
    ],
)
def test_a_class_that_can_not_work_is_refused(
    register: Register, models: list[Any], attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        register(*models)(declared(**attributes))
    assert message in str(refused.value)


def test_a_refused_class_is_not_registered(register: Register) -> None:
    with pytest.raises(ConfigurationError):
        register(Order)(declared(channels="all"))
    assert list(registry.every()) == []


@pytest.mark.parametrize(
    ("conversions", "message"),
    [
        ({"shop.Order": [PLAIN, PLAIN]}, "Purchase of shop.Order is declared 2 times with the same event ids."),
        ({"shop.Order": [PLAIN, {**PLAIN, "label": "other"}]}, None),
        ({"shop.Order": [PLAIN, {**PLAIN, "event_id": "customer_id"}]}, None),
        ({"shop.Order": [PLAIN, {**PLAIN, "event": "Lead"}]}, None),
        (
            {"shop.Order": {**PLAIN, "label": "sale"}, "shop.Ticket": {"event": "Purchase", "label": "sale"}},
            "Purchase of shop.Order and shop.Ticket is declared 2 times with the same event ids.",
        ),
    ],
)
def test_colliding_event_ids_are_named(configure: Configure, conversions: Any, message: str | None) -> None:
    configure(conversions=conversions)
    assert list(registry.ambiguous()) == ([message] if message else [])


@pytest.mark.parametrize(
    "broken",
    [
        {"event": "purchase"},
        {"event": "Purchase", "channels": "all"},
        {"event": "Purchase", "when": 7},
        "Purchase",
        None,
    ],
)
def test_what_can_not_be_compiled_is_left_out_and_logged(
    configure: Configure, caplog: pytest.LogCaptureFixture, broken: Any
) -> None:
    configure([broken, PLAIN])
    assert [one.event for one in registry.of(Order)] == ["Purchase"]
    assert "left out: CONVERSIONS['shop.Order']" in caplog.text


def test_an_unknown_model_is_left_out_and_logged(configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    configure(conversions={"shop.Ordr": PLAIN, "shop.Order": PLAIN})
    assert len(list(registry.every())) == 1
    assert "CONVERSIONS['shop.Ordr'] is left out: there is no such model." in caplog.text


@pytest.mark.django_db
def test_settings_are_read_live(configure: Configure) -> None:
    configure(PLAIN)
    configure({"event": "Lead", "when": {"status": "paid"}})
    paid()
    assert (row().name, row().state) == ("Lead", State.WAITING)
