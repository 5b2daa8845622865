"""Three engines behind one small interface: Chromium with its back-forward cache, WebKitGTK and Firefox.

Playwright switches Chromium's back-forward cache off, so Chromium is driven by its own driver here. Firefox needs no
geckodriver: Mozilla's `marionette_driver` speaks its protocol.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import CHROMIUM_ARGUMENTS, chromium_program

PATIENCE_SECONDS = 20.0
MINI_BROWSERS = "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"
# Between two pages Firefox shows about:blank for a moment, and calls that complete: it is neither of them.
LOADED = "location.href !== 'about:blank' && document.readyState === 'complete'"
FIREFOX_PREFERENCES = {
    # No request of the browser's own: names resolve on this machine only, and nothing is looked up.
    "network.dns.disabled": True,
    "network.proxy.type": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.auto": False,
    "app.normandy.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.sessionhistory.max_total_viewers": 8,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class NoBrowser(Exception):
    """What this machine lacks, and the package that brings it."""


class Browser:
    """One window of a fresh profile. Selectors are CSS; a script's last value comes by `return`."""

    name: str

    def open(self, url: str) -> None:
        raise NotImplementedError

    def run(self, script: str, *arguments: Any) -> Any:
        raise NotImplementedError

    def new_tab(self) -> str:
        """Open a tab and go there; what is returned leads back by `show`."""
        raise NotImplementedError

    def show(self, tab: str) -> None:
        raise NotImplementedError

    @property
    def tab(self) -> str:
        raise NotImplementedError

    def click(self, selector: str) -> None:
        """As a person does, with the events that belong to it; scrolled to the middle, where nothing covers it."""
        self.run(
            "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", selector
        )
        self._click(selector)

    def _click(self, selector: str) -> None:
        raise NotImplementedError

    def errors(self) -> list[str]:
        """What the pages wrote to the console as an error, and what their scripts threw."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return str(self.run("return location.href"))

    def fill(self, selector: str, text: str) -> None:
        self.run("document.querySelector(arguments[0]).value = arguments[1]", selector, text)

    def text(self, selector: str) -> str:
        return str(self.run("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector))

    def cookie(self, name: str) -> str:
        """A cookie that the page can read, "" where there is none."""
        found = self.run("return document.cookie")
        pairs = dict(part.strip().partition("=")[::2] for part in found.split(";"))
        return pairs.get(name, "")

    def follow(self, url: str) -> None:
        """Leave this page for another as a link does, so that it may be kept in memory."""
        self.run("window.left = true; location.href = arguments[0]", url)
        self.wait_for(lambda: self.run(f"return !window.left && {LOADED}"))

    def back(self) -> None:
        """By the browser's history; the page may come out of its memory."""
        before = self.url
        self.run("setTimeout(() => history.back(), 0)")
        self.wait_for(lambda: self.run(f"return location.href !== arguments[0] && {LOADED}", before))

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Until it holds; a page that is just being left answers nothing and is asked again. Raises AssertionError."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            with suppress(Exception):
                if condition():
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.name}: nothing came within {PATIENCE_SECONDS:g} s at {self.url}")


class SeleniumBrowser(Browser):
    """Chromium and WebKit, by their own drivers."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def new_tab(self) -> str:
        self.driver.switch_to.new_window("tab")
        return self.tab

    def show(self, tab: str) -> None:
        self.driver.switch_to.window(tab)

    @property
    def tab(self) -> str:
        return str(self.driver.current_window_handle)

    def _click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()

    def close(self) -> None:
        self.driver.quit()


class Chromium(SeleniumBrowser):
    """With the back-forward cache that Playwright switches off."""

    name = "chromium"

    def __init__(self, profile: Path) -> None:
        from selenium import webdriver  # noqa: PLC0415 -- of the extra `web`

        program, driver = chromium_program(), shutil.which("chromedriver")
        if program is None or driver is None:
            raise NoBrowser("apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for argument in ("--headless", "--window-size=1280,900", f"--user-data-dir={profile}", *CHROMIUM_ARGUMENTS):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
        super().__init__(webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)))

    def errors(self) -> list[str]:
        return [one["message"] for one in self.driver.get_log("browser")]


class WebKit(SeleniumBrowser):
    """The engine of TikTok's own browser on iOS, in GTK's MiniBrowser."""

    name = "webkit"

    def __init__(self, profile: Path) -> None:
        from selenium import webdriver  # noqa: PLC0415
        from selenium.webdriver.webkitgtk.service import Service  # noqa: PLC0415

        found = sorted(str(path) for path in Path("/").glob(MINI_BROWSERS[1:]))
        driver = shutil.which("WebKitWebDriver")
        if not found or driver is None:
            raise NoBrowser("apt-get install webkit2gtk-driver xvfb")
        options = webdriver.WebKitGTKOptions()
        options.binary_location = found[0]
        for argument in ("--automation", "--enable-write-console-messages-to-stdout=true"):
            options.add_argument(argument)
        self._console = profile / "console.log"
        super().__init__(webdriver.WebKitGTK(options=options, service=Service(driver, log_output=str(self._console))))

    def errors(self) -> list[str]:
        lines = self._console.read_text(errors="replace").splitlines()
        return [line for line in lines if line.startswith("CONSOLE") and " ERROR " in line]


class Firefox(Browser):
    """Headless, by Marionette."""

    name = "firefox"

    def __init__(self, profile: Path) -> None:
        from marionette_driver.marionette import Marionette  # noqa: PLC0415

        program = shutil.which("firefox-esr") or shutil.which("firefox")
        if program is None:
            raise NoBrowser("apt-get install firefox-esr")
        self._marionette = Marionette(
            bin=program,
            headless=True,
            host="127.0.0.1",
            port=0,
            prefs=FIREFOX_PREFERENCES,
            gecko_log=str(profile / "gecko.log"),
            startup_timeout=60,
        )
        self._marionette.start_session()
        self._marionette.timeout.script = PATIENCE_SECONDS

    def open(self, url: str) -> None:
        self._marionette.navigate(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self._marionette.execute_script(script, script_args=arguments, sandbox=None)

    def new_tab(self) -> str:
        handle = self._marionette.open(type="tab", focus=True)["handle"]
        self._marionette.switch_to_window(handle)
        return str(handle)

    def show(self, tab: str) -> None:
        self._marionette.switch_to_window(tab, focus=True)

    @property
    def tab(self) -> str:
        return str(self._marionette.current_window_handle)

    def _click(self, selector: str) -> None:
        self._marionette.find_element("css selector", selector).click()

    def errors(self) -> list[str]:
        script = """
            return JSON.stringify(Services.console.getMessageArray()
              .filter((one) => one instanceof Ci.nsIScriptError && !(one.flags & Ci.nsIScriptError.warningFlag))
              .filter((one) => one.sourceName.startsWith("http"))
              .map((one) => one.sourceName + ": " + one.errorMessage))"""
        with self._marionette.using_context("chrome"):
            return list(json.loads(self._marionette.execute_script(script, sandbox="system")))

    def close(self) -> None:
        with suppress(Exception):
            self._marionette.delete_session()
        self._marionette.instance.close(clean=True)


ENGINES: dict[str, Callable[[Path], Browser]] = {"chromium": Chromium, "webkit": WebKit, "firefox": Firefox}


@contextmanager
def opened(engine: str) -> Iterator[Browser]:
    """A browser of this engine with an empty profile. Raises NoBrowser where the machine has none."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the drivers' libraries warn of their own code
            browser = ENGINES[engine](Path(folder))
        try:
            yield browser
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                browser.close()


@contextmanager
def screen() -> Iterator[None]:
    """A screen that nobody sees, for WebKitGTK; the one that is there where DISPLAY is set."""
    if os.environ.get("DISPLAY"):
        yield
        return
    program = shutil.which("Xvfb")
    if program is None:
        raise NoBrowser("apt-get install xvfb")
    reader, writer = os.pipe()
    command = [program, "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as told:
            os.environ["DISPLAY"] = f":{told.readline().strip()}"
        yield
    finally:
        os.environ.pop("DISPLAY", None)
        process.terminate()
        process.wait()
