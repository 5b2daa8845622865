"""Contents over relations: a constant number of queries, whatever the lines, and the same contents as line by line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.conversions.models import Brand, Guarded, Item, Product, Variant
from tests.conversions.samples import PURCHASE, sent_properties
from tests.shop.models import Order
from tiktok_attribution.conversions.field_paths import items_of, relations_of, tables_of
from tiktok_attribution.delivery import outages

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
CONTENTS = {
    "each": "items",
    "content_id": "variant.sku",
    "content_name": "variant.product.title",
    "brand": "variant.product.brand.name",
    "price": "price",
    "quantity": "quantity",
}
PATHS = [path for key, path in CONTENTS.items() if key != "each"]
OVER_RELATIONS = {**PURCHASE, "contents": CONTENTS}


def an_order(lines: int, **fields: Any) -> Order:
    order = Order.objects.create(total=5, **fields)
    for number in range(lines):
        brand = Brand.objects.create(name=f"brand {number}")
        product = Product.objects.create(title=f"product {number}", brand=brand)
        Item.objects.create(order=order, variant=Variant.objects.create(sku=f"sku {number}", product=product))
    return Order.objects.get(pk=order.pk)


def queries(work: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured]


def pay(order: Order) -> None:
    with transaction.atomic():
        order.status = "paid"
        order.save()


def test_a_purchase_costs_the_same_statements_for_1_5_and_25_lines(configure: Configure) -> None:
    configure()
    without = [len(queries(partial(pay, an_order(lines)))) for lines in (1, 5, 25)]
    configure(OVER_RELATIONS)
    outages.known_lately("default")  # asked once a minute
    costs = [len(queries(partial(pay, an_order(lines)))) for lines in (1, 5, 25)]
    # The stored order, which may have counted before; its visitor; the lines with all they lead to; savepoints; the
    # event's INSERT, which are two on engines that can't do it in one statement.
    assert len(set(without)) == len(set(costs)) == 1
    assert costs[0] - without[0] <= 11


def test_the_lines_and_all_that_they_lead_to_are_one_query() -> None:
    order = an_order(25)
    found: list[Any] = []
    assert len(queries(lambda: found.extend(items_of(order, "items", PATHS)))) == 1
    assert queries(lambda: [item.variant.product.brand.name for item in found]) == []


def test_what_is_sent_is_what_the_lines_say(configure: Configure) -> None:
    configure(OVER_RELATIONS)
    pay(an_order(2))
    assert sent_properties()["contents"] == [
        {
            "content_type": "product",
            "content_id": f"sku {number}",
            "content_name": f"product {number}",
            "brand": f"brand {number}",
            "price": 5,
            "quantity": 1,
        }
        for number in (0, 1)
    ]


def test_what_is_fetched_already_is_not_fetched_again() -> None:
    order = an_order(3)
    prefetched = Order.objects.prefetch_related("items__variant__product__brand").get(pk=order.pk)
    assert queries(lambda: list(items_of(prefetched, "items", PATHS))) == []


def test_what_is_fetched_in_part_is_completed_in_a_query_a_relation() -> None:
    orders = [an_order(lines) for lines in (1, 5, 25)]
    found = Order.objects.prefetch_related("items__variant").filter(pk__in=[order.pk for order in orders])
    assert [len(queries(lambda one=one: list(items_of(one, "items", PATHS)))) for one in found] == [2, 2, 2]


def test_an_empty_relation_is_left_out(configure: Configure) -> None:
    configure(OVER_RELATIONS)
    order = an_order(1)
    Item.objects.create(order=order, price=7)
    pay(order)
    assert [item.get("content_id") for item in sent_properties()["contents"]] == ["sku 0", None]


def test_a_base_manager_of_the_sites_own_is_asked_and_hides_what_it_hides() -> None:
    order = an_order(0)
    for is_sold in (True, False, True):
        guarded = Guarded.objects.create(title="tea", is_sold=is_sold)
        Item.objects.create(order=order, guarded=guarded)
    found: list[Any] = []
    assert len(queries(lambda: found.extend(items_of(order, "items", ["guarded.title"])))) == 2
    assert [item.guarded is not None for item in found] == [True, False, True]


def test_a_queryset_that_can_not_be_joined_is_completed_after_it_came() -> None:
    order = an_order(5)
    order.some = lambda: Item.objects.filter(order=order).only("price")  # type: ignore[attr-defined]
    assert len(queries(lambda: list(items_of(order, "some", ["variant.sku"])))) <= 7
    order.plain = lambda: Item.objects.filter(order=order).values("price")  # type: ignore[attr-defined]
    assert [dict(item) for item in items_of(order, "plain", ["price"])] == [{"price": 5}] * 5
    both = Item.objects.filter(order=order)
    order.united = lambda: both.union(both)  # type: ignore[attr-defined]
    assert len(list(items_of(order, "united", PATHS))) == 5


def test_a_list_of_objects_is_completed_too() -> None:
    order = an_order(5)
    order.chosen = list(order.items.all())  # type: ignore[attr-defined]
    assert len(queries(lambda: list(items_of(order, "chosen", PATHS)))) == 3


def test_the_order_that_the_lines_belong_to_is_not_fetched_again() -> None:
    order = an_order(3)
    order.currency = "CHF"  # not saved
    found: list[Any] = []
    assert len(queries(lambda: found.extend(items_of(order, "items", ["order.currency"])))) == 1
    assert {item.order.currency for item in found} == {"CHF"}


@pytest.mark.parametrize(
    ("path", "items"), [("guest.lines", []), ({"constant": (1, 2)}, [1, 2]), (lambda order: iter("ab"), ["a", "b"])]
)
def test_items_may_be_any_iterable(path: Any, items: list[Any]) -> None:
    assert list(items_of(SimpleNamespace(guest=None), path, ["price"])) == items


@pytest.mark.parametrize(
    ("path", "lookup"),
    [
        ("variant.sku", "variant"),
        ("variant__product__brand__name", "variant__product__brand"),
        ("variant.product.brand_name", "variant__product"),
        ("variant.sku.upper", "variant"),
        ("variant_id", None),
        ("price", None),
        ("nonsense.title", None),
        ("order.items.first", "order"),
    ],
)
def test_a_path_is_followed_as_far_as_each_step_is_one_object(path: str, lookup: str | None) -> None:
    assert [one.lookup for one in relations_of(Item, (path,))] == ([] if lookup is None else [lookup])


@pytest.mark.parametrize(
    ("path", "tables"),
    [
        ("total", set()),
        ("pk", set()),
        ({"constant": 1}, set()),
        ("items", {"shop_item"}),
        ("items.variant.product", {"shop_item", "shop_variant", "shop_product"}),
        ("get_total", None),
        (lambda order: 1, None),
    ],
)
def test_which_tables_a_path_reads(path: Any, tables: set[str] | None) -> None:
    assert tables_of(Order, path) == tables


def test_a_reverse_relation_without_a_name_of_its_own_is_followed() -> None:
    assert tables_of(Variant, "item_set.guarded") == {"shop_item", "shop_product"}


def test_a_key_of_a_relation_reads_no_other_table() -> None:
    assert tables_of(Item, "variant_id") == set()
