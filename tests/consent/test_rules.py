"""What cookies of consent tools say, and that nothing in them can raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.consent.strings import CASES, tc_string
from tiktok_attribution.consent.cookie_rules import SessionRule, rule_of
from tiktok_attribution.consent.tcf import TcfRule
from tiktok_attribution.consent.types import Consent, as_consent

pytestmark = pytest.mark.privacy

SPECS: list[dict[str, Any]] = [
    {"cookie": "c"},
    {"cookie": "c", "granted": "yes"},
    {"onetrust": "C0004"},
    {"cookiebot": "marketing"},
    {"consent_mode": "c"},
    {"tcf": {"vendor": 30}},
]


@pytest.mark.parametrize(("spec", "cookies", "answer"), CASES)
def test_a_cookie_is_read_as_its_tool_means_it(spec: Any, cookies: dict[str, str], answer: str) -> None:
    rule = rule_of(spec)
    assert not isinstance(rule, SessionRule)
    assert rule.read(cookies) == Consent(answer)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: next(iter(spec)))
@given(value=st.text(max_size=300))
def test_no_text_of_a_cookie_raises(spec: dict[str, Any], value: str) -> None:
    rule = rule_of(spec)
    assert not isinstance(rule, SessionRule)
    cookies = dict.fromkeys(["c", "OptanonConsent", "CookieConsent", "euconsent-v2"], value)
    assert rule.read(cookies) in Consent


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", max_size=80))
def test_no_consent_string_raises(tail: str) -> None:
    assert TcfRule(vendor=30).read({"euconsent-v2": "C" + tail}) in Consent


@given(st.integers(1, 60), st.sets(st.integers(1, 60), max_size=20))
def test_bit_field_and_ranges_say_the_same(vendor: int, vendors: set[int]) -> None:
    rule = TcfRule(vendor=vendor)
    field = tc_string(vendors=vendors)
    ranges = tc_string(ranges=[(one, one) for one in sorted(vendors)])
    assert rule.read({"euconsent-v2": field}) == rule.read({"euconsent-v2": ranges})
    assert (rule.read({"euconsent-v2": field}) is Consent.GRANTED) == (vendor in vendors)


def test_a_huge_cookie_is_no_answer() -> None:
    assert TcfRule(vendor=1).read({"euconsent-v2": "C" * 100_000}) is Consent.UNKNOWN


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, Consent.GRANTED),
        (False, Consent.DENIED),
        (None, Consent.UNKNOWN),
        ("granted", Consent.GRANTED),
        ("denied", Consent.DENIED),
        (Consent.GRANTED, Consent.GRANTED),
        (1, Consent.UNKNOWN),
        ("yes", Consent.UNKNOWN),
        ([], Consent.UNKNOWN),
    ],
)
def test_what_a_callable_says(said: object, meant: Consent) -> None:
    assert as_consent(said) is meant
