"""TC strings, made bit by bit as the framework's text describes them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence


def tc_string(
    purposes: Iterable[int] = (1, 3, 4, 7),
    vendors: Iterable[int] = (),
    *,
    ranges: Sequence[tuple[int, int]] | None = None,
    version: int = 2,
) -> str:
    """A core segment: vendors as a bit field, or as `ranges` (first, last)."""
    vendors = set(vendors)
    agreed = set(purposes)
    bits = f"{version:06b}" + "0" * 146
    bits += "".join("1" if one in agreed else "0" for one in range(1, 25))
    bits += "0" * 24 + "0" + "0" * 12
    if ranges is None:
        most = max(vendors, default=0)
        bits += f"{most:016b}0" + "".join("1" if one in vendors else "0" for one in range(1, most + 1))
    else:
        bits += f"{max((last for _, last in ranges), default=0):016b}1{len(ranges):012b}"
        for first, last in ranges:
            bits += f"0{first:016b}" if first == last else f"1{first:016b}{last:016b}"
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


CASES: list[tuple[object, dict[str, str], str]] = [
    # spec, cookies, answer
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {}, "unknown"),
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {"ads": "yes"}, "granted"),
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {"ads": "no"}, "denied"),
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {"ads": "maybe"}, "unknown"),
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {"ads": "yes%0A"}, "unknown"),
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {"ads": "%zz"}, "unknown"),
    ({"cookie": "ads", "granted": "yes", "denied": "no"}, {"ads": "%ff"}, "unknown"),
    ({"cookie": "ads", "granted": ["1", "a.b"]}, {"ads": "axb"}, "denied"),
    ({"cookie": "ads", "granted": ["1", "a.b"]}, {"ads": "a.b"}, "granted"),
    ({"cookie": "tiktok_consent"}, {"tiktok_consent": "granted"}, "granted"),
    ({"cookie": "tiktok_consent"}, {"tiktok_consent": "denied"}, "denied"),
    ({"cookie": "tiktok_consent"}, {"tiktok_consent": "Granted"}, "unknown"),
    ({"onetrust": "C0004"}, {"OptanonConsent": "v=1&groups=C0001%3A1%2CC0004%3A1&x=y"}, "granted"),
    ({"onetrust": "C0004"}, {"OptanonConsent": "groups=C0004%3A0"}, "unknown"),
    ({"onetrust": "C0004"}, {"OptanonConsent": "groups=C0004%3A0", "OptanonAlertBoxClosed": "2026"}, "denied"),
    ({"onetrust": "C0004"}, {"OptanonConsent": "groups=C00041%3A1,XC0004%3A1"}, "unknown"),
    ({"onetrust": "C0004"}, {"OptanonConsent": "notgroups=C0004%3A1"}, "unknown"),
    ({"onetrust": "C0004"}, {"OptanonConsent": "&groups=C0004:11"}, "unknown"),
    ({"cookiebot": "marketing"}, {"CookieConsent": "-1"}, "granted"),
    ({"cookiebot": "marketing"}, {"CookieConsent": "0"}, "unknown"),
    ({"cookiebot": "marketing"}, {"CookieConsent": "{stamp:%27x%27%2Cmarketing:true%2Cver:1}"}, "granted"),
    ({"cookiebot": "marketing"}, {"CookieConsent": "{stamp:%27x%27%2Cmarketing:false%2Cver:1}"}, "denied"),
    ({"cookiebot": "marketing"}, {"CookieConsent": "{nomarketing:true"}, "unknown"),
    ({"consent_mode": "gcm"}, {"gcm": '{"ad_storage":"granted"}'.replace('"', "%22")}, "granted"),
    ({"consent_mode": "gcm"}, {"gcm": "ad_storage=denied|analytics_storage=granted"}, "denied"),
    ({"consent_mode": "gcm"}, {"gcm": "ad_storage:granted"}, "granted"),
    ({"consent_mode": "gcm"}, {"gcm": "G111"}, "granted"),
    ({"consent_mode": "gcm"}, {"gcm": "G101"}, "denied"),
    ({"consent_mode": "gcm"}, {"gcm": "G1-1"}, "unknown"),
    ({"consent_mode": "gcm"}, {"gcm": "bad_storage:granted"}, "unknown"),
    ({"consent_mode": "gcm"}, {"gcm": "analytics_storage:granted"}, "unknown"),
    ({"tcf": {"vendor": 30}}, {}, "unknown"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(vendors=[2, 30])}, "granted"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(vendors=[2, 30]) + ".IFoEUQQgAIQwgI"}, "granted"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(vendors=[2, 31])}, "denied"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(vendors=[2])}, "denied"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string([1, 3, 4], vendors=[30])}, "denied"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(ranges=[(2, 2), (20, 40)])}, "granted"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(ranges=[(2, 2), (30, 30)])}, "granted"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(ranges=[(2, 5), (31, 40)])}, "denied"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(vendors=[30], version=1)}, "unknown"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(vendors=[30])[:36]}, "unknown"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": tc_string(ranges=[(2, 5), (20, 40)])[:44]}, "unknown"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": "C@!"}, "unknown"),
    ({"tcf": {"vendor": 30}}, {"euconsent-v2": "CA"}, "unknown"),
    ({"tcf": {"vendor": None}}, {"euconsent-v2": tc_string()}, "granted"),
    ({"tcf": {"vendor": None, "purposes": [2]}}, {"euconsent-v2": tc_string()}, "denied"),
    ({"tcf": {"vendor": 1, "cookie": "tc"}}, {"tc": tc_string(vendors=[1])}, "granted"),
]
"""Read by Python and by the page's script: the answers must be the same."""
