import uuid
from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = (migrations.swappable_dependency(settings.AUTH_USER_MODEL),)

    operations = (
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sku", models.SlugField(max_length=40, unique=True, verbose_name="SKU")),
                ("title", models.CharField(max_length=120)),
                ("description", models.TextField()),
                ("price", models.DecimalField(decimal_places=2, max_digits=8)),
                (
                    "category",
                    models.CharField(
                        choices=[("tea", "Tea"), ("stoneware", "Stoneware"), ("tools", "Tools")],
                        max_length=20,
                    ),
                ),
                ("picture", models.CharField(help_text="A static file.", max_length=200)),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("new", "Waiting for payment"),
                            ("paid", "Paid"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="new",
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="Full name")),
                ("email", models.EmailField(max_length=254, verbose_name="E-mail")),
                ("phone", models.CharField(blank=True, max_length=32)),
                ("street", models.CharField(max_length=200, verbose_name="Street and number")),
                ("postal_code", models.CharField(max_length=16, verbose_name="Postcode")),
                ("city", models.CharField(max_length=100, verbose_name="Town")),
                (
                    "country",
                    models.CharField(
                        choices=[
                            ("AT", "Austria"),
                            ("BE", "Belgium"),
                            ("FR", "France"),
                            ("DE", "Germany"),
                            ("IE", "Ireland"),
                            ("IT", "Italy"),
                            ("NL", "Netherlands"),
                            ("PL", "Poland"),
                            ("ES", "Spain"),
                        ],
                        default="DE",
                        max_length=2,
                    ),
                ),
                ("currency", models.CharField(default="EUR", max_length=3)),
                ("total", models.DecimalField(decimal_places=2, max_digits=10)),
                ("refunded", models.DecimalField(decimal_places=2, default=Decimal("0.00"), max_digits=10)),
                (
                    "code",
                    models.CharField(
                        blank=True,
                        help_text="Optional: of somebody who told you of us.",
                        max_length=30,
                        verbose_name="Code",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("paid_at", models.DateTimeField(blank=True, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="orders",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sku", models.CharField(max_length=40, verbose_name="SKU")),
                ("title", models.CharField(max_length=120)),
                ("unit_price", models.DecimalField(decimal_places=2, max_digits=8)),
                ("quantity", models.PositiveIntegerField()),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="shop.order"
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="shop.product"
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
    )
