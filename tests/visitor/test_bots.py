"""Who is told to nobody for being a machine: our short list, and the one that is kept by others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import crawleruseragents
import pytest
from django.test import RequestFactory

from tiktok_attribution.consent.types import Reason
from tiktok_attribution.visitor import permission
from tiktok_attribution.visitor.permission import decide

KEPT_BY_OTHERS = "crawleruseragents.is_crawler"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
PEOPLE = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {APPLE} Version/18.5 Mobile/15E148 Safari/604.1",
    # TikTok's own browser, in which its ads open.
    f"{ANDROID} Chrome/139.0.0.0 Mobile Safari/537.36 trill_2023901030 AppName/musical_ly BytedanceWebview/d8a",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) {APPLE} musical_ly_35.1.0 BytedanceWebview",
    f"{ANDROID} Chrome/139.0.0.0 Mobile Safari/537.36 Instagram 380.0.0.0 Android",
]
MACHINES = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; TikTokSpider; ttspider-feedback@tiktok.com)",
    "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
]


PHONES = [
    line
    for line in (Path(__file__).parent / "data" / "phones_and_tablets.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def reason(settings: Any, agent: str, bots: Any) -> Reason | None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "BOTS": bots}
    return decide(RequestFactory().get("/", HTTP_USER_AGENT=agent)).reason


@pytest.mark.parametrize("bots", [True, KEPT_BY_OTHERS])
@pytest.mark.parametrize("agent", PEOPLE)
def test_people_are_no_machines(agent: str, bots: Any, settings: Any) -> None:
    assert reason(settings, agent, bots) is None


@pytest.mark.parametrize("bots", [True, KEPT_BY_OTHERS])
@pytest.mark.parametrize("agent", MACHINES)
def test_machines_that_say_so_are_told_to_nobody(agent: str, bots: Any, settings: Any) -> None:
    assert reason(settings, agent, bots) is Reason.BOT


def test_the_short_list_can_be_switched_off(settings: Any) -> None:
    assert reason(settings, MACHINES[0], False) is None


def test_a_long_list_is_asked_once_for_an_agent(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(crawleruseragents, "is_crawler", asked.append)
    for _ in range(3):
        reason(settings, "Mozilla/5.0 somebody", KEPT_BY_OTHERS)
    assert asked == ["Mozilla/5.0 somebody"]


def test_the_short_list_is_asked_once_for_an_agent(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(permission, "_says_so", asked.append)
    for _ in range(3):
        reason(settings, "Mozilla/5.0 somebody else", True)
    assert asked == ["Mozilla/5.0 somebody else"]


def test_no_phone_or_tablet_of_a_list_that_others_keep_is_a_bot() -> None:
    assert len(PHONES) > 1000
    assert [agent for agent in PHONES if permission._says_so(agent)] == []


@pytest.mark.parametrize("model", ["CUBOT X18", "cubot echo", "S222 Build/CUBOT", "M BOT 551 Build/MRA58K", "Spider 8"])
def test_a_device_that_is_named_like_a_bot_is_a_persons(model: str, settings: Any) -> None:
    agent = f"Mozilla/5.0 (Linux; U; Android 7.0; {model}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0 Mobile"
    assert reason(settings, agent, True) is None
    assert reason(settings, f"{agent} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True) is Reason.BOT


@pytest.mark.parametrize("part", ["Storebot-Google/1.0", "SemrushBot/7", "compatible; a bot"])
def test_a_bot_that_says_so_beside_its_device_is_a_bot(part: str, settings: Any) -> None:
    agent = f"Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3; {part}) AppleWebKit/537.36 Chrome/81.0 Safari/537.36"
    assert reason(settings, agent, True) is Reason.BOT


def test_most_bots_of_a_list_that_others_keep_are_recognised() -> None:
    # The rest are tools and libraries, and names that no pattern of ours knows: 1,205 of 2,123 in October 2026.
    agents = [agent for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]]
    assert sum(map(permission._says_so, agents)) > 0.55 * len(agents)
