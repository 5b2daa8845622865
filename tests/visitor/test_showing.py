from __future__ import annotations

import json

from tiktok_attribution.events import Event, User
from tiktok_attribution.events.wire import event_text
from tiktok_attribution.visitor.visitor import identify_keys, user_of_text

A, B = "a" * 64, "b" * 64


def test_identify_gets_one_of_each_hash() -> None:
    user = User(email=(A, B), phone=(B,), ttclid="abc", first_name=A)
    assert identify_keys(user) == {"sha256_email": A, "sha256_phone_number": B}


def test_the_hashes_of_a_stored_event_are_found_again() -> None:
    user = User(email=(A, B), phone=(A,), external_id=(B,))
    text = event_text(Event(name="Lead", event_id="x", event_time=1, user=user))
    assert user_of_text(text) == user


def test_a_stored_event_of_nobody_has_no_hashes() -> None:
    assert identify_keys(user_of_text(json.dumps({"event": "Lead"}))) == {}
