"""The builder of an ad's address: what it adds, keeps, replaces and refuses."""

from __future__ import annotations

from io import StringIO
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution import conf
from tiktok_attribution.attribution.link_builder import MACROS, PARAMETERS, InvalidAddress, tagged_address
from tiktok_attribution.events.page_url import clean_address

SHOP = "https://shop.example/new/"
ADDED = (
    "utm_source=tiktok&utm_medium=paid_social&utm_campaign=__CAMPAIGN_NAME__&utm_id=__CAMPAIGN_ID__"
    "&utm_content=__CID_NAME__&tt_adgroup=__AID__&tt_ad=__CID__&tt_ad_v2=__ADID_V2__&tt_placement=__PLACEMENT__"
)


@pytest.mark.parametrize(
    ("address", "tagged"),
    [
        (SHOP, f"{SHOP}?{ADDED}"),
        (f"  {SHOP}\n", f"{SHOP}?{ADDED}"),
        ("https://shop.example", f"https://shop.example/?{ADDED}"),
        (f"{SHOP}?", f"{SHOP}?{ADDED}"),
        (f"{SHOP}?colour=red&size=%C3%BC", f"{SHOP}?colour=red&size=%C3%BC&{ADDED}"),
        (f"{SHOP}?a=1&a=2&b", f"{SHOP}?a=1&a=2&b&{ADDED}"),
        (f"{SHOP}?next=a%26b", f"{SHOP}?next=a%26b&{ADDED}"),
        ("https://shop.example:8443/x", f"https://shop.example:8443/x?{ADDED}"),
        ("https://müller.example/ü", f"https://müller.example/ü?{ADDED}"),
        (f"{SHOP}?group=__AID_NAME__", f"{SHOP}?group=__AID_NAME__&{ADDED}"),
    ],
)
def test_the_parameters_come_after_those_that_are_there(address: str, tagged: str) -> None:
    assert tagged_address(address).address == tagged


def test_it_changes_nothing_that_it_made() -> None:
    once = tagged_address(f"{SHOP}?colour=red")
    again = tagged_address(once.address)
    assert (again.address, again.replaced) == (once.address, ())


def test_another_value_of_a_parameter_is_replaced_and_named() -> None:
    tagged = tagged_address(f"{SHOP}?utm_source=newsletter&x=1&utm_source=more&utm_campaign=__CAMPAIGN_NAME__")
    assert tagged.address == f"{SHOP}?x=1&{ADDED}"
    assert tagged.replaced == ("utm_source",)


def test_http_is_remarked_on() -> None:
    assert "https://" in tagged_address("http://shop.example/").remarks[0]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "Enter the address"),
        ("   ", "Enter the address"),
        ("shop.example/new", "must begin with https"),
        ("/new/", "must begin with https"),
        ("javascript:alert(1)", "must begin with https"),
        ("ftp://shop.example/", "must begin with https"),
        ("https://", "must begin with https"),
        ("https:///new", "must begin with https"),
        (f"{SHOP}#top", "after the #|follows it"),
        (f"{SHOP}?a=1#__CID__", "follows it"),
        (f"{SHOP}?click=__CLICKID__", "__CLICKID__"),
        (f"{SHOP}?click=%5F%5FCLICKID%5F%5F", "__CLICKID__"),
        (f"{SHOP}?ttclid=__CLICKID__", "ttclid"),
        (f"{SHOP}?ttclid=E.C.P.1", "ttclid"),
        (f"{SHOP}?ip=__IP__", "__IP__"),
        (f"{SHOP}?a=__IDFA__-__GAID__", "__IDFA__"),
        (f"{SHOP}?a=__campaign_id__", "in capitals"),
        ("https://shop.example/__CID__/", "after the “[?]”"),
        ("https://__CID__.example/", "after the “[?]”"),
        ("https://ann:secret@shop.example/", "password"),
        ("https://shop.example/a b", "a blank"),
        ("https://shop.example/\x00", "a blank"),
        ("https://shop.example/\ud800", "a blank"),
        ('https://shop.example/"><script>', "a blank"),
        ("https://shop.example:99999/", "no address"),
        ("https://[::1/", "no address"),
        ("https://a%2fb/", "no address"),
        (f"{SHOP}?a={'x' * 1990}", "too long"),
        (f"{SHOP}?a={'x' * 1800}", "too long"),
    ],
)
def test_what_can_be_no_landing_page_is_refused_with_its_reason(address: str, reason: str) -> None:
    with pytest.raises(InvalidAddress, match=reason):
        tagged_address(address)


def test_no_message_repeats_the_address() -> None:
    for address in ("https://ann:secret@shop.example/", "https://shop.example/ann@example.com x", "ann@example.com"):
        with pytest.raises(InvalidAddress) as caught:
            tagged_address(address)
        assert "ann" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_gives_an_address_or_a_reason(text: str) -> None:
    for address in (text, f"https://shop.example/{text}", f"https://shop.example/?{text}"):
        try:
            tagged = tagged_address(address).address
        except InvalidAddress:
            continue
        parts = urlsplit(tagged)
        assert parts.scheme in ("http", "https")
        assert not parts.fragment
        assert parse_qsl(parts.query)[-len(PARAMETERS) :] == list(PARAMETERS.items())


def test_only_documented_macros_are_added() -> None:
    assert {value for value in PARAMETERS.values() if value.startswith("_")} <= set(MACROS)


def test_its_parameters_stay_in_the_addresses_that_are_sent() -> None:
    address = tagged_address(SHOP).address
    assert clean_address(address, conf.Settings().allowed_parameters) == address


def test_the_command_prints_the_address_alone() -> None:
    out, error = StringIO(), StringIO()
    call_command("tiktok_link", f"{SHOP}?utm_source=x", stdout=out, stderr=error)
    assert out.getvalue() == f"{SHOP}?{ADDED}\n"
    assert "utm_source" in error.getvalue()
    assert "review" in error.getvalue()


def test_the_command_says_what_is_wrong() -> None:
    with pytest.raises(CommandError, match="#"):
        call_command("tiktok_link", f"{SHOP}#x")
