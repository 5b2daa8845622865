"""The pixel's text: what data may do in it, and what the base code is given."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.browser.reading import calls, parsed
from tiktok_attribution.browser.inline_code import METHODS, base_code, identify_call, safe_json, track_call
from tiktok_attribution.events import BrowserCall

HOST = "https://analytics.tiktok.com"
NASTY = ["</script>", "<!--<script>", "]]>", "'\"", "\\", "\u2028\u2029", "\x00\x1f", "😀", "\ud800", "&lt;", "%(ids)s"]
texts = st.text(st.characters(codec=None)) | st.lists(st.sampled_from(NASTY), min_size=1).map("".join)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10)


def code(*pixels: str, host: str = HOST, history: bool = True, limited: bool = False) -> str:
    return base_code(pixels, host, history, "true" if limited else "")


@given(values)
@example("</script><script>alert(1)</script>")
def test_json_holds_nothing_that_html_or_script_could_act_on(value: Any) -> None:
    text = safe_json(value)
    assert text.isascii()
    assert re.search(r"[<>&'\x00-\x1f]", text) is None


@given(values)
def test_json_says_the_same_as_the_value(value: Any) -> None:
    assert json.loads(safe_json(value)) == json.loads(json.dumps(value))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_json_has_no_word_for_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        safe_json({"value": number})


@given(texts, st.dictionaries(texts, values), texts)
def test_a_track_call_stays_inside_its_script(name: str, properties: dict[str, Any], event_id: str) -> None:
    call = track_call(BrowserCall(name=name, properties=properties, event_id=event_id))
    page = parsed(f"<script>{call}</script>after")
    assert page.scripts == [call]
    assert page.others == ["after"]


@given(texts, st.dictionaries(texts, values), texts)
def test_a_track_call_carries_what_it_was_given(name: str, properties: dict[str, Any], event_id: str) -> None:
    call = BrowserCall(name=name, properties=properties, event_id=event_id)
    (read,) = calls(f"<script>{track_call(call)}</script>")
    options = {"event_id": event_id} if event_id else {}
    assert read.arguments == json.loads(json.dumps([name, properties, options]))


@given(st.dictionaries(texts, texts, min_size=1))
def test_an_identify_call_carries_what_it_was_given(keys: dict[str, str]) -> None:
    (read,) = calls(f"<script>{identify_call(keys)}</script>")
    assert read.arguments == [keys]


def test_identify_without_keys_is_no_call() -> None:
    assert identify_call({}) == ""


def test_the_event_id_is_in_the_third_argument_only() -> None:
    call = track_call(BrowserCall(name="Lead", properties={"value": 5}, event_id="lead-1"))
    assert call == 'ttq.track("Lead",{"value":5},{"event_id":"lead-1"});'


def test_single_pixels_are_called_one_by_one() -> None:
    call = track_call(BrowserCall(name="Lead", properties={}, event_id="l"), ["C0A", "C0B"])
    one, other = (f'ttq.instance("{pixel}").track("Lead",{{}},{{"event_id":"l"}});' for pixel in ("C0A", "C0B"))
    assert call == one + other


@given(texts, texts)
def test_base_code_stays_inside_its_script(pixel: str, host: str) -> None:
    text = code(pixel, host=host)
    assert parsed(f"<script>{text}</script>").scripts == [text]


def test_base_code_of_no_pixel_is_nothing() -> None:
    assert code() == ""


@pytest.mark.parametrize(
    ("history", "limited", "options"),
    [
        (True, False, "{}"),
        (False, False, '{"historyObserver":false}'),
        (True, True, '{"limited_data_use":true}'),
        (False, True, '{"historyObserver":false,"limited_data_use":true}'),
    ],
)
def test_options_are_named_only_where_they_differ_from_tiktoks(history: bool, limited: bool, options: str) -> None:
    text = code("C0A", history=history, limited=limited)
    assert text.endswith(f'(window, document, "ttq", ["C0A"], {options}, "{HOST}");')


def test_the_stub_knows_every_method_in_tiktoks_order() -> None:
    assert f"ttq.methods = {safe_json(METHODS)};" in code("C0A")
    assert METHODS[:3] == ("page", "track", "identify")
    assert METHODS[-3:] == ("holdConsent", "revokeConsent", "grantConsent")
    assert len(METHODS) == 16
