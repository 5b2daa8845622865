"""What the shop sells."""

from __future__ import annotations

from decimal import Decimal

from .models import Product

TEA, STONEWARE, TOOLS = Product.Category.TEA, Product.Category.STONEWARE, Product.Category.TOOLS

# sku, category, price, title, description
PRODUCTS = (
    (
        "morning-sencha",
        TEA,
        "14.50",
        "Morning Sencha, 100 g",
        "First-flush green tea, steamed within an hour of the harvest. Bright and grassy, with a little sea "
        "air. 70 °C, ninety seconds, three good infusions.",
    ),
    (
        "river-teapot",
        STONEWARE,
        "89.00",
        "River Teapot, 0.8 l",
        "Thrown in four parts and glazed in celadon, the green of slow water. The spout pours without a drip "
        "and the lid stays put to the last cup.",
    ),
    (
        "tenmoku-bowl",
        STONEWARE,
        "38.00",
        "Tenmoku Tea Bowl",
        "A wide bowl for whisked tea, under an iron glaze that breaks to rust at the rim. No two are alike; "
        "yours may be a shade darker.",
    ),
    (
        "harbour-assam",
        TEA,
        "11.90",
        "Harbour Assam, 100 g",
        "A strong, malty black tea for grey mornings. Takes milk well and does not mind being forgotten in "
        "the pot for a minute.",
    ),
    (
        "speckled-mug",
        STONEWARE,
        "26.00",
        "Speckled Mug, 0.35 l",
        "Oatmeal glaze over iron-flecked clay, bare at the foot. Holds a proper amount, fits a cold hand and "
        "goes in the dishwasher.",
    ),
    (
        "bamboo-whisk",
        TOOLS,
        "18.40",
        "Bamboo Whisk",
        "Eighty tines cut from a single stem of pale bamboo and tied with dark thread. For matcha with a "
        "fine, even foam.",
    ),
    (
        "meadow-chamomile",
        TEA,
        "9.80",
        "Meadow Chamomile, 60 g",
        "Whole flower heads from a high meadow, dried in the shade. Honeyed and calm, free of caffeine, good "
        "after ten at night.",
    ),
    (
        "three-minute-timer",
        TOOLS,
        "22.00",
        "Three-Minute Timer",
        "Sand, glass and two discs of oak. It measures one thing, and it has never needed an update.",
    ),
)


def fill() -> None:
    """Make the products that are not there yet; what was edited since stays edited."""
    for sku, category, price, title, description in PRODUCTS:
        Product.objects.get_or_create(
            sku=sku,
            defaults={
                "category": category,
                "price": Decimal(price),
                "title": title,
                "description": description,
                "picture": f"shop/products/{sku}.svg",
            },
        )
