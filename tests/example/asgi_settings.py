"""The example shop under an async server: with a middleware that only runs in the event loop, and async views."""

from __future__ import annotations

from example.settings import *  # noqa: F403
from example.settings import MIDDLEWARE as SYNC

MIDDLEWARE = ["tests.example.asgi_site.async_only", *SYNC, "tests.example.asgi_site.async_only"]
ROOT_URLCONF = "tests.example.asgi_site"
