"""What the provider tells the shop: JSON with `type`, `payment`, `reference`, `amount` and `currency`,
signed with HMAC-SHA256 over the body, tried at most five times.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings

from .models import Payment

SIGNATURE_HEADER = "Pretendpay-Signature"
LOOPBACK_HOSTS = {"localhost", "127.0.0.1"}
RETRY_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0)
TIMEOUT_SECONDS = 10.0

logger = logging.getLogger(__name__)


def signature(body: bytes) -> str:
    return hmac.new(settings.PRETENDPAY_SECRET.encode(), body, hashlib.sha256).hexdigest()


def is_genuine(body: bytes, claimed: str) -> bool:
    return hmac.compare_digest(signature(body).encode(), claimed.encode())


def alert(payment: Payment) -> bytes:
    return json.dumps(
        {
            "type": f"payment.{payment.status}",
            "payment": str(payment.pk),
            "reference": payment.reference,
            "amount": str(payment.amount),
            "currency": payment.currency,
        }
    ).encode()


def send_later(payment: Payment) -> None:
    """Tell the shop from a thread of this process; a provider that is killed in between forgets it."""
    address = payment.webhook_address
    if urlsplit(address).hostname not in LOOPBACK_HOSTS:
        logger.warning("pretendpay only calls loopback addresses, not %s", address)
        return
    pauses = (float(settings.PRETENDPAY_DELAY_SECONDS), *RETRY_PAUSES_SECONDS)
    arguments = (address, alert(payment), pauses)
    threading.Thread(target=deliver, args=arguments, name="pretendpay", daemon=True).start()


def deliver(address: str, body: bytes, pauses: tuple[float, ...]) -> bool:
    """Post until the shop answers 2xx, one try after each pause; False when all tries failed."""
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature(body)}
    opener = build_opener(ProxyHandler({}))
    for pause in pauses:
        time.sleep(pause)
        try:
            with opener.open(Request(address, body, headers), timeout=TIMEOUT_SECONDS):  # noqa: S310 -- loopback, checked above
                return True
        except (URLError, OSError) as error:
            logger.warning("pretendpay could not tell the shop: %s", error)
    logger.error("pretendpay gave up telling the shop at %s", address)
    return False
