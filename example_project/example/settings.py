"""Settings of the example shop: for a developer's machine, on loopback, with no service to install."""

from __future__ import annotations

import os
from pathlib import Path

from csp.constants import NONE, SELF

from tiktok_attribution.csp import CSP_SOURCES, with_tiktok

BASE_DIR = Path(__file__).resolve().parent.parent

# Everything that the running shop writes: the database and Celery's messages.
VAR_DIR = Path(os.environ.get("SHOP_VAR") or BASE_DIR / "var").resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = os.environ.get("SHOP_DEBUG", "1").lower() not in {"0", "no", "off", "false"}
SECRET_KEY = "development-only-secret-key-of-the-example-shop-never-use-it-for-a-real-site"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "tiktok_attribution",
    "shop",
    "pretendpay",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tiktok_attribution.middleware.AttributionMiddleware",
]

ROOT_URLCONF = "example.urls"
WSGI_APPLICATION = "example.wsgi.application"
ASGI_APPLICATION = "example.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.cart.cart_of_request",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR_DIR / "shop.sqlite3",
        "ATOMIC_REQUESTS": False,
        # Site, worker and webhook write at once: WAL lets readers go on, IMMEDIATE makes a writer wait
        # its turn instead of failing half-way through a transaction.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "shop:sign-in"
LOGIN_REDIRECT_URL = "shop:account"
LOGOUT_REDIRECT_URL = "shop:front"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Europe/Berlin"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"

# Celery with messages as files, so that neither Redis nor RabbitMQ must run. SHOP_BROKER names a real one.
CELERY_BROKER_URL = os.environ.get("SHOP_BROKER") or "filesystem://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
# Once a minute is right for a real site; here somebody is waiting to see it.
CELERY_BEAT_SCHEDULE = {"tiktok-sweep": {"task": "tiktok_attribution.sweep", "schedule": 3.0}}
if CELERY_BROKER_URL.startswith("filesystem:"):
    BROKER_DIR = VAR_DIR / "broker"
    for folder in ("messages", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT = "example.files:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "messages"),
        "data_folder_out": str(BROKER_DIR / "messages"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.1,
    }

# The pretend payment provider. It waits this long before it tells the shop, as real ones do.
PRETENDPAY_SECRET = "development-only-webhook-secret"
PRETENDPAY_DELAY_SECONDS = float(os.environ.get("PRETENDPAY_DELAY_SECONDS") or 2)

# The example never talks to TikTok: both channels go to the stand-in on this machine. A real site leaves out
# PIXEL_HOST and API_URL, and takes its token from the environment.
TIKTOK_STANDIN = os.environ.get("TIKTOK_STANDIN", "http://127.0.0.1:8765")

# Strict, and without a nonce: no page has inline code. What a browser refuses is reported to the shop.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": with_tiktok(
        {
            "default-src": [NONE],
            "script-src": [SELF],
            "style-src": [SELF],
            "connect-src": [SELF],
            "img-src": [SELF],
            "form-action": [SELF],
            "base-uri": [NONE],
            "frame-ancestors": [NONE],
            "report-uri": "/csp-report/",
        },
        {name: [TIKTOK_STANDIN] for name in CSP_SOURCES},  # a real site leaves this out
    )
}

TIKTOK_ATTRIBUTION = {
    "PIXEL_CODE": "C0TARNLEAF0000000000",
    "ACCESS_TOKEN": os.environ.get("TIKTOK_ACCESS_TOKEN", "a-token-for-the-stand-in"),
    "SITE_URL": os.environ.get("SHOP_SITE", "http://localhost:8000"),
    "PHONE_REGION": "DE",
    # As behind a load balancer: what it says of the visitor's address is believed, and nobody else's word.
    "TRUSTED_PROXIES": ["127.0.0.1"],
    # No inline code, and buttons that templates mark, such as "Save for later" on a product's page.
    "PAGE_SCRIPT": True,
    # The banner of shop/consent.js writes this cookie; without an answer nobody is told of anything.
    "CONSENT": {"cookie": "shop_ads", "granted": "yes", "denied": "no"},
    # What TikTok's ads brought: the landings of those who agreed, and the page "Attribution" of the admin.
    "ATTRIBUTION": True,
    # Whose ads those are. There is no token here, so what they cost comes as a CSV.
    "MARKETING_API": {
        "7001234567890123456": {
            "pixels": ["C0TARNLEAF0000000000"],
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
        },
    },
    # Whoever knows this address sees the order: the token in it is for the shopper alone.
    "MASKED_PATHS": [r"^/orders/([^/]+)/"],
    "CONVERSIONS": {
        "shop.Order": {
            "event": "Purchase",
            "when": {"status": "paid"},
            "time": "paid_at",
            "value": "total",
            "currency": "currency",
            "order_id": "pk",
            "refunded": "refunded",
            "first": "is_first",  # whether a customer is new: the shop knows it without joining browsers
            "code": "code",
            "contents": {
                "each": "lines",
                "content_id": "sku",
                "content_name": "title",
                "price": "unit_price",
                "quantity": "quantity",
            },
            "user": {
                "email": "email",
                "phone": "phone",
                "external_id": "customer_id",
                "zip_code": "postal_code",
                "country": "country",
            },
        },
        "auth.User": {
            "event": "CompleteRegistration",
            "when": {"is_staff": False},
            "time": "date_joined",
            "made_by": "visitor",  # none that a colleague, an import or a shell makes
            "user": {"email": "email", "external_id": "pk"},
        },
    },
    "RETRY_SECONDS": 1,
    "RETRY_MAX_SECONDS": 5,
    "PIXEL_HOST": TIKTOK_STANDIN,
    "API_URL": f"{TIKTOK_STANDIN}/open_api/v1.3/event/track/",
}
