"""The fault suite's settings for a shop whose orders have lines."""

from __future__ import annotations

from tests.faults.settings import *  # noqa: F403 -- settings are made this way
from tests.faults.settings import TIKTOK_ATTRIBUTION as OTHERS

TIKTOK_ATTRIBUTION = OTHERS | {
    "CONVERSIONS": {
        "shop.Order": {
            **OTHERS["CONVERSIONS"]["shop.Order"],  # type: ignore[index]
            "contents": {"each": "lines", "content_id": "sku", "price": "unit_price", "quantity": "quantity"},
        }
    }
}
