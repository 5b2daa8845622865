// tiktok.js with a made-up window and document: what it decides. The rest is tested in Chromium.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const path = new URL("../../tiktok_attribution/static/tiktok_attribution/tiktok.js", import.meta.url);
const source = readFileSync(path, "utf8");
const run = new Function("window", "document", source);
const gatePath = new URL("../../tiktok_attribution/static/tiktok_attribution/gate.js", import.meta.url);
const runGate = new Function("window", "document", "navigator", readFileSync(gatePath, "utf8"));
const ASKS = { consent: { cookie: "choice", granted: "^yes$", denied: "^no$" }, url: "" };
const BASE = { pixels: ["C0A"], host: "https://tiktok.example", options: {}, url: "/tiktok/" };
const LEAD = { event: "Lead", properties: { value: 5 }, event_id: "lead-1" };

function element(tagName, attributes = {}, text = "") {
  const known = { ...attributes };
  return {
    tagName,
    className: "tiktok-attribution",
    textContent: text,
    fields: [],
    getAttribute: (name) => (name in known ? known[name] : null),
    hasAttribute: (name) => name in known,
    setAttribute: (name, value) => (known[name] = value),
    querySelectorAll: function () { return this.fields; },
    closest() { return "data-tiktok-event" in known ? this : null; },
  };
}

const block = (data) => element("SCRIPT", {}, typeof data === "string" ? data : JSON.stringify(data));

/** A page with these blocks; `sent` are the reports, `scripts` the pixels' own script elements. */
function open(blocks, { search = "", cookie = "", window = {}, answer = {}, metas = [], gate = null } = {}) {
  const page = { sent: [], scripts: [], fetched: [], listeners: {}, blocks: blocks.map(block) };
  page.document = {
    cookie,
    currentScript: { nonce: "n0" },
    documentElement: {},
    getElementsByClassName: () => ({ [Symbol.iterator]: () => page.blocks.filter((one) => one.className).values() }),
    createElement: () => ({}),
    head: { appendChild: (script) => page.scripts.push(script) },
    addEventListener: (name, listener) => (page.listeners[name] = listener),
    querySelectorAll: () => metas,
  };
  page.window = {
    location: { search, href: "https://shop.example/" + search },
    navigator: { sendBeacon: (to, text) => page.sent.push([to, JSON.parse(text)]) > 0 },
    crypto: globalThis.crypto,
    fetch: async (to, options) => {
      page.fetched.push([to, options]);
      return { status: answer.status || 200, json: async () => answer.body || {} };
    },
    MutationObserver: class { constructor(seen) { page.changed = seen; } observe() {} },
    ...window,
  };
  if (gate) {
    page.document.getElementById = (id) => (id === "tiktok-gate" ? { textContent: JSON.stringify(gate) } : null);
    runGate(page.window, page.document, page.window.navigator);
  }
  run(page.window, page.document);
  page.queue = () => Array.from(page.window.ttq || []);
  page.names = () => page.queue().filter((call) => call[0] === "track").map((call) => call[1]);
  page.loadScripts = () => page.scripts.forEach((script) => script.onload());
  page.click = (target, type = "click") => page.listeners[type]({ target, type });
  return page;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a block loads its pixels once, with one page view and the page's nonce", () => {
  const page = open([{ ...BASE, pixels: ["C0A", "C0B"] }, { ...BASE, calls: [LEAD] }]);
  assert.deepEqual(page.scripts.map((script) => script.src.split("?")[1]), ["sdkid=C0A&lib=ttq", "sdkid=C0B&lib=ttq"]);
  assert.equal(page.scripts[0].nonce, "n0");
  assert.deepEqual(page.queue().filter((call) => call[0] === "page"), [["page"]]);
  assert.deepEqual(page.queue().at(-1), ["track", "Lead", { value: 5 }, { event_id: "lead-1" }]);
});

test("identify comes before the call it is for", () => {
  const page = open([{ ...BASE, calls: [{ identify: { sha256_email: "ab" } }, LEAD] }]);
  assert.deepEqual(page.queue().map((call) => call[0]).filter((name) => name !== "ready"), ["page", "identify", "track"]);
});

test("a call for single pixels goes to their queues", () => {
  const page = open([{ ...BASE, pixels: ["C0A", "C0B"], calls: [{ ...LEAD, pixels: ["C0B"] }] }]);
  assert.deepEqual(page.names(), []);
  assert.equal(page.window.ttq._i.C0B[0][0], "track");
});

test("a page that comes back repeats no event, unless it has no id", () => {
  const page = open([{ ...BASE, calls: [LEAD, { event: "Contact" }] }]);
  page.blocks.push(block({ ...BASE, calls: [LEAD, { event: "Contact" }] }));
  page.changed();
  page.changed();
  assert.deepEqual(page.names(), ["Lead", "Contact", "Contact"]);
});

test("the file twice on a page is one", () => {
  const page = open([BASE]);
  page.blocks.push(block({ ...BASE, calls: [LEAD] }));
  run(page.window, page.document);
  assert.equal(page.scripts.length, 1);
  assert.deepEqual(page.names(), ["Lead"]);
});

test("a broken block costs that block alone", () => {
  assert.deepEqual(open(["{broken", { ...BASE, calls: [null, LEAD] }]).names(), ["Lead"]);
});

test("a receipt is sent when events.js has come, and not before", () => {
  const page = open([{ ...BASE, calls: [LEAD], receipt: "signed" }]);
  assert.deepEqual(page.sent, []);
  page.loadScripts();
  page.loadScripts();
  assert.deepEqual(page.sent, [["/tiktok/", { receipt: "signed" }]]);
});

test("without an endpoint nothing is sent", () => {
  const page = open([{ ...BASE, url: undefined, receipt: "signed" }]);
  page.loadScripts();
  page.window.ttqTrack("Contact");
  assert.deepEqual([page.sent, page.fetched], [[], []]);
  assert.deepEqual(page.names(), ["Contact"]);
});

function button(attributes = {}) {
  return element("BUTTON", { "data-tiktok-event": "AddToCart", "data-tiktok-action": "signed", ...attributes });
}

test("a click tells pixel and site with one id", () => {
  const page = open([BASE]);
  page.click(button({ "data-tiktok-properties": '{"value":5}' }));
  const [, , properties, { event_id: id }] = page.queue().at(-1);
  assert.match(id, /^web-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual(properties, { value: 5 });
  const report = { action: "signed", event_id: id, properties: {}, page: "https://shop.example/", live: false };
  assert.deepEqual(page.sent, [["/tiktok/", report]]);
});

for (const [name, crypto] of [["getRandomValues", { getRandomValues: (a) => globalThis.crypto.getRandomValues(a) }], ["nothing", undefined]]) {
  test(`where there is ${name} to make an id with, it has the same form`, () => {
    const page = open([BASE], { window: { crypto } });
    page.click(button());
    page.click(button());
    const ids = page.sent.map(([, report]) => report.event_id);
    ids.forEach((id) => assert.match(id, /^web-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/));
    assert.equal(new Set(ids).size, 2);
  });
}

test("an element that is not signed is the pixel's alone", () => {
  const page = open([BASE]);
  page.click(button({ "data-tiktok-action": "" }));
  assert.deepEqual([page.names(), page.sent], [["AddToCart"], []]);
});

test("a form counts when it is sent, not when it is clicked", () => {
  const page = open([BASE]);
  const form = element("FORM", { "data-tiktok-event": "Search", "data-tiktok-action": "signed", "data-tiktok-allow": "search_string" });
  form.fields = ["search_string", "value"].map((name) => ({ ...element("INPUT", { "data-tiktok-property": name }), value: "7" }));
  page.click(form);
  assert.deepEqual(page.names(), []);
  page.click(form, "submit");
  assert.deepEqual(page.queue().at(-1)[2], { search_string: "7" });
  assert.deepEqual(page.sent[0][1].properties, { search_string: "7" });
});

test("what is signed wins over what the page says", () => {
  const signed = element("META", { "data-tiktok-event": "Search", "data-tiktok-action": "a", "data-tiktok-allow": "status",
    "data-tiktok-properties": '{"status":"web"}' });
  const page = open([BASE], { metas: [signed] });
  page.window.ttqTrack("Search", { status: "mine", value: 9 });
  assert.deepEqual(page.queue().at(-1)[2], { status: "web" });
});

test("Standard Mode leaves events to Event Builder", () => {
  const page = open([{ ...BASE, quiet: true }]);
  page.click(button());
  page.window.ttqTrack("Contact");
  assert.deepEqual([page.names(), page.sent, page.scripts.length], [[], [], 1]);
});

test("fetch stands in where there is no sendBeacon, or it is full", () => {
  for (const sendBeacon of [undefined, () => false]) {
    const page = open([BASE], { window: { navigator: { sendBeacon } } });
    page.click(button());
    assert.equal(page.fetched[0][1].keepalive, true);
  }
});

test("what waits is fetched where the cookie says so, and fired", async () => {
  const body = { ...BASE, calls: [LEAD] };
  const page = open([BASE], { cookie: "a=1; tiktok_waiting=1", answer: { body } });
  await settled();
  assert.equal(page.fetched.length, 1);
  assert.deepEqual(page.names(), ["Lead"]);
  assert.equal(open([BASE], { cookie: "not_tiktok_waiting=1" }).fetched.length, 0);
});

test("a click id goes along to the site, which keeps it", () => {
  const page = open([BASE], { search: "?a=1&ttclid=E.C.P&b=2" });
  page.click(button());
  assert.equal(page.fetched[0][0], "/tiktok/?ttclid=E.C.P");
  assert.equal(page.sent[0][0], "/tiktok/?ttclid=E.C.P");
});

test("while consent is open nothing is loaded or sent; then everything, in its order", () => {
  const page = open([{ ...BASE, calls: [LEAD], receipt: "r" }], { cookie: "tiktok_waiting=1", gate: ASKS });
  page.click(button());
  page.window.ttqTrack("Contact");
  assert.deepEqual([page.window.ttq, page.scripts, page.sent, page.fetched], [undefined, [], [], []]);
  page.window.tiktokAttribution.consent(true);
  assert.deepEqual(page.names(), ["Lead", "AddToCart", "Contact"]);
  assert.equal(page.scripts.length, 1);
});

test("refused consent drops what was held and what comes", () => {
  const page = open([{ ...BASE, calls: [LEAD] }], { gate: ASKS });
  page.window.tiktokAttribution.consent(false);
  page.click(button());
  assert.deepEqual([page.window.ttq, page.scripts, page.sent], [undefined, [], []]);
});

test("the cookie of the consent tool is asked", () => {
  assert.deepEqual(open([{ ...BASE, calls: [LEAD] }], { gate: ASKS, cookie: "choice=yes" }).names(), ["Lead"]);
  assert.equal(open([{ ...BASE, calls: [LEAD] }], { gate: ASKS, cookie: "choice=no" }).window.ttq, undefined);
});

test("a browser that says no to all of them is heard", () => {
  const navigator = { globalPrivacyControl: true, sendBeacon: () => true };
  const window = { navigator };
  assert.equal(open([{ ...BASE, calls: [LEAD] }], { gate: { gpc: "deny" }, window }).window.ttq, undefined);
  const limited = open([BASE], { gate: { gpc: "limited_data_use" }, window });
  assert.deepEqual(limited.window.ttq._o.C0A, { limited_data_use: true });
});

test("on hold the pixel is loaded and told to wait, until there is an answer", () => {
  const page = open([{ ...BASE, calls: [LEAD] }], { gate: { ...ASKS, hold: true } });
  assert.deepEqual(page.queue().map((call) => call[0]), ["holdConsent", "page", "track"]);
  page.window.tiktokAttribution.consent(true);
  assert.equal(page.queue().at(-1)[0], "grantConsent");
});

test("an answer's header is fired and the answer given back", () => {
  const page = open([BASE]);
  const answer = (text) => ({ headers: { get: () => text } });
  const good = answer(JSON.stringify({ calls: [LEAD] }));
  assert.equal(page.window.tiktokAttribution.received(good), good);
  page.window.tiktokAttribution.received(answer("{broken"));
  page.window.tiktokAttribution.received(answer(null));
  page.window.tiktokAttribution.received({});
  assert.deepEqual(page.names(), ["Lead"]);
});

test("nothing throws into the page, whatever is missing", () => {
  const bare = { location: { search: "" }, navigator: {} };
  run({ ...bare }, { getElementsByClassName: () => [] });
  const page = open([]);
  page.click({});
  page.click(button({ "data-tiktok-properties": "{broken" }));
  page.window.ttqTrack();
  page.window.ttqTrack("Contact", null, {});
  page.window.tiktokAttribution.fire();
  page.listeners["tiktok:events"]({});
  assert.deepEqual(page.sent, []);
});

test("another tag's stub is kept, and asked when it is ready", () => {
  const calls = [];
  const ttq = Object.assign([], { load: (id) => { ttq._i = { [id]: [] }; }, page() {}, ready: (then) => calls.push(then) });
  const page = open([{ ...BASE, receipt: "r" }], { window: { ttq } });
  assert.equal(page.scripts.length, 0);
  calls[0]();
  assert.deepEqual(page.sent, [["/tiktok/", { receipt: "r" }]]);
});
