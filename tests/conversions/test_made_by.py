"""`"made_by": "visitor"`: only what its own person made in a visitor's request counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from tests.conversions.samples import body, row, rows
from tests.shop.models import Order
from tiktok_attribution import Conversion
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
from tiktok_attribution.models import OutboxEvent, State, VisitorSnapshot

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db

SIGN_UP = {
    "event": "CompleteRegistration",
    "when": {"is_staff": False},
    "made_by": "visitor",
    "user": {"email": "email", "external_id": "pk"},
    "time": "date_joined",
}
ACTIVATED = {**SIGN_UP, "when": {"first_name": "Ann"}}


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.whose_site"
    configure(conversions={"auth.User": SIGN_UP})


def run() -> dict[str, int]:
    counts: Counter[str] = Counter()
    for conversion in every():
        counts += backfill(conversion, using="default")
    return dict(counts)


def by_a_shell() -> None:
    User.objects.create_user("ada", "ada@example.com")


def by_an_import() -> None:
    User.objects.bulk_create([User(username="ada", email="ada@example.com")])


def by_the_admin() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com"))
    client.get("/cms/users/add/", {"email": "ada@example.com"})


def by_a_colleague() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("colleague", "colleague@example.com"))
    client.get("/invite/", {"email": "ada@example.com"})


def by_a_webhook() -> None:
    Client().get("/api/", {"sign_up": "ada@example.com"})


@pytest.mark.parametrize("make", [by_a_shell, by_an_import, by_the_admin, by_a_colleague, by_a_webhook])
def test_an_account_that_no_visitor_made_does_not_count_now_or_later(make: Callable[[], None]) -> None:
    make()
    user = User.objects.get(email="ada@example.com")
    user.save()
    browser = Client()
    browser.force_login(user)
    browser.get("/page/")
    assert rows() == []
    assert run().get("without visitor")
    assert rows() == []


def by_a_page() -> None:
    Client().get("/sign-up/", {"email": "ada@example.com"})


def by_an_app_that_asks_for_events() -> None:
    Client().get("/api/", {"sign_up": "ada@example.com"}, HTTP_X_TIKTOK_EVENTS="1")


def by_the_headless_api_of_allauth() -> None:
    Client().get("/headless/sign-up/", {"email": "ada@example.com"})


@pytest.mark.parametrize("make", [by_a_page, by_an_app_that_asks_for_events, by_the_headless_api_of_allauth])
def test_a_visitors_own_sign_up_counts(make: Callable[[], None]) -> None:
    make()
    assert body()["event"] == "CompleteRegistration"
    assert run() == {"known": 1}


@pytest.mark.parametrize("key", ["anyone", None])
def test_by_default_it_counts_whoever_made_it(configure: Configure, key: str | None) -> None:
    configure(conversions={"auth.User": {**SIGN_UP, "made_by": key} if key else {**SIGN_UP, "made_by": "anyone"}})
    by_a_shell()
    assert row().name == "CompleteRegistration"


@pytest.mark.parametrize(("make", "counts"), [(by_a_page, True), (by_a_shell, False), (by_a_colleague, False)])
def test_what_counts_later_is_told_by_who_made_it(configure: Configure, make: Callable[[], None], counts: bool) -> None:
    configure(conversions={"auth.User": ACTIVATED})
    make()
    user = User.objects.get(email="ada@example.com")
    user.first_name = "Ann"
    user.save()
    assert len(rows()) == counts


@pytest.mark.parametrize(("make", "counts"), [(by_a_page, True), (by_a_shell, False), (by_a_colleague, False)])
def test_the_backfill_goes_by_who_made_it(configure: Configure, make: Callable[[], None], counts: bool) -> None:
    configure(conversions={"auth.User": ACTIVATED})
    make()
    User.objects.filter(email="ada@example.com").update(first_name="Ann")
    assert run() == {"recorded" if counts else "without visitor": 1}
    assert len(rows()) == counts


def test_the_command_says_why_it_records_nothing(configure: Configure) -> None:
    by_a_shell()
    out = StringIO()
    call_command("tiktok_backfill", stdout=out)
    assert "1 without visitor" in out.getvalue()
    assert 'only objects that a visitor made count ("made_by")' in out.getvalue()


def test_a_visitors_sign_up_that_could_not_be_built_is_fixed(configure: Configure) -> None:
    configure(conversions={"auth.User": {**SIGN_UP, "value": {"constant": -1}}})
    by_a_page()
    assert row().state == State.INVALID
    VisitorSnapshot.objects.all().delete()
    configure(conversions={"auth.User": SIGN_UP})
    assert run() == {"recorded": 1}
    assert row().state == State.WAITING


def test_nobodys_account_that_could_not_be_built_raises_no_alarm(configure: Configure) -> None:
    configure(conversions={"auth.User": {**SIGN_UP, "value": {"constant": -1}}})
    by_a_shell()
    assert rows() == []


@pytest.mark.privacy
def test_a_visitors_refusal_is_counted_and_not_taken_for_an_import() -> None:
    Client(HTTP_SEC_GPC="1").get("/sign-up/", {"email": "ada@example.com"})
    assert rows() == []
    assert run() == {"refused": 1}
    assert OutboxEvent.objects.count() == 0


def test_the_class_form_says_it_by_an_attribute(configure: Configure, register: Callable[..., Any]) -> None:
    configure()

    class Bought(Conversion):
        event = "Purchase"
        made_by = "visitor"

    register(Order)(Bought)
    Order.objects.create()
    assert rows() == []
    Client().get("/order/")
    assert row().name == "Purchase"


def test_the_class_form_with_another_word_is_refused(register: Callable[..., Any]) -> None:
    class Bought(Conversion):
        event = "Purchase"
        made_by = "visitors"

    with pytest.raises(ConfigurationError, match="made_by is 'visitors', not one of anyone, visitor"):
        register(Order)(Bought)
