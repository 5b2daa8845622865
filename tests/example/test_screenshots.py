"""Pictures of the demonstration, made as a person would see it: `pytest tests/example/test_screenshots.py`.

They lie in screenshots/, which git ignores; the README's own one is a copy of it in docs/images/.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "screenshots"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The running demonstration, after a scripted visitor has bought and signed up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "example_project"))
        from demo.processes import Stage, free_port  # noqa: PLC0415 -- the example is no package of ours
        from demo.report import is_complete, state  # noqa: PLC0415
        from demo.scripted_visitor import ScriptedVisitor  # noqa: PLC0415

        stage = Stage(tmp_path_factory.mktemp("var"), free_port(0), free_port(0))
        try:
            stage.manage("migrate", "--verbosity", "0")
            stage.manage("seed")
            stage.start()
            ScriptedVisitor(stage.site, stage.standin).whole_path()
            stage.wait_until(lambda: is_complete(state(stage.standin)["events"]))
            yield stage
        finally:
            stage.end()
    for name in [name for name in sys.modules if name.partition(".")[0] == "demo"]:
        del sys.modules[name]


PAGES = {
    "shop": "/",
    "product": "/products/river-teapot/",
    "admin-events": "/admin/tiktok_attribution/outboxevent/",
    "admin-event": "/admin/tiktok_attribution/outboxevent/?q=order-1",
    "admin-attempts": "/admin/tiktok_attribution/attempt/",
    "admin-pixels": "/admin/tiktok_attribution/pixelstatus/",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_can_be_looked_at(stage: Any, chromium: Browser, scheme: Any, width: int) -> None:
    PICTURES.mkdir(exist_ok=True)
    errors: list[str] = []
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{stage.site}/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.click("[type=submit]")
    for name, path in PAGES.items():
        answer = page.goto(stage.site + path)
        assert answer is not None
        assert answer.ok
        if name == "admin-event":
            page.click("#result_list th a")
            assert "order-1" in page.inner_text("#content")
        page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png", full_page=name != "admin-events")
    page.goto(stage.standin)
    page.screenshot(path=PICTURES / f"stand-in-{scheme}-{width}.png", full_page=True)
    context.close()
    assert errors == []
