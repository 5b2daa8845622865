from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiktok_attribution.events.page_url import MAX_LENGTH, MOST_READ, clean_address, decoded

ALLOWED = ("ttclid", "utm_*")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/p/1", "https://shop.example/p/1"),
        ("HTTPS://Shop.example:8443/", "https://Shop.example:8443/"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/a%20b/%C3%BC", "https://shop.example/a%20b/%C3%BC"),
        ("https://shop.example/a b", "https://shop.example/a%20b"),
        ("https://shop.example/p#jane", "https://shop.example/p"),
        ("https://jane:secret@shop.example/p", "https://shop.example/p"),
        ("https://shop.example/p\r\n?ttclid=a\x00b", "https://shop.example/p?ttclid=ab"),
    ],
)
def test_an_address_keeps_scheme_host_and_path(url: str, expected: str) -> None:
    assert clean_address(url, ALLOWED) == expected


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("ttclid=E.C.P.x%2By&utm_source=tiktok", "?ttclid=E.C.P.x%2By&utm_source=tiktok"),
        ("utm_b=1&name=Jane&utm_a=2", "?utm_b=1&utm_a=2"),
        ("name=Jane", ""),
        ("TTCLID=x", ""),
        ("utm_content=", "?utm_content="),
        ("ttclid", "?ttclid"),
        ("utm_source=a;phone=123", "?utm_source=a"),
        ("utm%5Fsource=a", "?utm%5Fsource=a"),
        ("utm_content=jane@example.com&ttclid=x", "?ttclid=x"),
        ("utm_content=jane%2540example.com&ttclid=x", "?ttclid=x"),
        ("&&", ""),
    ],
)
def test_only_allowed_parameters_stay_as_they_were_written(query: str, kept: str) -> None:
    assert clean_address(f"https://shop.example/?{query}", ALLOWED) == f"https://shop.example/{kept}"


def test_nothing_allowed_is_no_query() -> None:
    assert clean_address("https://shop.example/?ttclid=x", ()) == "https://shop.example/"


@pytest.mark.privacy
@pytest.mark.parametrize("segment", ["jane@example.com", "jane%40example.com", "jane%2540example.com"])
def test_a_path_segment_with_an_at_sign_is_replaced(segment: str) -> None:
    assert clean_address(f"https://shop.example/u/{segment}/edit", ALLOWED) == "https://shop.example/u/-/edit"


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        b"https://shop.example/",
        "shop.example/p",
        "//shop.example/p",
        "/p",
        "javascript:alert(1)",
        "android-app://com.example",
        "file:///etc/passwd",
        "https://",
        "https:///p",
        "https://[::1/p",
        "https://shop.example:port/p",
        "https://jane@/p",
        "https://a\\b.example/",
        "https://<b>.example/",
    ],
)
def test_what_is_no_web_address_is_left_out(url: object) -> None:
    assert clean_address(url, ALLOWED) == ""


def test_a_long_address_whose_junk_is_dropped_keeps_its_click_id() -> None:
    url = f"https://shop.example/p?junk={'x' * 3000}&ttclid=y"
    assert clean_address(url, ALLOWED) == "https://shop.example/p?ttclid=y"


def test_an_address_that_stays_too_long_loses_its_query() -> None:
    assert clean_address(f"https://shop.example/p?ttclid={'x' * 3000}", ALLOWED) == "https://shop.example/p"


def test_a_path_that_is_too_long_is_cut_without_half_an_escape() -> None:
    cut = clean_address(f"https://shop.example/{'%C3%BC' * 500}?ttclid=x", ALLOWED)
    assert MAX_LENGTH - 3 < len(cut) <= MAX_LENGTH
    assert cut.endswith(("%C3", "%BC"))


PARAMETERS = st.lists(st.tuples(st.text(min_size=1), st.text()))


@pytest.mark.privacy
@given(
    text=st.text("abc:/?&;=#@%24 0[]._", max_size=60) | st.text(max_size=60),
    prefix=st.sampled_from(["", "https://", "https://shop.example/", "https://shop.example/?utm_a=1&"]),
)
@example(text="[@]", prefix="https://")
@example(text="[a]@]", prefix="https://")
def test_no_parameter_passes_that_is_not_on_the_list(text: str, prefix: str) -> None:
    cleaned = clean_address(prefix + text, ALLOWED)
    for separator in "&;":
        for name, _ in parse_qsl(urlsplit(cleaned).query, keep_blank_values=True, separator=separator):
            assert any(fnmatchcase(name, allowed) for allowed in ALLOWED)


@pytest.mark.privacy
@given(text=st.text("ab:/?&=#@%40 .", max_size=60))
def test_no_user_and_no_fragment_passes(text: str) -> None:
    parts = urlsplit(clean_address(f"https://{text}", ALLOWED))
    assert "@" not in parts.netloc + parts.path
    assert parts.fragment == ""


@given(
    st.text(st.sampled_from("%25Cc3Ff0Aa4eE+ /ü"))
    | st.lists(st.binary()).map(lambda runs: "".join(map(_escaped, runs)))
)
def test_escapes_are_decoded_as_the_standard_library_does(text: str) -> None:
    assert decoded(text) == unquote(text)


def _escaped(data: bytes) -> str:
    return "".join(f"%{byte:02x}" for byte in data) + "a"


def test_blanks_count_as_the_three_characters_that_they_become() -> None:
    words = "https://shop.example/t/" + "a " * (MOST_READ // 3)
    assert clean_address(words, ALLOWED) == "https://shop.example/t/"
