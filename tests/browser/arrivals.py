"""What arrived at the stand-in from a browser."""

from __future__ import annotations

from tiktok_attribution.testing.arrivals import Arrival
from tiktok_attribution.testing.server import StandIn


def arrived(standin: StandIn, number: int) -> list[Arrival]:
    """Wait for so many arrivals, then for a moment whether there are more."""
    standin.ledger.wait_for(lambda ledger: len(ledger.arrivals()) >= number, timeout_seconds=5)
    standin.ledger.wait_for(lambda ledger: len(ledger.arrivals()) > number, timeout_seconds=0.2)
    return standin.ledger.arrivals()


def seen(standin: StandIn, number: int) -> list[tuple[str, str]]:
    """(pixel, event) of what arrived, sorted."""
    return sorted((one.pixel, one.event) for one in arrived(standin, number))
