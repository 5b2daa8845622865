"""The list of conversions and the page of one: what they say, addresses good and bad, and what they cost."""

from __future__ import annotations

import html
import re
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.admin.conversion_samples import conversion, fill_conversions, touch
from tests.admin.samples import with_settings
from tests.attribution.report_samples import PIXEL, SPRING, SUMMER, on_both_clocks
from tests.attribution.samples import worked
from tests.shop.models import Order
from tiktok_attribution.admin.conversion_list import PAGE_ROWS, ConversionList
from tiktok_attribution.admin.conversion_page import ConversionPage
from tiktok_attribution.attribution import conversion_search
from tiktok_attribution.models import RecordedConversion, moment

pytestmark = pytest.mark.django_db
LIST = "/admin/tiktok_attribution/recordedconversion/"
REPORT = "/admin/tiktok_attribution/attributionreport/"


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=True)


def listed(client: Client, query: str = "") -> ConversionList:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    page: ConversionList = response.context["page"]
    return page


def page_of(client: Client, row: RecordedConversion, query: str = "") -> ConversionPage:
    response = client.get(f"{LIST}{row.pk}/change/?{query}")
    assert response.status_code == 200
    page: ConversionPage = response.context["page"]
    return page


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(response.content.decode()))


def keys(page: ConversionList) -> list[int]:
    return [line.pk for line in page.lines]


def only(codename: str) -> Client:
    user = User.objects.create_user("somebody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename=codename))
    client = Client()
    client.force_login(user)
    return client


def test_a_line_says_what_there_is_to_say(boss: Client) -> None:
    order = Order.objects.create()
    told = conversion(
        object_pk=str(order.pk), is_new=False, code="ANNA10", refunded=Decimal(30), refunded_at=int(time.time())
    )
    touch(told, 3, campaign_name="Older", campaign_id="1")
    touch(told, 2)
    touch(told, 1, traffic="organic", campaign_name="", campaign_id="")
    text = text_of(boss, LIST)
    row = text.partition("<tbody>")[2].partition("</tbody>")[0]

    for part in (f"order {order.pk}", "100.00 EUR", "30.00 EUR", "<small>", "returning", "ANNA10", "Spring"):
        assert part in row
    assert "Older" not in row


def test_a_reversed_one_and_one_without_value_or_object_are_listed(boss: Client) -> None:
    conversion(is_reversed=True)
    conversion(value=None, object_label="", object_pk="")
    first, second = listed(boss).lines

    assert (first.object, first.value, first.is_reversed) == (None, "", False)
    assert second.is_reversed
    assert "reversed</span>" in text_of(boss, LIST)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"clicked", "organic", "direct", "other"}),
        ("event=Subscribe", {"other"}),
        (f"pixel={PIXEL}", {"clicked", "organic", "direct"}),
        ("customers=new", {"clicked"}),
        ("customers=returning", {"direct"}),
        ("traffic=paid", {"clicked"}),
        ("traffic=organic", {"organic"}),
        ("traffic=none", {"direct", "other"}),
        ("traffic=paid&window=1", set()),
        ("traffic=organic&model=last_touch", {"organic", "clicked"}),
        ("period=today&from=2020-01-01&to=2020-01-02", set()),
    ],
)
def test_each_filter(boss: Client, settings: Any, query: str, wanted: set[str]) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=True, PIXEL_CODE=[PIXEL, "C0OTHER0000000000000"])
    clicked = conversion(event_id="clicked", is_new=True)
    touch(clicked, 2)
    touch(clicked, 1.5, traffic="organic", campaign_id="", campaign_name="")
    touch(conversion(event_id="organic"), 2, traffic="organic", campaign_id="", campaign_name="")
    conversion(event_id="direct", is_new=False)
    conversion(event_id="other", name="Subscribe", shop="C0OTHER0000000000000")
    # By the last TikTok click, a visit without an ad brings nothing; by the last touch it does.
    if query == "traffic=organic":
        wanted = set()
    if query == "traffic=none":
        wanted = wanted | {"organic"}
    on_both_clocks(1, day=timezone.localdate(), name="Subscribe")
    rows = RecordedConversion.objects.in_bulk(keys(listed(boss, query)))

    assert {row.event_id for row in rows.values()} == wanted


def test_the_report_leads_to_what_its_figures_count(boss: Client) -> None:
    for number in range(7):
        one = conversion(is_stale=True, event_id=f"sale-{number}")
        if number < 5:
            campaign, name = ((SPRING, "Spring"), (SUMMER, "Summer"), ("", "spring"))[number % 3]
            touch(one, 1, campaign_id=campaign, campaign_name=name, landing_path="/new/")
    RecordedConversion.objects.update(is_stale=False)
    _roll_up()
    for by in ("campaign", "landing", "adgroup"):
        page = boss.get(REPORT, {"by": by, "period": "28"}).context["page"]
        counted = [(line.cells, line.title) for line in page.table.lines]
        assert counted
        for cells, title in counted:
            (cell,) = (cell for cell in cells if cell.address)
            assert len(listed(boss, cell.address).lines) == int(cell.lines[0]), title
    for line in page.footer:
        assert len(listed(boss, line.address).lines) == int(line.conversions), line.title
    assert [int(line.conversions) for line in page.footer] == [5, 2, 7]


def _roll_up() -> None:
    """Make the days of the roll-up from the conversions and touches that are there."""
    from tiktok_attribution.attribution.stale_days import mark_days  # noqa: PLC0415

    today = timezone.localdate()
    mark_days({(today - timedelta(days=back), PIXEL) for back in range(3)}, using="default")
    worked()


def test_pages_lead_on_and_back(boss: Client) -> None:
    now = int(time.time())
    for number in range(PAGE_ROWS * 2 + 5):
        conversion(at=now - 3600 - number // 3)
    first = listed(boss, "customers=")
    second = listed(boss, first.older)
    third = listed(boss, second.older)
    found = [keys(page) for page in (first, second, third)]

    assert [len(page) for page in found] == [50, 50, 5]
    assert len({pk for page in found for pk in page}) == 105
    assert (first.newer, third.older) == ("", "")
    assert keys(listed(boss, third.newer)) == found[1]
    assert keys(listed(boss, second.newer)) == found[0]
    assert listed(boss, second.newer).newer == ""


def test_a_search_that_stops_says_so_and_goes_on(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion_search, "MOST_SCANNED", 10)
    now = int(time.time())
    for number in range(15):
        conversion(at=now - 3600 - number)
    touch(conversion(at=now - 4000))
    first = listed(boss, "traffic=paid")

    assert (keys(first), first.looked_to is not None, bool(first.older)) == ([], True, True)
    assert "Look further back" in text_of(boss, f"{LIST}?traffic=paid")
    assert len(listed(boss, first.older).lines) == 1


def test_the_list_costs_the_same_for_one_and_for_many(boss: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as statements:
            listed(boss, f"campaign={SPRING}&model=linear")
        return len(statements)

    touch(conversion())
    on_both_clocks(1, day=timezone.localdate(), campaign_id=SPRING, campaign_name="Spring", model="linear")
    few = cost()
    for _ in range(30):
        touch(conversion())
    assert cost() == few
    assert few <= 14


@pytest.mark.parametrize(
    "query",
    [
        "before=x",
        "before=1-1-1",
        f"after={'9' * 30}-1",
        "before=٣-1",
        "traffic=nobody",
        "model=position",
        "window=365",
        "pixel=C0NOBODY",
        "landing=/&placement=x",
        "event=NoSuchEvent",
        f"campaign={'x' * 300}",
        "value__gt=1",
    ],
)
def test_what_cannot_be_read_is_said(boss: Client, query: str) -> None:
    conversion()
    assert listed(boss, query).asked.problems
    assert 'role="status"' in text_of(boss, f"{LIST}?{query}")


def test_an_address_is_the_state_of_the_page(boss: Client) -> None:
    on_both_clocks(1, day=timezone.localdate(), name="Subscribe")
    query = f"period=7&event=Subscribe&customers=new&model=linear&window=1&clock=click&traffic=paid&campaign={SPRING}"
    page = listed(boss, query)

    assert page.newest.split("&") == query.split("&")
    assert {one.name: option.value for one in page.filters for option in one.options if option.is_chosen} == {
        "event": "Subscribe",
        "customers": "new",
        "model": "linear",
        "window": "1",
        "clock": "click",
        "traffic": "paid",
        "campaign": SPRING,
    }


def test_days_are_those_of_the_shop(boss: Client, settings: Any) -> None:
    account = {"7001234567890123456": {"pixels": [PIXEL], "time_zone": "Pacific/Auckland"}}
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=True, MARKETING_API=account)
    conversion(at=int(moment(0).replace(year=2026, month=3, day=1, hour=12).timestamp()))

    assert len(listed(boss, "from=2026-03-02&to=2026-03-02").lines) == 1
    assert len(listed(boss, "from=2026-03-01&to=2026-03-01").lines) == 0


def test_the_page_tells_the_whole_way(boss: Client) -> None:
    told = fill_conversions()
    page = page_of(boss, told)

    assert [touch.number for touch in page.touches] == [1, 2, 3, 4]
    before = [touch.before.replace("\xa0", " ") for touch in page.touches]
    assert before == ["2 weeks before", "5 days before", "2 days before", "7 hours before"]
    assert [touch.campaign for touch in page.touches] == ["Spring", "", "Spring", "Old newsletter <b>"]
    assert (page.value, page.net_value) == ("100.00 EUR", "70.00 EUR")
    assert page.refunded.startswith("30.00 EUR on ")
    assert "more than 20 browsers" in str(page.unjoined)
    assert page.lines == [("SKU-1", "2", "25.00 EUR"), ("SKU-2", "1", "")]


def test_every_model_and_window_has_its_credit(boss: Client) -> None:
    told = fill_conversions()
    page = page_of(boss, told, "window=7")
    by_model = [[line.cells[place][1] for line in page.credits if line.cells[place]] for place in range(6)]
    money = [sum(Decimal(text.split()[0]) for text in texts) for texts in by_model]

    assert [str(title) for title in page.models][-2:] == ["By position", "Time decay"]
    assert money == [Decimal("70.00")] * 6
    assert page.credits[-1].cells[0] == ["100 %", "70.00 EUR"]
    assert page.all_windows[0].cells == [["touch 4: 100 %"]] * 4
    assert page.all_windows[2].cells[0] == ["touch 4: 100 %"]
    assert page.all_windows[2].cells[3] == ["touch 1: 100 %"]
    assert [line.title for line in page_of(boss, told, "window=1").credits] == ["4. Old newsletter <b>"]
    assert page_of(boss, told, "window=3").window == 7


def test_a_direct_one_says_that_nothing_is_known(boss: Client) -> None:
    told = conversion(is_stale=True)
    text = text_of(boss, f"{LIST}{told.pk}/change/")

    assert "No landing of this visitor is known" in text
    assert "The worker computes its touches again" in text


def test_many_touches_are_cut(boss: Client) -> None:
    told = conversion()
    for number in range(130):
        touch(told, 1 + number / 130)
    page = page_of(boss, told)

    assert (len(page.touches), page.left_out, page.touches[-1].number) == (100, 30, 130)


def test_the_page_links_to_its_events_and_its_campaign(boss: Client, event: Any) -> None:
    row = event(name="Purchase", event_id="order-1")
    event(name="Purchase", event_id="order-2")
    told = conversion(event_id="order-1")
    touch(told)
    page = page_of(boss, told)

    assert [line.address for line in page.events] == [f"/admin/tiktok_attribution/outboxevent/{row.pk}/change/"]
    assert page.touches[0].report.startswith(REPORT)
    assert f"campaign={SPRING}" in page.touches[0].report
    assert boss.get(page.touches[0].report).context["page"].asked.problems == []


def test_events_and_objects_are_for_who_may_see_them(event: Any) -> None:
    event(name="Purchase", event_id="order-1")
    told = conversion(event_id="order-1", object_pk=str(Order.objects.create().pk))
    client = only("view_attribution")

    assert page_of(client, told).events == []
    (line,) = listed(client).lines
    assert line.object is not None
    assert (line.object.address, client.get(f"{LIST}999999/change/").status_code) == ("", 404)


def test_looking_changes_nothing_and_no_form_is_offered(boss: Client) -> None:
    told = fill_conversions()
    for address in (LIST, f"{LIST}{told.pk}/change/"):
        assert boss.post(address).status_code == 405
        body = boss.get(address).content.decode().partition('id="content-main"')[2]
        assert 'method="post"' not in body.partition("<footer")[0]
    assert boss.get(f"{LIST}add/").status_code == 404
    assert boss.get(f"{LIST}{told.pk}/delete/").status_code == 404


def test_with_attribution_off_the_pages_say_so(boss: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=False)
    assert "ATTRIBUTION is off" in text_of(boss, LIST)
