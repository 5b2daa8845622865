"""Exchange OAuth's authorization code for a token of the Marketing API (`POST oauth2/access_token/`)."""

from __future__ import annotations

from dataclasses import dataclass

from tiktok_attribution.errors import HiddenText, errors_without_values
from tiktok_attribution.marketing.client import ACCESS_TOKEN, Fate, MarketingClient
from tiktok_attribution.marketing.reports import FetchFailed

_ADVICE = {
    Fate.STOPPED: "The code may be used, or older than an hour: let the account's owner authorize the app again.",
    Fate.REFUSED: "Compare app id and secret with the app's page in TikTok's developer portal.",
    Fate.LIMITED: "Wait five minutes; the code is valid for an hour.",
    Fate.AGAIN: "Try again; the code is valid for an hour, and once.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantedToken:
    """What TikTok granted. `scope` are the numbers of the permissions, as TikTok writes them."""

    token: HiddenText
    advertiser_ids: tuple[str, ...]
    scope: str


@errors_without_values
def exchange_code(client: MarketingClient, app_id: str, secret: str, code: str) -> GrantedToken:
    """Return the token for this authorization code. Raises FetchFailed with what to do; it names none of the three."""
    answer = client.post(ACCESS_TOKEN, {"app_id": app_id, "secret": secret, "auth_code": code})
    if answer.fate is not Fate.OK:
        raise FetchFailed(answer.fate, f"TikTok gave no token: {answer} {_ADVICE[answer.fate]}")
    token, ids = answer.data.get("access_token"), answer.data.get("advertiser_ids")
    if not isinstance(token, str) or not token:
        raise FetchFailed(Fate.REFUSED, "TikTok's answer has no token.")
    return GrantedToken(
        token=HiddenText(token),
        advertiser_ids=tuple(str(one) for one in ids) if isinstance(ids, list) else (),
        scope=str(answer.data.get("scope") or ""),
    )
