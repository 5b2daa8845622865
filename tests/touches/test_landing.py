"""What the address of a landing says: the table of cases, ids wherever they stand, and texts that are cleaned."""

from __future__ import annotations

from typing import Any

import pytest

from tiktok_attribution.touches.landing import MOST_PARAMETERS, MOST_TEXT, OTHER_CLICK_IDS, Landing, read_landing

CAMPAIGN, ADGROUP, AD, CREATIVE = (f"17012345678901234{number:02}" for number in (1, 2, 3, 4))
FROM_TIKTOK = {"referrer_host": "www.tiktok.com", "own_hosts": ("shop.example",)}
BUILT = (
    f"utm_source=tiktok&utm_medium=paid_social&utm_campaign=Spring&utm_id={CAMPAIGN}&utm_content=Video+1"
    f"&tt_adgroup={ADGROUP}&tt_ad={AD}&tt_ad_v2=__ADID_V2__&tt_placement=TikTok&ttclid=E.C.P.x"
)


def read(query: str, **more: Any) -> Landing:
    return read_landing(query, **{**FROM_TIKTOK, **more})


@pytest.mark.parametrize(
    ("query", "traffic"),
    [
        ("ttclid=E.C.P.x", "paid"),
        ("ttclid=E.C.P.x&utm_source=google", "paid"),
        ("utm_source=TikTok&utm_medium=Paid", "paid"),
        ("utm_source=TIKTOK&utm_medium=CPC", "paid"),
        ("utm_source=tik_tok&utm_medium=paid_social", "paid"),
        ("utm_source=tiktok.com&utm_medium=social-paid", "paid"),
        ("utm_source=TikTokAds&utm_medium=ppc", "paid"),
        ("utm_source=tiktok", "organic"),
        ("utm_source=tiktok&utm_medium=social", "organic"),
        ("utm_source=tiktok&utm_medium=unpaid", "organic"),
        ("utm_source=tiktokers&utm_medium=paid", None),
        ("utm_source=google&utm_medium=cpc", None),
        ("utm_campaign=tiktok", None),
        ("ttclid=__CLICKID__", None),
        ("ttclid=", None),
        ("ttclid=a%0d%0ab", None),
        ("ttclid=jane@example.com", None),
        ("ttclid=" + "a" * 1001, None),
        ("xttclid=1", None),
        ("", None),
    ],
)
def test_what_brought_the_visitor(query: str, traffic: str | None) -> None:
    assert read(query).traffic == traffic


def test_other_tagged_landings_only_where_the_site_wants_them() -> None:
    for query in ("utm_source=news&utm_campaign=May", "gclid=x"):
        assert read(query).traffic is None
        assert read(query, other_channels=True).traffic == "other"
    assert read("utm_source=news&utm_campaign=May", other_channels=True).campaign_name == "May"
    assert read("color=red", other_channels=True).traffic is None


@pytest.mark.parametrize(
    ("where", "counts"),
    [
        ({"referrer_host": "www.tiktok.com"}, True),
        ({"referrer_host": "SHOP.example"}, False),
        ({"referrer_host": ""}, False),
        ({"referrer_host": "", "is_from_elsewhere": True}, True),
        ({"referrer_host": "pay.shop.example", "own_hosts": ("shop.example",)}, True),
        ({"referrer_host": "pay.shop.example", "own_hosts": (".shop.example",)}, False),
        ({"referrer_host": "notshop.example", "own_hosts": (".shop.example",)}, True),
    ],
)
def test_utm_alone_counts_only_from_another_host(where: dict[str, Any], counts: bool) -> None:
    assert (read("utm_source=tiktok&utm_medium=paid", **where).traffic == "paid") == counts
    assert read("utm_source=tiktok&utm_medium=paid&ttclid=x", **where).traffic == "paid"


def test_the_builders_address_names_everything() -> None:
    landing = read(BUILT)
    assert (landing.campaign_id, landing.campaign_name) == (CAMPAIGN, "Spring")
    assert (landing.adgroup_id, landing.adgroup_name) == (ADGROUP, "")
    assert (landing.ad_id, landing.ad_name) == (AD, "Video 1")
    assert (landing.creative_id, landing.placement, landing.click_id) == ("", "TikTok", "E.C.P.x")
    assert landing.macros == 0  # only Upgraded Smart+ fills tt_ad_v2


def test_in_smart_campaigns_the_other_macro_names_the_ad() -> None:
    landing = read(BUILT.replace("__ADID_V2__", CREATIVE))
    assert (landing.ad_id, landing.creative_id, landing.creative_name) == (CREATIVE, AD, "Video 1")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"utm_campaign={CAMPAIGN}", {"campaign_id": CAMPAIGN, "campaign_name": ""}),
        (f"utm_id={CAMPAIGN}&utm_campaign=Spring", {"campaign_id": CAMPAIGN, "campaign_name": "Spring"}),
        (f"utm_id=Spring&utm_campaign={CAMPAIGN}", {"campaign_id": CAMPAIGN, "campaign_name": "Spring"}),
        (f"utm_content={AD}", {"ad_id": AD, "ad_name": ""}),
        (f"utm_term={ADGROUP}", {"adgroup_id": ADGROUP}),
        ("utm_term=Women+18-24", {"adgroup_name": "Women 18-24"}),
        ("utm_campaign=12345", {"campaign_id": "", "campaign_name": "12345"}),
        ("utm_campaign=" + "1" * 21, {"campaign_id": "", "campaign_name": "1" * 21}),
        (f"ttadid={AD}&utm_content=Video", {"ad_id": AD, "ad_name": "Video"}),
        (f"where=Pangle&tt_placement={CAMPAIGN}", {"placement": "Pangle"}),
    ],
)
def test_ids_and_names_are_taken_from_wherever_they_stand(query: str, found: dict[str, str]) -> None:
    landing = read(f"ttclid=x&{query}", parameters={"ad": ("ttadid",), "placement": ("where",)})
    assert {name: getattr(landing, name) for name in found} == found


@pytest.mark.parametrize(
    ("query", "macros"),
    [
        ("ttclid=__CLICKID__", 1),
        ("ttclid=x&utm_campaign=__CAMPAIGN_NAME__&utm_id=__CAMPAIGN_ID__", 2),
        ("ttclid=x&utm_campaign=_CAMPAIGN_NAME_", 1),
        ("ttclid=x&utm_campaign=Spring+__CID__", 1),
        ("ttclid=x&utm_campaign=__campaign_name__", 1),
        ("ttclid=x&tt_ad_v2=__ADID_V2__", 0),
        ("ttclid=x&utm_campaign=spring_sale", 0),
        ("ttclid=x&utm_campaign=_", 0),
        ("ttclid=x&color=__CID__", 0),
    ],
)
def test_macros_that_were_not_filled_are_left_out_and_counted(query: str, macros: int) -> None:
    landing = read(query)
    assert landing.macros == macros
    if macros:
        assert (landing.campaign_name, landing.utm_campaign, landing.campaign_id) == ("", "", "")


@pytest.mark.privacy
@pytest.mark.hostile
@pytest.mark.parametrize(
    "text",
    [
        "jane@example.com",
        "jane%40example.com",
        "jane%2540example.com",
        "for+jane@example.com,+in+May",
        "%2B49+151+12345678",
        "0171+1234567890",
        "x" * 240 + "jane@example.com",
        "x" * 560 + "jane@example.com",
        "%78" * 245 + "jane@example.com",
    ],
)
@pytest.mark.parametrize("key", ["utm_source", "utm_campaign", "utm_content", "utm_term", "tt_placement"])
def test_no_address_and_no_number_of_a_person_stays(key: str, text: str) -> None:
    landing = read(f"ttclid=x&{key}={text}", other_channels=True)
    for part in ("jane", "12345", "example.com"):
        assert part not in repr(landing)


def test_values_are_cut() -> None:
    landing = read(f"ttclid=x&utm_campaign={'a' * 400}", path="/" + "b" * 400)
    assert (len(landing.utm_campaign), len(landing.landing_path)) == (MOST_TEXT, MOST_TEXT)


def test_the_last_of_a_repeated_parameter_counts() -> None:
    assert read("ttclid=a&utm_campaign=A&utm_campaign=&ttclid=b&utm_campaign=B").utm_campaign == "B"
    assert read("ttclid=a&ttclid=b").click_id == "b"


@pytest.mark.hostile
def test_what_is_beyond_the_bounds_is_not_read() -> None:
    assert read("a=1&" * MOST_PARAMETERS + "ttclid=x").traffic is None
    assert read(f"a={'b' * 4096}&ttclid=x").traffic is None
    assert read(f"ttclid=x&utm_campaign={'c' * 5000}").utm_campaign == ""  # cut in two, and so left out


def test_control_characters_and_half_characters_are_no_text() -> None:
    landing = read("ttclid=x&utm_campaign=a%00b%0ac&utm_content=%ED%A0%80")
    assert landing.utm_campaign == "a b c"
    landing.utm_content.encode()


def test_the_middleware_sees_every_click_id_by_its_end() -> None:
    assert all(one.endswith("id") for one in OTHER_CLICK_IDS)
