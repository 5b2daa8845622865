"""Django settings of the benchmarks: what a site has, with servers that `servers.py` names in the environment.

All of the app's settings stand at their defaults but one: BATCH_BYTES, so that 1000 events of 1,170 bytes go in one
call, as they do in every yardstick.
"""

from __future__ import annotations

import os
from typing import Any

from tests.engines.server import database_of_url

DATABASE_URL = os.environ["BENCHMARKS_DATABASE_URL"]


def _database(name: str = "") -> dict[str, Any]:
    entry = database_of_url(DATABASE_URL)
    return entry | ({"NAME": name} if name else {})


# One table of each size, in a database of its own, so that rounds over several sizes can be interleaved.
SIZED = {f"rows_{power}": 10**power for power in range(3, 8)}
DATABASES = {"default": _database(), **{alias: _database(alias) for alias in SIZED}}
DATABASE_ROUTERS = ["benchmarks.routing.SizedRouter"]

SECRET_KEY = "only for the benchmarks"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "tiktok_attribution",
    "benchmarks.shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
MIGRATION_MODULES = {"shop": None}
ROOT_URLCONF = "benchmarks.urls"
STATIC_URL = "static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# P5a: one of the four shops that are compared. Each keeps its connections, as a site does that counts milliseconds.
CONTESTANT = os.environ.get("BENCHMARKS_CONTESTANT", "")
if CONTESTANT:
    for _entry in DATABASES.values():
        _entry["CONN_MAX_AGE"] = 600
if CONTESTANT in ("without", "task"):
    INSTALLED_APPS.remove("tiktok_attribution")
elif CONTESTANT:
    MIDDLEWARE.append("tiktok_attribution.middleware.AttributionMiddleware")

LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"tiktok_attribution": {"level": "ERROR"}}}

CELERY_BROKER_URL = os.environ.get("BENCHMARKS_BROKER_URL") or "memory://"
FACEBOOK_PIXEL_ID = "1234567890"  # of django-analytical, the yardstick of P8

TIKTOK_ATTRIBUTION = {
    "ENABLED": CONTESTANT != "disabled",
    "PIXEL_CODE": "C0EXAMPLE0000000000",
    "ACCESS_TOKEN": "0123456789abcdef0123456789abcdef01234567",
    "API_URL": os.environ.get("BENCHMARKS_SINK_URL") or "http://127.0.0.1:9/",
    "SITE_URL": "https://shop.example",
    "PHONE_REGION": "DE",
    "BATCH_BYTES": 2_000_000,
    "EVENTS_PER_SECOND": 0,  # the limit is TikTok's; here the question is what the app could do
    "CONVERSIONS": {
        "shop.Order": {
            "event": "Purchase",
            "value": "total",
            "currency": "currency",
            "order_id": "number",
            "contents": {"content_id": "number", "content_name": "street", "price": "total"},
            "user": {"email": "email", "phone": "phone", "external_id": "customer_id"},
        },
        "auth.User": {"event": "CompleteRegistration", "user": {"email": "email", "external_id": "pk"}},
        "shop.Sale": {
            "event": "Purchase",
            "when": {"status": "paid"},
            "time": "paid_at",
            "value": "total",
            "currency": "currency",
            "contents": {
                "each": "lines",
                "content_id": "product.sku",
                "content_name": "product.title",
                "price": "unit_price",
                "quantity": "quantity",
            },
            "user": {"email": "email", "phone": "phone", "external_id": "customer_id"},
        },
    },
}
