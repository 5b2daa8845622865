from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.conversions.models import Ticket
from tests.shop.models import Order
from tiktok_attribution import Conversion
from tiktok_attribution.models import OutboxEvent, State

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
PURCHASE = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "time": "created_at",
}


@pytest.fixture
def configure(settings: Any) -> Configure:
    def configure(*declared: dict[str, Any], **keys: Any) -> None:
        plain = {"PIXEL_CODE": "C0EXAMPLE0000000000", "ACCESS_TOKEN": "0" * 40, "SITE_URL": "https://shop.example"}
        settings.TIKTOK_ATTRIBUTION = {**plain, "CONVERSIONS": {"shop.Order": list(declared)}, **keys}

    configure(PURCHASE)
    return configure


def unseen(count: int = 1, *, days_ago: float = 0, **fields: Any) -> None:
    """Paid orders that no signal told of."""
    made = Order.objects.bulk_create([Order(**{"status": "paid", "total": 5, **fields}) for _ in range(count)])
    moment = timezone.now() - timedelta(days=days_ago)
    Order.objects.filter(pk__in=[order.pk for order in made if order.pk] or Order.objects.values("pk")).update(
        created_at=moment
    )


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("tiktok_backfill", *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.mark.usefixtures("configure")
def test_it_records_what_no_signal_told_and_says_so() -> None:
    unseen(2)
    assert run() == "Purchase of shop.Order: 2 recorded\n"
    assert OutboxEvent.objects.filter(state=State.WAITING).count() == 2


@pytest.mark.usefixtures("configure")
def test_a_second_run_finds_everything_known() -> None:
    unseen(2)
    run()
    assert run() == "Purchase of shop.Order: 2 known\n"
    assert OutboxEvent.objects.count() == 2


@pytest.mark.usefixtures("configure")
def test_a_dry_run_records_nothing() -> None:
    unseen(2)
    assert run("--dry-run") == "Purchase of shop.Order: 2 to be recorded\n"
    assert OutboxEvent.objects.count() == 0


@pytest.mark.usefixtures("configure")
def test_days_say_how_far_back() -> None:
    unseen(1, days_ago=1.5)
    assert "recorded" not in run("--days", "1")
    assert "1 recorded" in run("--days", "2")


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize("days", ["0", "-1", "8"])
def test_days_that_can_not_be_are_refused(days: str) -> None:
    with pytest.raises(CommandError, match=r"give more than 0 and at most 7\."):
        run("--days", days)


@pytest.mark.usefixtures("configure")
def test_an_order_too_old_to_be_sent_is_left_alone() -> None:
    unseen(1, days_ago=30)
    run()
    assert OutboxEvent.objects.count() == 0


@pytest.mark.usefixtures("configure")
def test_an_order_that_does_not_count_is_left_alone() -> None:
    unseen(1, status="new")
    assert run() == "Purchase of shop.Order: nothing happened\n"


def test_an_order_without_its_own_time_is_left_alone_with_advice(configure: Configure) -> None:
    configure({key: value for key, value in PURCHASE.items() if key != "time"})
    unseen()
    told = run()
    assert "Purchase of shop.Order: 1 undated" in told
    assert 'undated: declare "time" (or event_time)' in told
    assert OutboxEvent.objects.count() == 0


def test_a_declared_time_that_is_empty_is_to_be_filled(configure: Configure) -> None:
    configure(CONVERSIONS={"shop.Ticket": {"event": "Schedule", "when": {"used": True}, "time": "used_on"}})
    Ticket.objects.bulk_create([Ticket(code="A", used=True)])
    told = run()
    assert "1 undated" in told
    assert "undated: their time field is empty" in told
    assert "declare" not in told


def test_a_class_with_a_time_of_its_own_has_one() -> None:
    class Dated(Conversion):
        def event_time(self, obj: Any) -> Any:
            return obj.created_at

    assert (Dated(Order).has_time, Conversion(Order).has_time) == (True, False)


def test_what_can_not_be_built_is_told_with_advice(configure: Configure) -> None:
    configure({**PURCHASE, "value": {"constant": -1}})
    unseen()
    told = run()
    assert "1 invalid" in told
    assert "invalid: see their notes in the admin" in told


def test_only_the_named_models_are_looked_at(configure: Configure) -> None:
    configure(PURCHASE, CONVERSIONS={"shop.Order": PURCHASE, "auth.User": {"event": "CompleteRegistration"}})
    unseen()
    assert run("SHOP.order") == "Purchase of shop.Order: 1 recorded\n"


@pytest.mark.usefixtures("configure")
def test_a_model_without_a_conversion_is_an_error_that_names_those_with_one() -> None:
    with pytest.raises(CommandError) as refused:
        run("shop.Ordr")
    assert str(refused.value) == (
        "No conversion is declared for shop.Ordr. Did you mean 'shop.Order'? Declared: shop.Order."
    )


@pytest.mark.usefixtures("configure")
def test_a_model_that_is_near_to_none_is_not_guessed_at() -> None:
    with pytest.raises(CommandError) as refused:
        run("Nothing.Alike")
    assert str(refused.value) == "No conversion is declared for Nothing.Alike. Declared: shop.Order."


@pytest.mark.usefixtures("configure")
def test_an_unknown_database_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(CommandError, match=r"There is no database 'nowhere'\. DATABASES has default"):
        run(database="nowhere")


def test_a_switched_off_app_is_an_error(configure: Configure) -> None:
    configure(PURCHASE, ENABLED=False)
    with pytest.raises(CommandError, match="Set it to True here"):
        run()
