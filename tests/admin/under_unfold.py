"""`python -m tests.admin.under_unfold`: as JSON, the status of each page under django-unfold's theme, and whether it
has the theme's style sheet and this app's.
"""

from __future__ import annotations

import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.unfold_settings"
django.setup()

from django.contrib.auth.models import User  # noqa: E402 -- models come after the setup
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from tests.admin import filled  # noqa: E402

SHEETS = ("unfold/css/styles.css", "tiktok_attribution/admin.css")

if __name__ == "__main__":
    call_command("migrate", verbosity=0, run_syncdb=True)
    addresses = filled.fill()
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    waiting = addresses["event-waiting"].replace("/change/", "/cancel/")
    answers = {"question": client.post(waiting)}
    answers |= {name: client.get(path) for name, path in addresses.items() if path.startswith("/admin/")}
    found = {
        name: [answer.status_code, *(sheet in answer.content.decode() for sheet in SHEETS)]
        for name, answer in answers.items()
    }
    json.dump(found, sys.stdout)
