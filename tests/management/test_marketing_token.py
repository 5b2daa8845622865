"""`tiktok_marketing_token`: secret and code come by standard input, and the token goes to standard output alone."""

from __future__ import annotations

import io
import logging
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tiktok_attribution.testing.server import StandIn

SECRET, CODE, TOKEN = "an-app-secret-of-forty-characters-000000", "an-authorization-code", "a-new-token"


def run(typed: str, monkeypatch: pytest.MonkeyPatch, app_id: str = "7000") -> tuple[str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    out, err = StringIO(), StringIO()
    call_command("tiktok_marketing_token", app_id, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_prints_token_accounts_and_scope(tiktok_standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    tiktok_standin.marketing.grant("7000", SECRET, CODE, token=TOKEN, advertiser_ids=["7001", "7002"])
    out, err = run(f"{SECRET}\n{CODE}\n", monkeypatch)

    assert out == f"token: {TOKEN}\nadvertiser ids: 7001, 7002\nscope: [4]\n"
    assert TOKEN not in err


@pytest.mark.privacy
def test_a_failure_names_neither_secret_nor_code(
    tiktok_standin: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tiktok_standin.marketing.fail(40110, f"{CODE} of {SECRET} is used")
    with pytest.raises(CommandError, match="authorize the app again") as refused:
        run(f"{SECRET}\n{CODE}\n", monkeypatch)

    assert SECRET not in f"{refused.value}{caplog.text}"
    assert CODE not in f"{refused.value}{caplog.text}"


@pytest.mark.parametrize("typed", ["", "\n\n", f"{SECRET}\n"])
def test_without_secret_or_code_it_says_what_it_wants(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="standard input"):
        run(typed, monkeypatch)


def test_an_app_id_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="APP_ID is a number"):
        run("", monkeypatch, app_id="my-app")
