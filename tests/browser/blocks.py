"""Reads the data blocks of a page back, as tiktok.js does."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse

from tests.browser.reading import parsed


def blocks_of(page: HttpResponse | str) -> list[dict[str, Any]]:
    """Every data block of a page, in its order; fails where one is not JSON."""
    found = parsed(page if isinstance(page, str) else page.content.decode())
    pairs = zip(found.attributes, found.scripts, strict=True)
    return [json.loads(text) for attributes, text in pairs if attributes.get("class") == "tiktok-attribution"]


def block_of(page: HttpResponse | str) -> dict[str, Any]:
    """The one data block of a page."""
    (found,) = blocks_of(page)
    return found


def names(block: dict[str, Any]) -> list[str]:
    """The events of a block, "identify" among them."""
    return [call.get("event", "identify") for call in block.get("calls", [])]
