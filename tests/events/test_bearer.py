"""Parts of an address that open something are masked; what tells one product from another stays."""

from __future__ import annotations

import base64
import random
import string
from urllib.parse import quote
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tiktok_attribution.events.page_url import clean_address, is_bearer

pytestmark = [pytest.mark.hostile, pytest.mark.privacy]

SITE = "https://shop.example"
ALLOWED = ("ttclid", "utm_*", "key", "page")
chance = random.Random(7)


def urlsafe(size: int) -> str:
    """As secrets.token_urlsafe makes them, and the same at each run."""
    return base64.urlsafe_b64encode(chance.randbytes(size)).decode().rstrip("=")


SECRETS = [
    *(urlsafe(size) for size in (24, 24, 24, 32, 32, 32, 48, 64)),
    *(chance.randbytes(size).hex() for size in (16, 20, 32)),
    *("".join(chance.choices(string.ascii_letters + string.digits, k=32)) for _ in range(3)),
    "".join(chance.choices(string.ascii_uppercase + "234567", k=32)),
    "1b4e28ba2fa141d2883f0016d3cca427",  # a UUID without its dashes can't be told from any other token
    "sencha-" + chance.randbytes(16).hex(),
    signing.dumps({"order": 42}),
    signing.Signer().sign("42"),
    signing.TimestampSigner().sign("jane"),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.s5tE1_-kPq",
]
READABLE = [
    "organic-morning-sencha-green-tea-from-uji-japan-100g",
    "samsung-galaxy-s24-ultra-5g-12gb-256gb-titanium-gray",
    "Apple-iPhone-15-Pro-Max-256GB-Natural-Titanium",
    "iPhone-MacBook-AirPods-iPad-HomePod-Charging-Cable-USB-C-2m",
    "Kabel-4x16mm2-3x25mm2-10m-NYM-J-5x2-5mm2-100m",
    "A-Day-In-The-Life-Of-Max-And-Moe-Or-So",
    "NVIDIA-GeForce-RTX-4090-24GB-GDDR6X-PCIe-4.0-x16",
    "Donaudampfschifffahrtsgesellschaftskapitaen",
    "MyLongWikiPageTitleAboutSomethingInteresting",
    "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    "1B4E28BA-2FA1-41D2-883F-0016D3CCA427",
    "sencha-from-uji-1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    "4006381333931",
    "%E3%81%8A%E8%8C%B6%E3%81%8A%E8%8C%B6%E3%81%8A%E8%8C%B6%E3%81%8A%E8%8C%B6",
    "tag:some-long-readable-slug-of-many-words",
]


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_a_secret_of_the_path_is_masked(secret: str) -> None:
    for written in (secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")):
        assert clean_address(f"{SITE}/magic/{written}/?utm_source=a", ALLOWED) == f"{SITE}/magic/-/?utm_source=a"


@pytest.mark.parametrize("slug", READABLE)
def test_what_names_a_product_stays(slug: str) -> None:
    assert clean_address(f"{SITE}/products/{slug}/", ALLOWED) == f"{SITE}/products/{slug}/"


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_a_parameter_that_the_site_allows_goes_if_it_holds_a_secret(secret: str) -> None:
    assert clean_address(f"{SITE}/?page=2&key={quote(secret, safe='')}", ALLOWED) == f"{SITE}/?page=2"


def test_click_ids_and_campaigns_stay_however_random_they_are() -> None:
    query = f"ttclid={urlsafe(90)}&utm_id={urlsafe(32)}&utm_content={'ab1' * 12}"
    assert clean_address(f"{SITE}/?{query}", ALLOWED) == f"{SITE}/?{query}"


def test_a_password_reset_names_neither_user_nor_token() -> None:
    user = User(pk=7, username="jane", password="x")
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    assert clean_address(f"{SITE}/accounts/reset/{uid}/{token}/", ALLOWED) == f"{SITE}/accounts/reset/-/-/"
    then = f"{SITE}/accounts/reset/{uid}/set-password/"
    assert clean_address(then, ALLOWED) == f"{SITE}/accounts/reset/-/set-password/"


def test_few_random_texts_are_taken_for_words() -> None:
    assert sum(is_bearer(urlsafe(32)) for _ in range(2000)) > 1990
    assert sum(is_bearer(urlsafe(24)) for _ in range(2000)) > 1980
    assert all(is_bearer(chance.randbytes(16).hex()) for _ in range(2000))
    assert not any(is_bearer(str(UUID(bytes=chance.randbytes(16)))) for _ in range(2000))
