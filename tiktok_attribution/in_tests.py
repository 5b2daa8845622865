"""Keep inside a test process what this app would send out of it.

`tasks` asks `keeps_inside` before it publishes to a broker, and `delivery.client` before it sends to TikTok.
"""

from __future__ import annotations

import sys

from tiktok_attribution import conf

SENT_ONLY_IF_ASKED = (
    'Not sent: this is a test process. Use the stand-in for TikTok, or write "SEND_IN_TESTS": True into '
    "TIKTOK_ATTRIBUTION for this test."
)
TIKTOKS_HOSTS = (".tiktok.com", ".tiktokw.us")

_under_pytest = False


def is_test_process() -> bool:
    """Return True if tests run in this process: Django's runner, or pytest with this app's plugin.

    Django's mark is the state that `setup_test_environment` keeps. Every runner calls it, also pytest-django and the
    children of `test --parallel`. The documented mark, `django.core.mail.outbox`, is not exact: the mail backend in
    memory sets it on a staging site too. Workers that a test starts would inherit environment variables.
    """
    utils = sys.modules.get("django.test.utils")  # not imported for this: a production site does not need it
    return _under_pytest or hasattr(getattr(utils, "_TestState", None), "saved_data")


def note_pytest(*, runs: bool) -> None:
    """Note that a test run begins or ends in this process; for this app's pytest plugin."""
    global _under_pytest
    _under_pytest = runs


# Decision: a site's own tests must not wake its workers, write to TikTok or wait for its broker, whatever its settings
# say. These are often a developer's settings, with a token in the environment. So in a test process nothing goes to a
# broker or to TikTok unless SEND_IN_TESTS says so. E-mail needs no rule: Django replaces its mail backend by one in
# memory. A separate process that a test starts does not count as a test process.
def keeps_inside() -> bool:
    """Return True if nothing may leave this process: it is a test process without SEND_IN_TESTS."""
    return is_test_process() and not conf.current().send_in_tests


def is_tiktoks(host: str | None) -> bool:
    """Return True if a host is one of TikTok's."""
    return f".{(host or '').lower()}".endswith(TIKTOKS_HOSTS)
