"""`manage.py seed`: products and an admin, for a shop to look at."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from shop.catalogue import fill
from tiktok_attribution import paused

ADMIN, PASSWORD = "admin", "admin"


class Command(BaseCommand):
    help = "Fill the shop; safe to run twice."

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model()._default_manager
        with paused():  # what is made up here is nobody's conversion
            fill()
            if not users.filter(username=ADMIN).exists():
                users.create_superuser(ADMIN, "admin@example.com", PASSWORD)
