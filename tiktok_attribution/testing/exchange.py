"""Handle one request to the stand-in, apart from its HTTP: rules, faults, ledger and notes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tiktok_attribution.testing.arrivals import Channel
from tiktok_attribution.testing.faults import OK, Answer, Faults, Hit, RefusedError
from tiktok_attribution.testing.ledger import Ledger
from tiktok_attribution.testing.marketing import Marketing
from tiktok_attribution.testing.notes import AnswerGiven, Notes
from tiktok_attribution.testing.pixel_rules import read_call
from tiktok_attribution.testing.remarks import Remark
from tiktok_attribution.testing.rules import Accepted, Request, Rules, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer and the manner in which it is given. With `cut` the connection is reset instead, after the wait."""

    answer: Answer
    request_id: str
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The state and rules of the stand-in, which all its threads share."""

    rules: Rules
    ledger: Ledger
    faults: Faults
    notes: Notes
    marketing: Marketing = field(default_factory=Marketing)

    def events_api(self, token: str | None, raw: bytes) -> Reply:
        """Handle one POST to the Events API."""
        request = Request.read(token, raw)
        request_id = new_request_id(self.ledger.clock())
        hit = self.faults.take(request.pixel, request.event_ids)
        answer = OK
        if hit is None or hit.accepts:
            answer = self._take_in(request, request_id, hit)
        reply = Reply(answer=answer, request_id=request_id)
        if hit is not None and not (hit.fault.name == "partial_ok" and answer is not OK):
            reply = _spoilt(reply, hit, request.pixel)
        self._note("server", reply, request.pixel, len(request.rows), hit)
        return reply

    def pixel(self, raw: bytes, *, user_agent: str, ip: str) -> Reply:
        """Handle one call of the stand-in's events.js."""
        request_id = new_request_id(self.ledger.clock())
        pixel, answer = "", OK
        try:
            call = read_call(raw, known_pixels=self.rules.tokens, user_agent=user_agent, ip=ip)
        except RefusedError as refused:
            answer = refused.answer
        else:
            pixel = call.pixel
            self._remark("browser", call.remarks)
            if call.body is not None:
                self.ledger.record("browser", pixel, [call.body], request_id=request_id)
        reply = Reply(answer=answer, request_id=request_id)
        if answer is not OK:
            self._note("browser", reply, pixel, 0, None)
        return reply

    def script(self, pixel: str) -> None:
        """Note a request for events.js."""
        self.notes.script_loaded(pixel)
        if not pixel:
            self._remark("browser", [Remark(text="events.js was asked for without a pixel code (sdkid)")])

    def reset(self) -> None:
        """Forget all arrivals, answers and accounts, and clear the faults."""
        self.ledger.reset()
        self.notes.clear()
        self.faults.clear()
        self.marketing.reset()

    def _take_in(self, request: Request, request_id: str, hit: Hit | None) -> Answer:
        try:
            accepted = judge(request, self.rules, now=self.ledger.clock())
        except RefusedError as refused:
            return refused.answer
        self.ledger.record(
            "server",
            accepted.pixel,
            _without_left_out(accepted, hit),
            test_event_code=accepted.test_event_code,
            request_id=request_id,
        )
        self._remark("server", accepted.remarks)
        return OK

    def _remark(self, channel: Channel, remarks: Sequence[Remark]) -> None:
        self.notes.remark(channel, remarks, at=self.ledger.clock())

    def _note(self, channel: Channel, reply: Reply, pixel: str, events: int, hit: Hit | None) -> None:
        answer = reply.answer
        in_envelope = answer.body is None
        self.notes.answer(
            AnswerGiven(
                at=self.ledger.clock(),
                channel=channel,
                pixel=pixel,
                http_status=0 if reply.cut else answer.http_status,
                code=answer.code if in_envelope and not reply.cut else None,
                message=answer.message if in_envelope and not reply.cut else "",
                request_id=reply.request_id if in_envelope and not reply.cut else "",
                events=events,
                fault=hit.fault.name if hit else "",
            )
        )


def new_request_id(now: float) -> str:
    """Return a request id in the form of recorded ones: 14 digits of time and 20 hexadecimal digits."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(now)) + secrets.token_hex(10).upper()


def _without_left_out(accepted: Accepted, hit: Hit | None) -> Sequence[Any]:
    if hit is None or hit.row is None or hit.fault.name != "partial_ok":
        return accepted.events
    return [event for row, event in enumerate(accepted.events) if row != hit.row]


def _spoilt(reply: Reply, hit: Hit, pixel: str) -> Reply:
    name, seconds = hit.fault.name, hit.fault.seconds
    if name == "reset":
        return Reply(answer=reply.answer, request_id=reply.request_id, cut=True)
    if name == "hang":
        return Reply(answer=reply.answer, request_id=reply.request_id, wait_seconds=seconds, cut=not hit.accepts)
    if name == "slow_body":
        return Reply(answer=reply.answer, request_id=reply.request_id, drip_seconds=seconds)
    return Reply(answer=hit.answer(pixel) or reply.answer, request_id=reply.request_id)
