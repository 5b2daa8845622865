"""A visitor made of HTTP requests: comes from an ad, agrees or refuses, looks, buys, pays, signs up.

There is no browser here, so the visitor plays the scripts' part as well: it reads the data blocks of each page, posts
their calls to the stand-in as TikTok's events.js would, and reports clicks and the landing to the shop as tiktok.js
would. The browser tests do the same with a real one.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import requests

CLICK_ID = "E.C.P.demo-click-0123456789"
ADDRESS = "81.2.69.142"  # as a load balancer would tell it: one of this machine's own would go nowhere
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
# As browsers ask for a document: without it, an answer that holds the tag would count as a picture's 404 page might.
DOCUMENT = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
_BLOCK = re.compile(r'<script type="application/json" class="tiktok-attribution">(.*?)</script>')
_ACTION = re.compile(r'tiktok-action="([^"]+)"')
_TAGGED = re.compile(r"\b(ttclid=|utm_)")
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def _said(action: str) -> Any:
    """What a signed text says, as tiktok.js reads it."""
    text = action.partition(":")[0]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class ScriptedVisitor:
    """One visitor with cookies. Raises RuntimeError naming the page that was not as expected."""

    def __init__(self, site: str, standin: str, name: str = "Ada", ip_address: str = ADDRESS) -> None:
        self.site, self.standin, self.name = site, standin, name
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"User-Agent": USER_AGENT, "Accept-Language": "de-DE,de;q=0.9"})
        self.session.headers["X-Forwarded-For"] = ip_address
        self.session.cookies.set("_ttp", f"{secrets.token_hex(12)}.tt.1", domain="127.0.0.1")
        self.page = requests.Response()
        self._identify: dict[str, str] = {}
        self._pixels: list[str] = []
        self._reports_landings = False
        self._came_from = self._receipt = ""

    def whole_path(self, **landing: str) -> None:
        """From the ad to the account page. `landing` are the parameters of the ad's address."""
        self.get("/products/river-teapot/", **(landing or {"ttclid": CLICK_ID, "utm_source": "tiktok"}))
        self.agree()
        self.click("AddToWishlist")
        self.post("/cart/add/river-teapot/", quantity="1")
        self.post("/cart/add/morning-sencha/", quantity="2", found_on="/products/morning-sencha/")
        self.order()
        self.see_receipt()
        self.get("/account/sign-up/")
        self.post("/account/sign-up/", first_name=self.name, email=self._email, **self._passwords())

    def order(self, code: str = "") -> str:
        """Order and pay what is in the cart. Returns the order's token; the shop learns of the payment later."""
        self.get("/checkout/")
        self.post("/checkout/", **self._address(), code=code)
        self.post(self._path(), pay="1")
        self._receipt = self._path()
        return self._receipt.split("/")[2]

    def see_receipt(self) -> None:
        """Open the receipt once the order is paid."""
        self._wait_until_paid()
        self.get(self._receipt)

    @property
    def _email(self) -> str:
        return f"{self.name.lower()}.visitor@example.com"

    def _address(self) -> dict[str, str]:
        return {
            "name": f"{self.name} Visitor",
            "email": self._email,
            "phone": "030 901820",
            "street": "Teegasse 1",
            "postal_code": "10115",
            "city": "Berlin",
            "country": "DE",
        }

    def _passwords(self) -> dict[str, str]:
        password = "celadon-kettle-27"
        return {"password1": password, "password2": password}

    def get(self, path: str, came_from: str = "", **query: str) -> None:
        """Open a page (by a link of another site, if one is given) and play its pixel."""
        headers = {**DOCUMENT, "Referer": came_from} if came_from else DOCUMENT
        self._came_from = came_from
        self._arrived(self.session.get(self.site + path, params=query, headers=headers, timeout=20), path)

    def post(self, path: str, found_on: str = "", **fields: str) -> None:
        """Send the form of the page that is open (or of `found_on`) and follow to the next page."""
        if found_on:
            self.get(found_on)
        token = _CSRF.search(self.page.text)
        if token is None:
            raise RuntimeError(f"{self.page.url} has no form to send to {path}")
        data = {"csrfmiddlewaretoken": token.group(1), **fields}
        headers = {"Referer": self.page.url, **DOCUMENT}
        self._came_from = self.page.url
        self._arrived(self.session.post(self.site + path, data=data, headers=headers, timeout=20), path)

    def _arrived(self, response: requests.Response, path: str) -> None:
        if response.status_code != 200:
            raise RuntimeError(f"{path} answered {response.status_code}")
        self.page = response
        self._play_pixel()

    def _path(self) -> str:
        return self.page.url.removeprefix(self.site)

    def _wait_until_paid(self, seconds: float = 30.0) -> None:
        address = self.site + self._receipt.replace("/thank-you/", "/status/")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.session.get(address, timeout=20).json()["status"] == "paid":
                return
            time.sleep(0.2)
        raise RuntimeError(f"the payment provider did not report within {seconds:g} s")

    def _play_pixel(self) -> None:
        """What tiktok.js and events.js do with the data blocks of this page."""
        for text in _BLOCK.findall(self.page.text):
            block = json.loads(text)
            self._pixels = block["pixels"]
            self._reports_landings = block.get("landings", False)
            for call in block.get("calls", ()):
                if "identify" in call:
                    self._identify.update(call["identify"])
                    continue
                for pixel in call.pop("pixels", self._pixels):
                    self._send(call, pixel)
            if "receipt" in block:
                self._report({"receipt": block["receipt"]})
        if self.session.cookies.get("shop_ads") == "yes":
            self._report_landing()

    def agree(self) -> None:
        """Choose "Accept" in the banner; what has waited for it is handed over, and played."""
        self._answer("yes")
        self._report_landing()

    def refuse(self) -> None:
        """Choose "Refuse" in the banner."""
        self._answer("no")

    def _answer(self, word: str) -> None:
        self.session.cookies.set("shop_ads", word, domain="127.0.0.1")
        body = json.dumps({"search": urlsplit(self.page.url).query, "page": self.page.url})
        answer = self._ask("/tiktok/consent/", body, "application/json")
        for pixel, method, arguments in answer.json()["calls"]:
            if method == "identify":
                self._identify.update(arguments[0])
            else:
                name, properties, options = arguments
                self._send({"event": name, "properties": properties, **options}, pixel)

    def click(self, event: str) -> None:
        """Click what this page marks with this event."""
        signed = {_said(action)["e"]: action for action in _ACTION.findall(self.page.text)}
        if event not in signed:
            raise RuntimeError(f"{self.page.url} marks nothing with {event}")
        action, properties = signed[event], _said(signed[event])["p"]
        event_id = f"web-{uuid.uuid4()}"
        for pixel in self._pixels:
            self._send({"event": event, "properties": properties, "event_id": event_id}, pixel)
        self._report({"action": action, "event_id": event_id, "page": self.page.url, "live": True})

    def _report_landing(self) -> None:
        """Tell the shop of which page an ad has opened: a shared cache may have answered for it."""
        if self._reports_landings and _TAGGED.search(urlsplit(self.page.url).query):
            self._report({"pending": True, "page": self.page.url, "landing": self._came_from})

    def _report(self, report: dict[str, Any]) -> None:
        self._ask("/tiktok/", json.dumps(report), "text/plain")

    def _ask(self, path: str, body: str, content_type: str) -> requests.Response:
        """As a script of the page that is open."""
        headers = {"Origin": self.site, "Sec-Fetch-Site": "same-origin", "Content-Type": content_type}
        response = self.session.post(self.site + path, data=body, headers=headers, timeout=20)
        if response.status_code not in (200, 204):
            raise RuntimeError(f"{path} answered {response.status_code} to the page's script")
        return response

    def _send(self, event: dict[str, Any], pixel: str) -> None:
        body = {
            "pixel": pixel,
            **event,
            "identify": self._identify,
            "page": {"url": self.page.url},
            "ttp": self.session.cookies.get("_ttp"),
        }
        for _ in range(40):  # the stand-in may just be down, on purpose; a browser retries too, when asked to
            try:
                self.session.post(f"{self.standin}/api/v2/pixel", data=json.dumps(body), timeout=5)
            except requests.ConnectionError:
                time.sleep(0.25)
            else:
                return
        raise RuntimeError("the stand-in did not come back")
