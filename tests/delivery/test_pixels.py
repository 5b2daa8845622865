from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.delivery.conftest import Configure
from tests.delivery.samples import PIXEL, TOKEN
from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import PixelStatus
from tiktok_attribution.signals import pixel_resumed, pixel_stopped

pytestmark = pytest.mark.django_db

REVOKED = Answer(http_status=200, code=40105, message="Access token is incorrect or has been revoked.")


def token() -> str:
    return pixels.token_to_send_with("default", PIXEL)


def stop(answer: Answer = REVOKED) -> None:
    pixels.stop("default", PIXEL, answer, token=TOKEN)


@pytest.fixture
def heard() -> Any:
    """The signals that were sent, by name."""
    names: list[str] = []

    def stopped(sender: object, **kwargs: Any) -> None:
        names.append(f"stopped {kwargs['pixel'].message}")

    def resumed(sender: object, **kwargs: Any) -> None:
        names.append(f"resumed {kwargs['pixel'].pixel_code}")

    pixel_stopped.connect(stopped)
    pixel_resumed.connect(resumed)
    yield names
    pixel_stopped.disconnect(stopped)
    pixel_resumed.disconnect(resumed)


def test_a_pixel_that_nobody_stopped_may_send() -> None:
    assert token() == TOKEN


def test_a_stopped_pixel_may_not() -> None:
    stop()

    assert token() == ""


def test_it_keeps_the_words_of_the_answer() -> None:
    stop()
    status = PixelStatus.objects.get()

    assert (status.code, status.message) == (40105, REVOKED.message)


def test_an_answer_without_words_is_told_by_its_status() -> None:
    stop(Answer(http_status=403))

    assert PixelStatus.objects.get().message == "HTTP 403"


def test_one_stopped_pixel_leaves_another_alone(configure: Configure) -> None:
    stop()

    assert pixels.token_to_send_with("default", "ANOTHER") == TOKEN


def test_resuming_lets_it_send_again() -> None:
    stop()

    assert pixels.resume("default", PIXEL)
    assert token() == TOKEN


def test_resuming_what_runs_does_nothing() -> None:
    assert not pixels.resume("default", PIXEL)


def test_a_new_token_resumes_it(configure: Configure) -> None:
    stop()
    configure(ACCESS_TOKEN="another-token")

    assert token() == "another-token"
    assert PixelStatus.objects.get().stopped_at is None


def test_the_token_that_was_refused_counts_not_the_one_that_came_meanwhile(configure: Configure) -> None:
    configure(ACCESS_TOKEN="another-token")
    stop()  # TikTok's answer to a POST that went out with the token of before

    assert token() == "another-token"


def test_a_pixel_without_a_token_is_stopped_and_says_so(configure: Configure) -> None:
    configure(ACCESS_TOKEN="")

    assert token() == ""
    assert PixelStatus.objects.get().message == pixels.NO_TOKEN


def test_it_runs_once_there_is_a_token(configure: Configure) -> None:
    configure(ACCESS_TOKEN="")
    token()
    configure(ACCESS_TOKEN=TOKEN)

    assert token() == TOKEN


def test_a_token_of_its_own_is_used(configure: Configure) -> None:
    configure(ACCESS_TOKEN={PIXEL: "its-own"})

    assert token() == "its-own"


def test_a_callable_is_asked_once(configure: Configure) -> None:
    asked: list[str] = []

    def give(code: str) -> str:
        asked.append(code)
        return "called-token"

    configure(ACCESS_TOKEN=give)

    assert token() == "called-token"
    assert asked == [PIXEL]


def test_listeners_hear_of_it_once(heard: list[str]) -> None:
    stop()
    stop()
    pixels.resume("default", PIXEL)

    assert heard == [f"stopped {REVOKED.message}", f"resumed {PIXEL}"]


def test_a_listener_that_fails_does_no_harm() -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    pixel_stopped.connect(fail)
    try:
        stop()
    finally:
        pixel_stopped.disconnect(fail)

    assert token() == ""


@pytest.mark.privacy
def test_the_token_is_neither_stored_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stop()
    status = PixelStatus.objects.get()

    assert TOKEN not in caplog.text
    assert TOKEN not in str(vars(status))
