from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.delivery.conftest import Configure
from tiktok_attribution.delivery.wakeup import WakeUps


class Published:
    """What was published, and how long to wait for it."""

    def __init__(self, fail: Callable[[], None] = lambda: None) -> None:
        self.works: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self.fail = fail

    def __call__(self, pixel_code: str, using: str) -> None:
        with self.changed:
            self.works.append((pixel_code, using))
            self.changed.notify_all()
        self.fail()

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(condition, 5)


@pytest.fixture(autouse=True)
def _quick(configure: Configure) -> None:
    configure(WAKEUP_SECONDS=0.05)


def test_work_is_published() -> None:
    published = Published()
    WakeUps(published).wake("A", "default")

    assert published.wait_for(lambda: published.works == [("A", "default")])


def test_work_that_comes_later_is_published_too() -> None:
    published = Published()
    wake_ups = WakeUps(published)
    wake_ups.wake("A", "default")
    published.wait_for(lambda: len(published.works) == 1)
    wake_ups.wake("A", "default")

    assert published.wait_for(lambda: len(published.works) == 2)


def test_a_thousand_announcements_are_a_few_publications(configure: Configure) -> None:
    configure(WAKEUP_SECONDS=0.3)
    published = Published()
    wake_ups = WakeUps(published)
    for _ in range(1000):
        wake_ups.wake("A", "default")
    published.wait_for(lambda: len(published.works) >= 2)
    time.sleep(0.4)

    assert 1 <= len(published.works) <= 3


def test_each_pixel_and_database_is_published() -> None:
    published = Published()
    wake_ups = WakeUps(published)
    works = {("A", "default"), ("B", "default"), ("A", "other")}
    for work in works:
        wake_ups.wake(*work)

    assert published.wait_for(lambda: set(published.works) == works)


def test_announcing_does_not_wait_for_the_publishing() -> None:
    held = threading.Event()
    published = Published(lambda: held.wait(30) and None)
    wake_ups = WakeUps(published)
    wake_ups.wake("A", "default")
    published.wait_for(lambda: len(published.works) == 1)
    started = time.monotonic()
    for number in range(1000):
        wake_ups.wake(f"P{number}", "default")
    took = time.monotonic() - started
    held.set()

    assert took < 10


def test_a_failed_publication_is_logged_without_its_text_and_the_next_one_tried(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiktok_attribution.delivery.wakeup.REST_SECONDS", 0.01)

    def fail() -> None:
        raise ConnectionError("redis://:secret@127.0.0.1")

    published = Published(fail)
    wake_ups = WakeUps(published)
    wake_ups.wake("A", "default")
    published.wait_for(lambda: len(published.works) == 1)
    wake_ups.wake("A", "default")

    assert published.wait_for(lambda: len(published.works) == 2)
    assert "the broker accepts no wake-ups (ConnectionError)" in caplog.text
    assert "secret" not in caplog.text


def test_one_thread_does_it_all_and_holds_no_process() -> None:
    wake_ups = WakeUps(Published())
    before = threading.active_count()
    for _ in range(100):
        wake_ups.wake("A", "default")
    own = [thread for thread in threading.enumerate() if thread is wake_ups._thread]

    assert threading.active_count() <= before + 1
    assert [thread.daemon for thread in own] == [True]


def test_a_broker_that_stays_away_is_told_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_attribution.delivery.wakeup.REST_SECONDS", 0.01)
    tried = Published()

    def fail(pixel_code: str, using: str) -> None:
        tried(pixel_code, using)
        raise ConnectionError

    wake_ups = WakeUps(fail)
    for number in range(3):
        wake_ups.wake(f"PIXEL{number}", "default")
        assert tried.wait_for(lambda: len(tried.works) == number + 1)  # noqa: B023 -- waited for at once

    assert caplog.text.count("the broker accepts no wake-ups") == 1


def test_work_will_be_published_from_its_announcement_on(configure: Configure) -> None:
    configure(WAKEUP_SECONDS=0.3)
    published = Published()
    wake_ups = WakeUps(published)
    before = wake_ups.will_publish("A", "default")
    wake_ups.wake("A", "default")
    published.wait_for(lambda: len(published.works) == 1)
    done = wake_ups.will_publish("A", "default")
    wake_ups.wake("A", "default")  # while it rests

    assert (before, done) == (False, False)
    assert wake_ups.will_publish("A", "default")
    assert not wake_ups.will_publish("B", "default")


def test_where_no_thread_can_be_started_nothing_will_be_published(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    wake_ups = WakeUps(Published())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        wake_ups.wake("A", "default")

    assert not wake_ups.will_publish("A", "default")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_thread_that_has_ended_left_behind_is_announced_again() -> None:
    class Ended(BaseException):
        pass

    def end() -> None:
        wake_ups.wake("A", "default")  # while the thread is at work: the next round's
        raise Ended

    published = Published(end)
    wake_ups = WakeUps(published)
    wake_ups.wake("B", "default")
    assert wake_ups._thread is not None
    wake_ups._thread.join(10)

    assert not wake_ups.will_publish("A", "default")
