"""Plain personal data must not show in an error report of Django."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tiktok_attribution

ROOT = Path(tiktok_attribution.__file__).parents[1]

REPORT = """
import sys
from django.conf import settings
settings.configure(DEBUG=False)
from django.views.debug import SafeExceptionReporterFilter
from tiktok_attribution.events import identity

def explode(text):
    raise RuntimeError

identity.plain = explode
try:
    identity.phone_sha256("+12133734253", region="US")
except RuntimeError:
    frame = sys.exc_info()[2].tb_next
while frame:
    print(dict(SafeExceptionReporterFilter().get_traceback_frame_variables(None, frame.tb_frame)))
    frame = frame.tb_next
"""


@pytest.mark.privacy
def test_djangos_error_report_stars_out_every_frame_that_holds_a_phone_number() -> None:
    pytest.importorskip("django")
    report = subprocess.run(
        [sys.executable, "-c", REPORT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "2133734253" not in report
    assert report.count("'********************'") >= 4
