"""The test project with the theme of django-unfold, for a process of its own: it takes the place of Django's site."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = ["unfold", *_APPS]
ROOT_URLCONF = "tests.admin.filled"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
