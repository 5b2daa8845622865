"""What the stand-in and the shop have heard of one visitor of the example shop."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any
from urllib.request import ProxyHandler, build_opener

PATIENCE_SECONDS = 30
QUIET_SECONDS = 1.0  # for what might come twice, or come at all
BOTH, BROWSER, SERVER = "browser+server", "browser", "server"
Heard = Counter[tuple[str, str]]


class Hearing:
    """One after the other, for what the stand-in hears from now on counts as this visitor's."""

    def __init__(self, stage: Any) -> None:
        self.site, self.stage = stage.site, stage
        self.receipt_views = 0
        self._earlier = len(self._all_arrivals())
        self._refused_before = len(self._all_refused())

    def arrivals(self) -> list[dict[str, Any]]:
        """What the stand-in has heard since this shopper came."""
        return self._all_arrivals()[self._earlier :]

    def heard(self) -> Heard:
        """(event, channels) of each event_id. Page views have no id and are counted one by one."""
        channels: dict[tuple[str, str], list[str]] = {}
        for one in self.arrivals():
            key = (one["event"], one["event_id"] or str(one["number"]))
            channels.setdefault(key, []).append(one["channel"])
        return Counter((event, "+".join(sorted(each))) for (event, _), each in channels.items())

    def ids(self, event: str) -> set[str]:
        return {one["event_id"] for one in self.arrivals() if one["event"] == event}

    def keys(self, event: str) -> set[str]:
        """Matching keys of its server event."""
        (found,) = (one for one in self.arrivals() if (one["event"], one["channel"]) == (event, SERVER))
        return set(found["matching_keys"])

    def settled(self) -> Heard:
        """What was heard, once nothing more comes: every event that was recorded is with TikTok, and it is quiet."""
        last = None
        while last != (last := self.heard()):
            time.sleep(2 * QUIET_SECONDS)
        return last

    def expect(self, *, views: int, both: str = "", browser: str = "", server: str = "") -> None:
        """Exactly these events (names, as often as they are there), each half once and counted once, and page views:
        so many, and those of the receipt.
        """
        views = views + self.receipt_views if views else 0
        wanted: Heard = Counter({("Pageview", BROWSER): views} if views else {})
        for channels, names in {BOTH: both, BROWSER: browser, SERVER: server}.items():
            wanted.update((name, channels) for name in names.split())
        self.stage.wait_until(lambda: self.heard() == wanted, seconds=PATIENCE_SECONDS)
        time.sleep(QUIET_SECONDS)
        heard = self.heard()
        assert heard == wanted, f"missing {wanted - heard}, too many {heard - wanted}"
        fates = Counter(one["fate"] for one in self.arrivals())
        expected = +Counter(counted=sum(wanted.values()), merged=len(both.split()))
        assert fates == expected, f"{fates} and not {expected}"

    def refused(self) -> list[str]:
        """What this shopper's browser has told the shop that its policy forbids."""
        return self._all_refused()[self._refused_before :]

    def _all_refused(self) -> list[str]:
        log = (self.stage.var / "site.log").read_text(errors="replace")
        return [line for line in log.splitlines() if "refused by the policy" in line]

    def _all_arrivals(self) -> list[dict[str, Any]]:
        with build_opener(ProxyHandler({})).open(f"{self.stage.standin}/standin/arrivals.json", timeout=10) as answer:
            return json.load(answer)["arrivals"]  # type: ignore[no-any-return]
