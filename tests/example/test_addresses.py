"""The example shop's secret addresses: whoever knows the token sees the order, so TikTok does not get it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.example.conftest import EXAMPLE

pytestmark = [pytest.mark.on_engine("sqlite"), pytest.mark.privacy]

# In a process of its own, for the example has settings of its own.
ADDRESSES = """
import uuid
import django
django.setup()
from django.urls import reverse
from tiktok_attribution import conf
from tiktok_attribution.visitor.page import page_address
token = uuid.UUID(int=7)
for name in ("thank-you", "order-status", "order-pay"):
    print(page_address("https://shop.test" + reverse(f"shop:{name}", args=[token]), conf.current()))
print(page_address("https://shop.test" + reverse("shop:product", args=["sencha-100"]), conf.current()))
"""


def test_the_token_of_an_order_is_masked_and_a_product_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ADDRESSES],
        cwd=EXAMPLE,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "example.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "https://shop.test/orders/-/thank-you/",
        "https://shop.test/orders/-/status/",
        "https://shop.test/orders/-/pay/",
        "https://shop.test/products/sencha-100/",
    ]
