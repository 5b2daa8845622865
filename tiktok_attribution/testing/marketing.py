"""The Marketing API of the stand-in: accounts, ads with their spend, pixels, and tokens.

It serves `report/integrated/get/`, `advertiser/info/`, `pixel/list/`, `pixel/event/stats/` and `oauth2/access_token/`.
`marketing_rules` knows what is answered and refused; where nothing is known, `guesses` says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from tiktok_attribution.testing.faults import OURS, Answer, RefusedError
from tiktok_attribution.testing.marketing_rules import (
    FIGURES,
    NO_PERMISSION,
    PARAMETERS,
    TOKEN_REFUSED,
    Account,
    Ad,
    counts,
    enveloped,
    info,
    pixels,
    refuse,
    report,
    texts,
)

PREFIX = "/open_api/v1.3/"
REPORT, INFO, TOKEN = "report/integrated/get/", "advertiser/info/", "oauth2/access_token/"
PIXELS, PIXEL_STATS = "pixel/list/", "pixel/event/stats/"
SERVED = (REPORT, INFO, PIXELS, PIXEL_STATS)
"""By GET."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketingRequest:
    """A request that arrived: the path after the version, and its parameters."""

    path: str
    parameters: Mapping[str, str]


class Marketing:
    """What the stand-in's Marketing API knows. Change it while it runs: a figure that is set again is a late change."""

    def __init__(self) -> None:
        self.requests: list[MarketingRequest] = []
        self._accounts: dict[str, Account] = {}
        self._granted: dict[tuple[str, str, str], tuple[str, Sequence[str]]] = {}
        self._failing: list[Answer] = []
        self._lock = threading.Lock()

    def add_account(
        self, advertiser_id: str, token: str, *, time_zone: str = "Europe/Berlin", currency: str = "EUR"
    ) -> Account:
        """Add an account that this token may read."""
        account = Account(advertiser_id=advertiser_id, token=token, time_zone=time_zone, currency=currency)
        with self._lock:
            self._accounts[advertiser_id] = account
        return account

    def set_day(self, advertiser_id: str, ad: Ad, day: date, **figures: object) -> None:
        """Set the figures of an ad on a day: `spend`, `impressions` … as TikTok names its metrics."""
        unknown = sorted(set(figures) - set(FIGURES))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no figure of a report")
        with self._lock:
            ads = self._accounts[advertiser_id].ads
            days = ads[ad.ad_id].days if ad.ad_id in ads else {}
            ads[ad.ad_id] = replace(ad, days=days)  # renamed or deleted by now, perhaps
            days[day] = {name: Decimal(str(one)) for name, one in figures.items()}

    def add_pixel(self, advertiser_id: str, pixel_id: str, code: str, **values: object) -> None:
        """Add a pixel to an account; `values` are `pixel_setup_mode`, `events` … as `pixel/list/` names them."""
        setup = {
            "pixel_id": pixel_id,
            "pixel_code": code,
            "pixel_setup_mode": "DEVELOPER",
            "advanced_matching_fields": {"email": True, "phone_number": True},
            "enable_first_party_cookies": True,
            "events": [],
            **values,
        }
        with self._lock:
            self._accounts[advertiser_id].pixels[pixel_id] = setup

    def set_count(
        self, advertiser_id: str, pixel_id: str, event: str, day: date, *, total: int, attributed: int = 0
    ) -> None:
        """Set how many events of a name TikTok counted on a day (of UTC)."""
        with self._lock:
            self._accounts[advertiser_id].counts.setdefault((pixel_id, event), {})[day] = total, attributed

    def grant(self, app_id: str, secret: str, code: str, *, token: str, advertiser_ids: Sequence[str]) -> None:
        """Give this token once for this authorization code."""
        with self._lock:
            self._granted[app_id, secret, code] = token, advertiser_ids

    def fail(self, code: int, message: str = OURS + "as asked", *, times: int = 1, http_status: int = 200) -> None:
        """Answer the next requests with this code."""
        with self._lock:
            self._failing += [Answer(code=code, message=message, http_status=http_status)] * times

    def reset(self) -> None:
        """Forget accounts, tokens, failures and requests."""
        with self._lock:
            self.requests.clear()
            self._accounts.clear()
            self._granted.clear()
            self._failing.clear()

    def configure(self, order: object) -> None:
        """Take accounts and figures from JSON: `{"accounts": [{…}], "days": [{advertiser_id, day, ad: {…}, …}]}`.

        Raises ValueError with the reason.
        """
        if not isinstance(order, dict) or not set(order) <= {"accounts", "days"}:
            raise ValueError("an object with accounts and days is expected")
        try:
            for one in order.get("accounts", []):
                self.add_account(**one)
            for one in order.get("days", []):
                given = dict(one)
                advertiser_id, day, ad = given.pop("advertiser_id"), given.pop("day"), Ad(**given.pop("ad"))
                self.set_day(advertiser_id, ad, date.fromisoformat(day), **given)
        except (TypeError, KeyError, InvalidOperation) as error:
            raise ValueError(f"it can't be read: {type(error).__name__} {error}") from None

    # Requests ---------------------------------------------------------------------------------------------------------

    def get(self, path: str, query: str, token: str | None) -> Answer:
        """Answer a GET; `path` is what follows PREFIX."""
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        return self._answered(path, parameters, lambda: self._got(path, parameters, token))

    def post(self, path: str, raw: bytes) -> Answer:
        """Answer a POST."""
        return self._answered(path, {}, lambda: self._exchanged(path, raw))

    def _answered(self, path: str, parameters: Mapping[str, str], act: Any) -> Answer:
        with self._lock:
            self.requests.append(MarketingRequest(path=path, parameters=parameters))
            if self._failing:
                return self._failing.pop(0)
            try:
                return enveloped(act())
            except RefusedError as refused:
                return refused.answer

    def _got(self, path: str, parameters: Mapping[str, str], token: str | None) -> dict[str, Any]:
        if path == INFO:
            return {"list": [info(one) for one in self._allowed(texts(parameters, "advertiser_ids"), token)]}
        if path in (PIXELS, PIXEL_STATS):
            (account,) = self._allowed([parameters.get("advertiser_id", "")], token)
            return pixels(account, parameters) if path == PIXELS else counts(account, parameters)
        unknown = sorted(set(parameters) - PARAMETERS)
        if unknown:
            refuse(f"{unknown[0]}: unknown parameter")
        (account,) = self._allowed([parameters.get("advertiser_id", "")], token)
        return report(account, parameters)

    def _allowed(self, advertiser_ids: Sequence[str], token: str | None) -> list[Account]:
        if not token:
            refuse("Access token is empty.", code=40104)
        if not any(account.token == token for account in self._accounts.values()):
            refuse(TOKEN_REFUSED, code=40105)
        found = [self._accounts.get(one) for one in advertiser_ids]
        allowed = [one for one in found if one is not None and one.token == token]
        if len(allowed) != len(advertiser_ids) or not allowed:
            refuse(NO_PERMISSION.format(advertiser=", ".join(advertiser_ids)), code=40001)
        return allowed

    def _exchanged(self, path: str, raw: bytes) -> dict[str, Any]:
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        names = ("app_id", "secret", "auth_code")
        if not isinstance(body, dict) or set(body) != set(names) or not all(isinstance(body[n], str) for n in names):
            refuse("app_id, secret and auth_code are required texts")
        found = self._granted.pop((body["app_id"], body["secret"], body["auth_code"]), None)
        if found is None:
            refuse("Auth_code is used or expired.", code=40110)
        token, advertiser_ids = found
        return {"access_token": token, "advertiser_ids": list(advertiser_ids), "scope": [4]}
