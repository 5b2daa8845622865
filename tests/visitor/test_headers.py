from __future__ import annotations

import pytest

from tiktok_attribution.visitor.request_data import locale, user_agent


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("en-US,en;q=0.9", "en-US"),
        ("de", "de"),
        (" fr ;q=1", "fr"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("*", ""),
        ("", ""),
        ("english", ""),
        ("-en", ""),
        ("en" + "-aaaaaaaa" * 500, "en" + "-aaaaaaaa" * 3),
    ],
)
def test_the_first_language_is_the_locale(header: str, found: str) -> None:
    assert locale(header) == found


def test_the_agent_is_one_bounded_line() -> None:
    assert user_agent("Agent/1\r\nX: y" + "z" * 2000) == ("Agent/1 X: y" + "z" * 2000)[:1000]


@pytest.mark.privacy
def test_a_robots_keeper_is_left_out_of_its_agent() -> None:
    assert user_agent("Robot/1 (+mailto:keeper@example.com)") == "Robot/1 (+mailto:-)"
