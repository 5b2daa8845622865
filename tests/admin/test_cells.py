from __future__ import annotations

import pytest

from tiktok_attribution.admin.formatting import event_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Purchase", "Purchase"),
        ("CompleteRegistration", "Complete<wbr>Registration"),
        ("AddToCart", "Add<wbr>To<wbr>Cart"),
        ("own event_2", "own event_2"),
        ("a<b>B", "a&lt;b&gt;B"),
        ("", ""),
    ],
)
def test_a_name_may_be_broken_between_its_words_only(name: str, shown: str) -> None:
    assert event_name(name) == shown
