"""Export Prometheus metrics: the figures of `tiktok_status`, read at each scrape. Needs the extra `[prometheus]`.

Call `REGISTRY.register(TikTokCollector())` in an AppConfig.ready() of the site. Any exporter of prometheus_client
then serves them. For OpenTelemetry, let its Prometheus receiver scrape the same address.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tiktok_attribution.delivery.figures import figures

_GAUGES = {
    "waiting": "Events that wait to be sent",
    "due": "Events whose next attempt is due",
    "oldest_due_seconds": "Age of the event that is due longest",
    "delivered_last_hour": "Events delivered in the last hour",
    "posts_last_hour": "Requests to the Events API in the last hour",
    "failed_posts_last_hour": "Requests of the last hour that did not deliver",
    "invalid_last_day": "Events of the last day that could not be built",
    "rejected_last_day": "Events of the last day that TikTok refused",
    "expired_last_day": "Events of the last day that were given up",
}


class TikTokCollector(Collector):
    """Collect the figures as gauges, labelled by pixel and database."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics' names without values, so that registering needs no database."""
        yield from _families().values()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics of one scrape."""
        families = _families()
        for one in figures():
            labels = [one.pixel_code, one.database]
            for name in _GAUGES:
                families[name].add_metric(labels, getattr(one, name))
            families["stopped"].add_metric(labels, float(bool(one.stopped)))
        yield from families.values()


def _families() -> dict[str, GaugeMetricFamily]:
    named = {**_GAUGES, "stopped": "1 while the pixel is stopped"}
    return {
        name: GaugeMetricFamily(f"tiktok_attribution_{name}", text, labels=["pixel", "database"])
        for name, text in named.items()
    }
