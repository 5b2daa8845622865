"""Lines that are read as columns are what the ORM's own objects show; where an object could show more, it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, models
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from tests.conversions.models import Brand, Guarded, Item, Product, Variant
from tests.shop.models import Order
from tiktok_attribution.conversions import item_columns
from tiktok_attribution.conversions.field_paths import items_of
from tiktok_attribution.conversions.item_columns import rows_of
from tiktok_attribution.visitor.page import read

pytestmark = pytest.mark.django_db
PATHS = {"content_id": "variant.sku", "content_name": "variant__product__title", "price": "price", "of": "variant_id"}


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """What is kept by model would outlive a test that changes the model."""
    yield
    item_columns._plan.cache_clear()
    item_columns._statement.cache_clear()


def an_order() -> Order:
    order = Order.objects.create(total=5)
    for number in range(3):
        brand = Brand.objects.create(name=f"brand {number}")
        product = Product.objects.create(title=f"product {number}", brand=brand)
        variant = Variant.objects.create(sku=f"sku {number}", product=product)
        Item.objects.create(order=order, variant=variant, price=Decimal("19.90"))
    Item.objects.create(order=order, variant=None)  # an empty relation
    Item.objects.create(order=Order.objects.create(total=1), variant=None)  # of another order
    return Order.objects.get(pk=order.pk)


def by_objects(order: Order, paths: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(read(item, path) for path in paths.values()) for item in items_of(order, "items", paths.values())]


@pytest.mark.parametrize(
    "paths",
    [
        PATHS,
        {"content_id": "pk"},
        {"content_id": "order_id", "quantity": "quantity"},
        {"brand": "variant.product.brand.name", "of": "variant.product_id"},
    ],
)
def test_the_columns_are_what_the_objects_show(paths: dict[str, Any]) -> None:
    order = an_order()
    with CaptureQueriesContext(connection) as queries:
        found = rows_of(order, "items", paths)
    assert found is not None
    assert len(queries) == 1
    assert sorted(map(repr, found)) == sorted(map(repr, by_objects(order, paths)))
    assert len(found) == 4


def test_a_second_order_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_of(an_order(), "items", PATHS)
    other = an_order()
    monkeypatch.setattr(models.QuerySet, "filter", None)
    assert rows_of(other, "items", PATHS) is not None


@pytest.mark.parametrize(
    ("each", "paths"),
    [
        ("items", {"content_id": "variant"}),  # an object, not a column
        ("items", {"content_id": "variant.no_such"}),
        ("items", {"content_id": "__str__"}),
        ("items", {"content_id": lambda item: item.pk}),
        ("items", {"content_id": {"constant": "a"}}),
        ("items", {}),
        ("no_such", {"content_id": "pk"}),
        ("total", {"content_id": "pk"}),
        ("pk", {"content_id": "pk"}),
        (None, {"content_id": "pk"}),
        (lambda order: [], {"content_id": "pk"}),
    ],
)
def test_what_is_no_column_is_left_to_the_objects(each: Any, paths: dict[str, Any]) -> None:
    assert rows_of(an_order(), each, paths) is None


def test_what_is_fetched_already_is_not_fetched_again() -> None:
    order = Order.objects.prefetch_related("items").get(pk=an_order().pk)
    assert rows_of(order, "items", PATHS) is None


def test_a_base_manager_that_hides_rows_is_asked() -> None:
    assert Guarded._meta.base_manager_name is not None
    assert rows_of(an_order(), "items", {"content_id": "guarded.title"}) is None


def test_a_manager_of_the_site_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Visible(models.Manager[Item]):
        def get_queryset(self) -> models.QuerySet[Item]:
            return super().get_queryset().none()

    manager = Visible()
    manager.model = Item
    monkeypatch.setattr(Item._meta, "default_manager", manager)
    assert rows_of(an_order(), "items", PATHS) is None


def test_a_property_that_stands_before_a_column_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Item, "price", property(lambda item: 7), raising=False)
    assert rows_of(Order(pk=1), "items", {"price": "price"}) is None


def test_a_model_that_is_told_of_its_objects_is_asked() -> None:
    def heard(**kwargs: object) -> None: ...

    post_init.connect(heard, sender=Variant)
    try:
        assert rows_of(an_order(), "items", PATHS) is None
    finally:
        post_init.disconnect(heard, sender=Variant)


def test_a_model_that_reads_its_rows_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Item, "from_db", classmethod(lambda cls, *args: None), raising=False)
    assert rows_of(Order(pk=1), "items", PATHS) is None


def test_an_ordering_with_values_of_its_own_is_left_to_the_orm(monkeypatch: pytest.MonkeyPatch) -> None:
    ordering = [models.Case(models.When(quantity=3, then=models.Value(0)), default=models.Value(1))]
    monkeypatch.setattr(Item._meta, "ordering", ordering)
    assert rows_of(an_order(), "items", PATHS) is None


def test_the_models_own_ordering_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Item._meta, "ordering", ["-pk"])
    order = an_order()
    found = rows_of(order, "items", {"content_id": "pk"})
    assert found == sorted(found or (), reverse=True)
    assert found == by_objects(order, {"content_id": "pk"})
