"""Keep inside a test process what this app would send out of it.

Decision: a site's own tests must not wake up its workers, write to TikTok or wait for its broker, whatever its settings
say, for they often are those of a developer's machine with a token in its environment. So inside a test process
nothing goes to a broker or to TikTok unless the setting SEND_IN_TESTS says so. E-mail needs no rule of ours: Django
replaces its mail backend by one in memory there. What a test starts as another process is no test process.
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
    """Tell whether tests run in this process: Django's runner, or pytest with this app's plugin.

    Django's mark is what `setup_test_environment` keeps; every runner calls it, pytest-django and the children of
    `test --parallel` too. The mark that is documented, `django.core.mail.outbox`, is not exact: the mail backend in
    memory makes it on a staging site as well. Environment variables would be inherited by workers that a test starts.
    """
    utils = sys.modules.get("django.test.utils")  # not imported for this: a site in production does without it
    return _under_pytest or hasattr(getattr(utils, "_TestState", None), "saved_data")


def note_pytest(*, runs: bool) -> None:
    """For this app's pytest plugin: a test run begins or has ended in this process."""
    global _under_pytest
    _under_pytest = runs


def keeps_inside() -> bool:
    """Tell whether what would leave this process must stay: a test process that has not asked for more."""
    return is_test_process() and not conf.current().send_in_tests


def is_tiktoks(host: str | None) -> bool:
    """Tell whether a host is one of TikTok's."""
    return f".{(host or '').lower()}".endswith(TIKTOKS_HOSTS)
