"""What TikTok says of an event is read whole, and kept, logged and shown without the person it repeats."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.conftest import Deliver
from tests.delivery.samples import OK, FakeClient, event_ids, fill, scripted, states
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, OutboxEvent, PixelStatus
from tiktok_attribution.monitoring.alerts import notify_all
from tiktok_attribution.signals import batch_attempted, pixel_stopped

pytestmark = [pytest.mark.privacy, pytest.mark.hostile, pytest.mark.django_db(transaction=True)]

SOURCE = Path(__file__).parents[2] / "tiktok_attribution"
MARKS = ("marked.person", "81.2.69.142", "5e" * 32, "E.C.P.markedclick", "/clinic/", "15112345678")
ECHO = (
    'marked.person@example.com, "+4915112345678", 81.2.69.142, ' + "5e" * 32 + ", ttclid E.C.P.markedclick, "
    "https://shop.example/clinic/?a=1 refused"
)


def answer(code: int, before: str = "", *, status: int = 200) -> Answer:
    return Answer(http_status=status, code=code, message=f"{before}{ECHO}")


def everything(caplog: pytest.LogCaptureFixture) -> str:
    rows = [
        *OutboxEvent.objects.values_list("note", flat=True),
        *Attempt.objects.values(),
        *PixelStatus.objects.values(),
    ]
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("django.db")]
    return json.dumps(rows, default=str) + "\n".join(ours)


@pytest.mark.parametrize("code", [0, 20001, 40002, 40050, 40061, 40100, 40105, 50000, 60001])
@pytest.mark.parametrize("count", [1, 3])
def test_no_answer_leaves_a_person_anywhere(
    code: int, count: int, client: FakeClient, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard: list[str] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs["attempt"].message if "attempt" in kwargs else kwargs["pixel"].message)

    batch_attempted.connect(hear)
    pixel_stopped.connect(hear)
    client.answer = lambda body: answer(code)
    fill(count)
    deliver()
    notify_all()
    text = everything(caplog) + "".join(heard)
    assert client.bodies
    for mark in MARKS:
        assert mark not in text


@pytest.mark.parametrize("named", ["Batch.1.user.email: ", "data[1] "])
def test_the_bad_event_is_found_all_the_same(named: str, client: FakeClient, deliver: Deliver) -> None:
    """By TikTok's words as they came: the name of the event may stand behind what is cut out."""
    refusal = Answer(http_status=200, code=40002, message=f"{ECHO[:60]} {named}")
    client.answer = lambda body: refusal if "order-1" in event_ids(body) else OK
    fill(3)
    deliver()
    assert states() == {"delivered": 2, "rejected": 1}
    assert OutboxEvent.objects.get(state="rejected").event_id == "order-1"


def test_a_pixel_is_stopped_by_words_that_are_not_kept(client: FakeClient, deliver: Deliver) -> None:
    client.answer = scripted(answer(40002, "No permission to operate pixel of "))
    fill(1)
    deliver()
    status = PixelStatus.objects.get()
    assert status.stopped_at is not None
    assert status.message.startswith("No permission to operate pixel of ")


def test_no_module_but_the_judge_and_the_search_reads_the_words_as_they_came() -> None:
    """`Answer.words` is what may be kept or shown; `message` of something called an answer is for three modules."""
    reading = set()
    for path in SOURCE.rglob("*.py"):
        module = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "message" and "answer" in ast.unparse(node.value):
                reading.add(module)
    # The last two: what an answer means, without a word of it; and the stand-in, which makes answers.
    assert {one for one in reading if not one.startswith("testing/")} == {
        "delivery/responses.py",
        "delivery/lane_sender.py",
        "admin/explanations.py",
    }


def test_an_answers_repr_has_no_word_of_it() -> None:
    assert "marked" not in repr(answer(40002))
