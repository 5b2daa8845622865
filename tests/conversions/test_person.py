"""Whoever makes an object is not always its person: then the event carries nothing of who made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext, isolate_apps

from tests.conversions.models import Booking
from tests.conversions.samples import PLAIN, body, row, rows
from tests.shop.models import Member, Order
from tiktok_attribution import Conversion
from tiktok_attribution.conversions.accounts import account_columns, linked_account
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot
from tiktok_attribution.visitor.visitor import Visitor

Configure = Callable[..., None]
pytestmark = [pytest.mark.privacy, pytest.mark.django_db]

AGENT = "Maker/1.0"
MEMBER, COLLEAGUE, FRIEND = "member@example.com", "colleague@example.com", "friend@example.com"
REGISTRATION = {"event": "CompleteRegistration", "when": {"is_staff": False}, "user": {"email": "email"}}
BOOKING = {"event": "Purchase", "when": {"paid": True}}
NAMED = {**BOOKING, "user": {"email": "email", "external_id": "customer_id"}}
PURCHASE = {**PLAIN, "user": {"email": "email", "external_id": "customer_id"}}
DECLARED = {"auth.User": REGISTRATION, "shop.Order": PURCHASE, "shop.Booking": NAMED}


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.whose_site"
    configure()
    member, staff = User.objects.create_user("member", MEMBER), User.objects.create_user("clerk", "clerk@example.com")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    assert member
    configure(conversions=DECLARED)


def browser(name: str = "", **headers: str) -> Client:
    client = Client(REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT=AGENT, **headers)
    client.cookies["ttclid"], client.cookies["_ttp"] = "E.C.P.maker", "ttp-of-the-maker"
    if name:
        client.force_login(User.objects.get(username=name))
    return client


def pk_of(name: str) -> str:
    return str(User.objects.get(username=name).pk)


def is_theirs(client: Client, path: str, **query: Any) -> bool:
    """Whether what is made here carries the maker's signals, all or none of them, on both channels."""
    made = client.get(path, query)
    assert made.status_code == 200
    sent = body()
    keys = sent.get("user", {})
    found = {key in keys for key in ("ttclid", "ttp", "ip", "user_agent")}
    shown = sent["event_id"] in client.get("/page/").content.decode()
    assert found == {shown}
    if not shown:
        makers = {email_sha256(MEMBER), email_sha256("clerk@example.com")} - {email_sha256(query.get("email", ""))}
        assert not makers.intersection([keys.get("email"), *keys.get("email", ())])
        assert "testserver" not in str(sent.get("page", {}))
    return shown


@pytest.mark.parametrize("maker", ["member", "clerk"])
def test_an_account_that_a_signed_in_person_makes_for_another_carries_nothing_of_the_maker(maker: str) -> None:
    assert not is_theirs(browser(maker), "/invite/", email=COLLEAGUE)
    assert VisitorSnapshot.objects.count() == 0


def test_an_invited_account_that_counts_later_carries_nothing_of_who_invited(configure: Configure) -> None:
    configure(conversions={"auth.User": {**REGISTRATION, "when": {"first_name": "Ann"}}})
    client = browser("member")
    account = User.objects.get(pk=client.get("/invite/", {"email": COLLEAGUE}).content.decode())
    assert VisitorSnapshot.objects.count() == 0
    account.first_name = "Ann"
    account.save()
    assert set(body()["user"]) == {"email"}
    assert body()["event_id"] not in client.get("/page/").content.decode()


@pytest.mark.parametrize("path", ["/sign-up/", "/signed-in-before/"])
def test_a_sign_up_is_its_visitors_own(path: str) -> None:
    assert is_theirs(browser(), path, email=FRIEND)


def test_who_signs_up_and_makes_an_account_for_another_in_the_same_request_is_the_person_of_one() -> None:
    browser().get("/sign-up/", {"email": FRIEND, "invites": COLLEAGUE})
    found = {one.email_key: "user_agent" in one.payload for one in OutboxEvent.objects.order_by("pk")}
    assert list(found.values()) == [True, False]


@pytest.mark.parametrize(("email", "theirs"), [(MEMBER, True), (COLLEAGUE, False)])
def test_a_row_for_a_person_beside_the_account_is_told_by_its_address(
    configure: Configure, email: str, theirs: bool
) -> None:
    configure(
        conversions={"shop.Member": {**REGISTRATION, "when": None, "user": {"email": "email", "external_id": "pk"}}}
    )
    assert is_theirs(browser("member"), "/join/", email=email) is theirs


# Of customers: what is theirs, and what is another account's.
CUSTOMERS: list[tuple[str, dict[str, Any], bool]] = [
    ("/order/", {"email": MEMBER}, True),
    ("/order/", {"email": FRIEND}, True),
    ("/order/", {"email": "", "customer_id": "member"}, True),
    ("/order/", {"email": FRIEND, "customer_id": "member"}, True),
    ("/order/", {"email": MEMBER, "customer_id": "4711"}, True),
    ("/order/", {"email": FRIEND, "customer_id": "4711"}, False),
    ("/order/", {"customer_id": "4711"}, False),
    ("/book/", {"customer_id": "member", "email": FRIEND}, True),
    ("/book/", {"email": FRIEND}, True),
    ("/book/", {"customer_id": "clerk", "email": FRIEND}, False),
    ("/book/", {"customer_id": "clerk", "seller_id": "member"}, False),
]


@pytest.mark.parametrize(("path", "fields", "theirs"), CUSTOMERS)
def test_a_customers_order_is_theirs_whatever_its_address_unless_it_is_another_accounts(
    path: str, fields: dict[str, Any], theirs: bool
) -> None:
    assert is_theirs(browser("member"), path, **keyed(fields)) is theirs


@pytest.mark.parametrize(("path", "fields", "theirs"), CUSTOMERS)
def test_the_same_holds_where_the_order_is_paid_later(path: str, fields: dict[str, Any], theirs: bool) -> None:
    client = browser("member")
    unpaid = {"status": "new"} if path == "/order/" else {"paid": ""}
    key = client.get(path, {**keyed(fields), **({"paid": False} if "paid" in unpaid else unpaid)}).content.decode()
    assert VisitorSnapshot.objects.count() == theirs
    made: Any = (Order if path == "/order/" else Booking).objects.get(pk=key)
    made.status = "paid"
    made.paid = True
    made.save()
    assert ("user_agent" in body().get("user", {})) is theirs


def keyed(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: pk_of(v) if v in ("member", "clerk") else v for k, v in fields.items()}


CLERKS: list[tuple[str, dict[str, Any], bool]] = [
    ("/order/", {"email": FRIEND}, False),
    ("/order/", {}, False),
    ("/order/", {"email": "Clerk@example.com"}, True),
    ("/order/", {"customer_id": "clerk"}, True),
    ("/book/", {"customer_id": "clerk", "email": FRIEND}, True),
    ("/book/", {"customer_id": "member"}, False),
    ("/book/", {"seller_id": "clerk", "email": FRIEND}, False),
    ("/cms/orders/add/", {"email": "clerk@example.com"}, False),
]


@pytest.mark.parametrize(("path", "fields", "theirs"), CLERKS)
def test_staff_are_shoppers_of_what_names_them_outside_their_back_office(
    path: str, fields: dict[str, Any], theirs: bool
) -> None:
    assert is_theirs(browser("clerk"), path, **keyed(fields)) is theirs


def test_a_superuser_who_tries_the_shop_sees_what_names_no_object() -> None:
    client = browser("clerk")
    client.get("/by-hand/")
    assert body()["user"]["user_agent"] == AGENT
    assert body()["event_id"] in client.get("/page/").content.decode()


@pytest.mark.parametrize(
    ("maker", "event", "email", "theirs"),
    [
        ("clerk", "Lead", FRIEND, False),
        ("clerk", "Lead", "clerk@example.com", True),
        ("member", "Lead", FRIEND, True),
        ("member", "CompleteRegistration", COLLEAGUE, False),
        ("member", "CompleteRegistration", MEMBER, True),
        ("", "CompleteRegistration", COLLEAGUE, True),
    ],
)
def test_an_event_by_hand_of_another_person_carries_nothing_of_who_tells_it(
    maker: str, event: str, email: str, theirs: bool
) -> None:
    assert is_theirs(browser(maker), "/by-hand/", event=event, email=email) is theirs


@pytest.mark.parametrize(("maker", "theirs"), [("clerk", False), ("member", True), ("", True)])
def test_a_clerk_who_names_a_customer_by_phone_alone_gives_nothing_of_their_own(maker: str, theirs: bool) -> None:
    assert is_theirs(browser(maker), "/by-hand/", phone="+12133734253") is theirs


def test_where_the_signed_in_users_keys_can_not_be_read_the_event_goes_without_its_teller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: Visitor) -> Any:
        raise OperationalError("a lock was waited for too long")

    monkeypatch.setattr(Visitor, "signed_in", property(fail))
    client = browser("member")
    assert client.get("/by-hand/", {"email": FRIEND}).content == b"True"
    assert set(body()["user"]) == {"email"}


def test_a_clerks_own_phone_number_is_theirs(configure: Configure) -> None:
    User.objects.filter(username="clerk").update(first_name="+12133734253")
    configure(conversions=DECLARED, USER={"email": "email", "phone": "first_name"})
    assert is_theirs(browser("clerk"), "/by-hand/", phone="+12133734253")


def test_wagtails_admin_is_a_back_office() -> None:
    assert not is_theirs(browser("member"), "/cms/users/add/", email=MEMBER)


def test_wagtails_admin_is_found_under_a_prefix_too() -> None:
    browser("clerk").get("/cms/users/add/", {"email": COLLEAGUE}, SCRIPT_NAME="/site")
    assert set(body()["user"]) == {"email"}


def test_a_clerks_browser_refuses_for_no_customer() -> None:
    assert not is_theirs(browser("clerk", HTTP_SEC_GPC="1"), "/order/", email=FRIEND)


def test_a_customers_refusal_holds_for_their_own_order() -> None:
    browser("member", HTTP_SEC_GPC="1").get("/order/", {"email": FRIEND})
    assert rows() == []


@pytest.mark.parametrize("says", [True, None])
def test_is_visitor_knows_better_than_the_flag_of_staff_but_not_whose_account_it_is(
    configure: Configure, says: bool | None
) -> None:
    configure(conversions=DECLARED, IS_VISITOR=lambda request: says)
    assert is_theirs(browser("clerk"), "/order/", email=FRIEND) is bool(says)
    OutboxEvent.objects.all().delete()
    assert not is_theirs(browser("clerk"), "/invite/", email=COLLEAGUE)


def in_the_shop_team(user: Any) -> bool:
    return bool(user.groups.filter(name="shop").exists())


@pytest.mark.parametrize("is_clerk", [True, False])
def test_the_site_says_who_its_staff_are(configure: Configure, is_clerk: bool) -> None:
    configure(conversions=DECLARED, IS_STAFF=in_the_shop_team)
    if is_clerk:
        User.objects.get(username="member").groups.add(Group.objects.create(name="shop"))
    assert is_theirs(browser("member"), "/order/", email=FRIEND) is not is_clerk


@pytest.mark.hostile
def test_where_is_staff_raises_everybody_is(configure: Configure) -> None:
    configure(conversions=DECLARED, IS_STAFF=lambda user: 1 / 0)
    assert not is_theirs(browser("member"), "/order/", email=FRIEND)


@pytest.mark.parametrize(("says", "theirs"), [(False, False), (True, True), (None, True)])
def test_a_declaration_says_whether_the_maker_is_the_person(configure: Configure, says: Any, theirs: bool) -> None:
    configure({**PURCHASE, "maker_is_person": lambda order: says})
    assert is_theirs(browser(), "/order/", email=FRIEND) is theirs


def test_a_declaration_outranks_the_rule(configure: Configure) -> None:
    configure({**PURCHASE, "maker_is_person": {"constant": True}})
    assert is_theirs(browser("clerk"), "/order/", email=FRIEND)


@pytest.mark.hostile
def test_where_the_declaration_raises_the_event_goes_without_its_maker(configure: Configure) -> None:
    configure({**PURCHASE, "maker_is_person": lambda order: 1 / 0})
    assert not is_theirs(browser(), "/order/", email=FRIEND)


@pytest.mark.parametrize(
    ("maker", "fields", "theirs"),
    [
        ("member", {"email": FRIEND}, True),
        ("member", {"email": FRIEND, "customer_id": "4711"}, False),
        ("clerk", {"email": FRIEND}, False),
        ("clerk", {"email": "clerk@example.com"}, True),
    ],
)
def test_the_class_form_is_asked_by_its_user(
    configure: Configure, register: Callable[..., Any], maker: str, fields: dict[str, Any], theirs: bool
) -> None:
    class OrderPurchase(Conversion):
        event = "Purchase"

        def user(self, obj: Order) -> dict[str, Any]:
            return {"email": obj.email, "external_id": obj.customer_id}

    configure()
    register(Order)(OrderPurchase)
    assert is_theirs(browser(maker), "/order/", **fields) is theirs


@pytest.mark.parametrize(("customer", "theirs"), [("member", True), ("clerk", False), (None, True)])
def test_without_a_declared_person_a_foreign_key_to_the_user_tells(
    configure: Configure, customer: str | None, theirs: bool
) -> None:
    configure(conversions={"shop.Booking": BOOKING})
    fields = {} if customer is None else {"customer_id": pk_of(customer)}
    assert is_theirs(browser("member"), "/book/", **fields) is theirs


@pytest.mark.parametrize(
    ("maker", "fields", "theirs"),
    [
        ("clerk", {"customer_id": "member", "seller_id": "clerk"}, False),
        ("clerk", {"customer_id": "clerk", "seller_id": "clerk"}, True),
        ("member", {"customer_id": "member", "seller_id": "clerk"}, True),
    ],
)
def test_who_entered_the_order_is_not_taken_for_the_customer_beside_them(
    configure: Configure, maker: str, fields: dict[str, Any], theirs: bool
) -> None:
    configure(conversions={"shop.Booking": BOOKING})
    assert is_theirs(browser(maker), "/book/", **keyed(fields)) is theirs


@isolate_apps("tests.shop")
def test_a_foreign_key_to_another_column_of_the_user_is_not_compared_with_keys() -> None:
    class Voucher(models.Model):  # noqa: DJ008 -- shown to nobody
        owner = models.ForeignKey(User, models.CASCADE, to_field="username", related_name="+")
        giver = models.ForeignKey(User, models.CASCADE, related_name="+")

        class Meta:
            app_label = "shop"

    assert account_columns(Voucher) == ("giver_id",)
    assert linked_account(Voucher, "owner.email") == ""
    assert linked_account(Voucher, "giver.email") == "giver_id"


def test_a_key_of_another_table_is_no_contradiction(configure: Configure) -> None:
    """A profile's number is not the number of its user."""
    configure(conversions={"shop.Member": {"event": "Subscribe", "user": {"email": "email", "external_id": "pk"}}})
    assert is_theirs(browser("member"), "/join/", email=FRIEND)
    assert Member.objects.count() == 1


def statements(client: Client, path: str, **query: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        client.get(path, query)
    # With psycopg 3 a savepoint may come in one trip with the statement after it.
    asked = [one["sql"] for one in found if "SAVEPOINT" not in one["sql"] or ";" in one["sql"]]
    return len(asked)


def test_a_customers_order_costs_no_statement_more(configure: Configure) -> None:
    """The user's address would have to be read, and is not, where it is not needed to send the event."""
    configure(conversions={"shop.Booking": {**BOOKING, "user": {"email": "customer.email"}}})
    bare = statements(browser("member"), "/book/", customer_id=pk_of("member"), paid=False)
    assert bare == 4  # session, user, the booking, its snapshot
    configure(conversions={"shop.Booking": {**BOOKING, "user": {"email": "seller.email"}}})
    assert statements(browser("member"), "/book/", customer_id=pk_of("member"), paid=False) == 4


def test_of_a_guests_order_nothing_is_asked(configure: Configure) -> None:
    configure(PURCHASE)
    assert statements(browser(), "/order/", status="new") == 2  # the order, its snapshot


def test_what_the_rule_asks_leaves_the_transaction_whole(configure: Configure) -> None:
    """A path that would take a statement is left out quietly; the next statement has a savepoint still."""

    def broken(booking: Booking) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM no_such_table")
        return ""

    configure(conversions={"shop.Booking": {**BOOKING, "user": {"email": broken}}})
    browser("member").get("/book/", {"paid": False})
    browser("clerk").get("/book/", {"paid": False})
    assert Booking.objects.count() == 2
    assert VisitorSnapshot.objects.count() == 1


def test_the_events_of_others_are_recorded_all_the_same() -> None:
    browser("clerk").get("/order/", {"email": FRIEND})
    assert (row().name, row().wants_browser, set(body()["user"])) == ("Purchase", True, {"email"})
