"""The 57 published normalisations. Rows 1, 20 and 43 are printed in TikTok's own documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiktok_attribution.events import hashing

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
HASHERS = {
    "email": hashing.email_sha256,
    "external_id": hashing.external_id_sha256,
    "first_name": hashing.name_sha256,
    "last_name": hashing.name_sha256,
    "zip_code": hashing.zip_sha256,
}
CHOICE_NOT_TAKEN, NEVER = VECTORS[55], VECTORS[56]


def test_all_57_vectors_are_there() -> None:
    assert [vector["row"] for vector in VECTORS] == list(range(1, 58))


@pytest.mark.parametrize("vector", VECTORS[:55], ids=lambda vector: f"{vector['row']}-{vector['key']}")
def test_a_value_is_sent_as_the_vector_says(vector: dict[str, Any]) -> None:
    if vector["key"] == "phone":
        assert hashing.phone_sha256(vector["given"], vector["region"]) == vector["expected"]
    else:
        assert HASHERS[vector["key"]](vector["given"]) == vector["expected"]


def test_a_chinese_number_is_not_hashed_without_its_country_code() -> None:
    """Row 56 is TikTok's older rule. It is not followed: the number keeps its +86, as in row 35."""
    assert hashing.phone_sha256(CHOICE_NOT_TAKEN["given"]) not in (None, CHOICE_NOT_TAKEN["expected"])


@pytest.mark.privacy
@pytest.mark.parametrize("hasher", [*HASHERS.values(), hashing.phone_sha256])
@pytest.mark.parametrize("nothing", ["", "  ", "\u00a0", "-", None, NEVER["expected"], NEVER["expected"].upper()])
def test_the_hash_of_nothing_is_never_sent(hasher: Any, nothing: str | None) -> None:
    assert hasher(nothing) != NEVER["expected"]
