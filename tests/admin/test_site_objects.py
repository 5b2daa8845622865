"""The column and the section on a site's own admin pages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext, isolate_apps
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist

from tests.admin import offices
from tests.admin.conversion_samples import conversion, touch
from tests.admin.samples import with_settings
from tests.shop.models import Member, Order
from tiktok_attribution.admin import mixins
from tiktok_attribution.models import OutboxEvent, PixelStatus, State
from tiktok_attribution.visitor.snapshot import Signals, keep

pytestmark = pytest.mark.django_db
USERS, ORDERS, MEMBERS = "/office/auth/user/", "/office/shop/order/", "/office/shop/member/"
Tell = Callable[..., OutboxEvent]


@pytest.fixture(autouse=True)
def own_sites(settings: Any) -> None:
    settings.ROOT_URLCONF = offices.__name__


@pytest.fixture
def told(event: Callable[..., OutboxEvent]) -> Tell:
    """An event of this object, delivered three seconds after it happened unless the values say otherwise."""

    def tell(obj: Model, **values: Any) -> OutboxEvent:
        values = {"state": State.DELIVERED, **values}
        row = event(object_label=obj._meta.label, object_pk=str(obj.pk), **values)
        if row.state == State.DELIVERED:
            row.delivered_at = row.happened_at + timedelta(seconds=3)
            row.save()
        return row

    return tell


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def test_the_list_says_how_long_the_delivery_took(boss: Client, told: Tell) -> None:
    row = told(User.objects.get())
    page = text_of(boss, USERS)

    assert f'href="/office/tiktok_attribution/outboxevent/{row.pk}/change/">Purchase</a>' in page
    assert "3 s later" in page


def test_the_list_names_problem_first_and_counts_the_rest(boss: Client, told: Tell) -> None:
    user = User.objects.get()
    for number in range(4):
        told(user, event_id=f"one-{number}")
    told(user, event_id="bad", state=State.REJECTED)
    page = text_of(boss, USERS)

    assert page.index("rejected by TikTok") < page.index("3 s later")
    assert page.count("3 s later") == 2
    assert "and 2 more" in page


def test_the_page_lists_the_events_under_the_sites_own_fields(boss: Client, told: Tell) -> None:
    user = User.objects.get()
    told(user)
    page = text_of(boss, f"{USERS}{user.pk}/change/")

    assert "3 s later" in page
    assert page.index('name="username"') < page.index("TikTok</h2>")
    assert page.count("3 s later") == 1


def test_what_has_not_arrived_says_why(boss: Client, told: Tell) -> None:
    order = Order.objects.create()
    told(order, state=State.REJECTED, note="Invalid value for content_id")

    assert "Invalid value for content_id" in text_of(boss, f"{ORDERS}{order.pk}/change/")


def test_the_page_can_still_be_saved(boss: Client, told: Tell) -> None:
    member = Member.objects.create(email="ann@example.com")
    told(member)
    response = boss.post(f"{MEMBERS}{member.pk}/change/", {"email": "eve@example.com"})

    assert response.status_code == 302
    assert Member.objects.get().email == "eve@example.com"


def test_a_list_that_is_edited_in_place_still_can_be(boss: Client, told: Tell) -> None:
    order = Order.objects.create()
    told(order)
    forms = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(order.pk), "form-0-status": "paid"}
    response = boss.post(ORDERS, {**forms, "_save": "Save"})

    assert response.status_code == 302
    assert Order.objects.get().status == "paid"
    assert "3 s later" in text_of(boss, ORDERS)


def test_the_sites_own_style_sheets_stay(boss: Client) -> None:
    page = text_of(boss, ORDERS)

    assert "shop/own.css" in page
    assert "tiktok_attribution/admin.css" in page


def test_an_object_without_events_says_so(boss: Client) -> None:
    page = text_of(boss, f"{USERS}{User.objects.get().pk}/change/")

    assert "No event was recorded for this object." in page


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("paid", "Run manage.py tiktok_backfill, which records it"),
        ("open", "condition of its conversion (when) is not met"),
    ],
)
def test_it_says_whether_an_event_should_be_there(boss: Client, settings: Any, status: str, reason: str) -> None:
    declared = {"shop.Order": {"event": "Purchase", "when": {"status": "paid"}}}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": declared}
    order = Order.objects.bulk_create([Order(status=status, total=5)])[0]  # which no signal sees

    assert reason in text_of(boss, f"{ORDERS}{order.pk}/change/")


def test_an_account_that_no_visitor_made_says_so(boss: Client, settings: Any) -> None:
    sign_up = {"event": "CompleteRegistration", "made_by": "visitor"}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"auth.User": sign_up}}
    address = f"{USERS}{User.objects.get().pk}/change/"
    assert "no visitor of this object is known" in text_of(boss, address)
    keep(Signals(by_visitor=True), "auth.User", User.objects.get().pk, using="default")
    assert "Run manage.py tiktok_backfill, which records it" in text_of(boss, address)


def test_a_declaration_that_raises_does_not_break_the_sites_page(boss: Client, settings: Any) -> None:
    declared = {"shop.Order": {"event": "Purchase", "when": {"status.nowhere": "paid"}}}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": declared}
    order = Order.objects.bulk_create([Order(status="paid", total=5)])[0]

    assert "No event was recorded for this object." in text_of(boss, f"{ORDERS}{order.pk}/change/")


def test_an_event_that_waits_for_a_stopped_pixel_says_so(boss: Client, told: Tell) -> None:
    order = Order.objects.create(status="paid", total=5)
    row = told(order, state=State.WAITING)
    PixelStatus.objects.create(pixel_code=row.pixel_code, stopped_at=timezone.now())

    assert f"Pixel {row.pixel_code} is stopped, so this event waits." in text_of(boss, f"{ORDERS}{order.pk}/change/")


@pytest.mark.parametrize("address", [f"{USERS}add/", f"{ORDERS}add/", f"{MEMBERS}add/"])
def test_the_add_pages_are_as_they_were(boss: Client, address: str) -> None:
    page = text_of(boss, address)

    assert "TikTok</h2>" not in page
    assert "No event was recorded" not in page


def test_keys_that_are_no_integers_are_found(boss: Client, told: Tell) -> None:
    member = Member.objects.create(id=uuid.UUID(int=7), email="ann@example.com")
    told(member)

    assert "3 s later" in text_of(boss, f"{MEMBERS}{member.pk}/change/")


@isolate_apps("tests.shop")
def test_a_proxy_has_the_events_of_its_parent(told: Tell, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"auth.User": {"event": "Lead"}}}
    user = User.objects.create_user("ann")
    told(user)

    class Buyer(User):
        class Meta:
            app_label = "shop"
            proxy = True

    assert mixins.told_of([Buyer.objects.get()]).keys() == {str(user.pk)}


@pytest.mark.parametrize("address", [USERS, ORDERS])
def test_a_page_of_objects_costs_one_query_more(boss: Client, told: Tell, address: str) -> None:
    make: Callable[[int], Model] = {
        USERS: lambda number: User.objects.create_user(f"user-{number}"),
        ORDERS: lambda number: Order.objects.create(),
    }[address]
    told(make(100))
    with CaptureQueriesContext(connection) as few:
        boss.get(address)
    for number in range(20):
        told(make(number))
    with CaptureQueriesContext(connection) as many:
        boss.get(address)

    assert len(many) == len(few)
    assert sum("FROM " in query["sql"] and "tiktok_attribution_outboxevent" in query["sql"] for query in many) == 1


def test_events_are_looked_for_where_the_object_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixins, "outbox_databases", lambda: ["default", "second"])
    user = User.objects.create_user("ann")
    user._state.db = "second"

    with pytest.raises(ConnectionDoesNotExist, match="second"):
        mixins.told_of([user])


def test_an_object_out_of_a_replica_has_its_events_where_the_router_says(told: Tell) -> None:
    user = User.objects.create_user("ann")
    told(user)
    user._state.db = "replica"

    assert mixins.told_of([user])


def test_they_are_found_by_the_index_of_objects(told: Tell) -> None:
    order = Order.objects.create()
    told(order)
    with CaptureQueriesContext(connection) as queries:
        assert mixins.told_of([order])
    (query,) = queries
    assert "object_digest" in query["sql"].partition("WHERE")[2]  # there is no index over the texts


def test_neither_bodies_nor_logs_are_read(told: Tell) -> None:
    user = User.objects.create_user("ann")
    told(user)
    (rows,) = mixins.told_of([user]).values()

    assert {"payload", "attempt_log"} <= rows[0].get_deferred_fields()


def test_who_may_not_view_events_sees_the_pages_as_they_were(client_of: Any, told: Tell) -> None:
    client = client_of("staff")
    user = User.objects.get()
    user.user_permissions.set(Permission.objects.filter(codename="view_user"))
    told(user)
    with CaptureQueriesContext(connection) as asked:
        pages = [text_of(client, USERS), text_of(client, f"{USERS}{user.pk}/change/")]

    assert not any("3 s later" in page or ">TikTok<" in page for page in pages)
    assert not any("outboxevent" in query["sql"] for query in asked)


def test_who_may_only_look_at_an_object_sees_its_events(client_of: Any, told: Tell) -> None:
    client = client_of("viewer")
    user = User.objects.get()
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    told(user)

    assert "3 s later" in text_of(client, f"{USERS}{user.pk}/change/")


def test_a_site_without_the_apps_pages_has_no_links_to_them(boss: Client, told: Tell) -> None:
    told(User.objects.get())
    page = text_of(boss, "/kiosk/auth/user/")

    assert "3 s later" in page
    assert "outboxevent" not in page


@pytest.mark.privacy
def test_a_hostile_note_is_text(boss: Client, told: Tell) -> None:
    order = Order.objects.create()
    told(order, state=State.INVALID, note="<script>alert(1)</script>")

    assert "<script>alert(1)" not in text_of(boss, f"{ORDERS}{order.pk}/change/")


@pytest.fixture
def attributed(settings: Any) -> list[Order]:
    """Four orders: two with a click on an ad, one without, and one that is not recorded."""
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=True)
    orders = [Order.objects.create() for _ in range(4)]
    named, unnamed, direct = (conversion(object_pk=str(order.pk)) for order in orders[:3])
    touch(named, 3, campaign_name="Older")
    touch(named, 2, campaign_name="Spring <b>")
    touch(named, 1, traffic="organic", campaign_name="")
    touch(unnamed, 20 / 86_400, campaign_name="", campaign_id="")
    touch(direct, 1, traffic="organic", campaign_name="")
    return orders


def clicks(client: Client) -> list[str]:
    """The cells of the column, from the oldest order on."""
    page = text_of(client, ORDERS)
    return re.findall(r'<td class="field-tiktok_click">(.*?)</td>', page)[::-1]


def test_the_list_says_which_click_came_last(boss: Client, attributed: list[Order]) -> None:
    assert clicks(boss) == [
        "TikTok: campaign Spring &lt;b&gt;, 2 days before",
        "TikTok: unknown campaign, 20 seconds before",
        "No click on a TikTok ad.",
        "–",
    ]


def test_the_column_of_clicks_is_one_statement_for_the_whole_list(boss: Client, attributed: list[Order]) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            boss.get(ORDERS)
        return [one["sql"] for one in captured if "recordedconversion" in one["sql"] or "touch" in one["sql"]]

    assert len(statements()) == 1
    for _ in range(10):
        order = Order.objects.create()
        touch(conversion(object_pk=str(order.pk)))
    assert len(statements()) == 1


def test_the_page_says_it_too(boss: Client, attributed: list[Order]) -> None:
    pages = [text_of(boss, f"{ORDERS}{order.pk}/change/") for order in attributed]

    assert "TikTok: campaign Spring &lt;b&gt;, 2 days before" in pages[0]
    assert "No click on a TikTok ad." in pages[2]
    assert "No conversion of this object is recorded" in pages[3]


def test_with_attribution_off_nothing_is_said_of_clicks(boss: Client, attributed: list[Order], settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=False)
    with CaptureQueriesContext(connection) as captured:
        pages = [text_of(boss, ORDERS), text_of(boss, f"{ORDERS}{attributed[0].pk}/change/")]

    assert not any("Spring" in page or "tiktok_click" in page for page in pages)
    assert not any("recordedconversion" in one["sql"] for one in captured)


@pytest.mark.parametrize(
    ("codenames", "sees_events", "sees_clicks"),
    [
        ((), False, False),
        (("view_outboxevent",), True, False),
        (("view_attribution",), False, True),
        (("view_outboxevent", "view_attribution"), True, True),
    ],
)
def test_each_part_needs_its_own_permission(
    attributed: list[Order], told: Tell, codenames: tuple[str, ...], sees_events: bool, sees_clicks: bool
) -> None:
    told(attributed[0])
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_order", "change_order", *codenames)))
    client = Client()
    client.force_login(user)
    for address in (ORDERS, f"{ORDERS}{attributed[0].pk}/change/"):
        page = text_of(client, address)
        assert ("3 s later" in page) is sees_events
        assert ("Spring" in page) is sees_clicks
