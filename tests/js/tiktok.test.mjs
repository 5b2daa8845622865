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
const URL_OF = { beacon: "https://shop.example/tiktok/" };
const LEAD = { event: "Lead", properties: { value: 5 }, event_id: "lead-1" };

/* As in a browser, what a node has stands in its prototype; content can put names of its own over it. */
function element(tagName, attributes = {}, text = "") {
  const known = { ...attributes };
  const own = { className: "tiktok-attribution", textContent: text, type: "application/json", fields: [] };
  const members = {
    tagName,
    getAttribute: (name) => (name in known ? known[name] : null),
    querySelectorAll: function () { return this.fields; },
    closest: function () { return "tiktok-action" in known || "tiktok-event" in known ? this : null; },
  };
  return Object.assign(Object.create(members), own, { tagName });
}

const block = (data, tagName = "SCRIPT") =>
  element(tagName, {}, typeof data === "string" ? data : JSON.stringify(data));
const signed = (payload) => Buffer.from(JSON.stringify({ d: 1, ...payload })).toString("base64url") + ":signature";

/** A page with these blocks; `sent` are the reports, `scripts` the pixels' own script elements. */
function open(blocks, { search = "", path = "/", cookie = "", window = {}, answer = {}, metas = [], gate = null, prerendering = false } = {}) {
  const page = { sent: [], scripts: [], fetched: [], listeners: {}, later: [], blocks: blocks.map((one) => block(one)) };
  page.document = Object.create({
    cookie,
    prerendering,
    currentScript: { nonce: "n0" },
    getElementsByClassName: () => ({ [Symbol.iterator]: () => page.blocks.filter((one) => one.className).values() }),
    querySelector: () => gate && { textContent: JSON.stringify(gate) },
    createElement: () => ({}),
    head: { appendChild: (script) => page.scripts.push(script) },
    addEventListener: (name, listener) => {
      page.listeners[name] = listener;
      page.later.push(...(name === "prerenderingchange" ? [listener] : []));
    },
    querySelectorAll: () => metas,
  });
  page.window = {
    location: { origin: "https://shop.example", pathname: path, search, href: "https://shop.example" + path + search },
    navigator: { sendBeacon: (to, text) => page.sent.push([to, JSON.parse(text)]) > 0 },
    crypto: globalThis.crypto,
    setTimeout,
    fetch: async (to, options) => {
      page.fetched.push([to, options]);
      return { ok: answer.ok, status: answer.status || 200, json: async () => answer.body || {} };
    },
    MutationObserver: class { constructor(seen) { page.changed = seen; } observe() {} },
    ...window,
  };
  if (gate) {
    runGate(page.window, page.document, page.window.navigator);
  }
  run(page.window, page.document);
  page.queue = () => Array.from(page.window.ttq || []);
  page.names = () => page.queue().filter((call) => call[0] === "track").map((call) => call[1]);
  page.activate = () => page.later.splice(0).forEach((listener) => listener());
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
  assert.deepEqual(page.sent, [[URL_OF.beacon, { receipt: "signed" }]]);
});

test("without an endpoint nothing is sent", () => {
  const page = open([{ ...BASE, url: undefined, receipt: "signed" }]);
  page.loadScripts();
  page.window.ttqTrack("Contact");
  assert.deepEqual([page.sent, page.fetched], [[], []]);
  assert.deepEqual(page.names(), ["Contact"]);
});

function button(payload = {}) {
  return element("BUTTON", { "tiktok-action": signed({ e: "AddToCart", ...payload }) });
}

test("a click tells pixel and site with one id", () => {
  const page = open([BASE]);
  const target = button({ p: { value: 5 } });
  page.click(target);
  const [, , properties, { event_id: id }] = page.queue().at(-1);
  assert.match(id, /^web-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual(properties, { value: 5 });
  const report = { action: target.getAttribute("tiktok-action"), event_id: id, properties: {}, page: "https://shop.example/", live: false };
  assert.deepEqual(page.sent, [[URL_OF.beacon, report]]);
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

const UNSIGNED = { "tiktok-event": "Contact", "tiktok-properties": '{"value":5}' };

test("an element that is not signed fires nothing, unless the site has switched it on", () => {
  const page = open([BASE]);
  page.click(element("BUTTON", UNSIGNED));
  assert.deepEqual([page.names(), page.sent], [[], []]);
  const permissive = open([{ ...BASE, unsigned: true }]);
  permissive.click(element("BUTTON", UNSIGNED));
  assert.deepEqual([permissive.names(), permissive.sent], [["Contact"], []]);
});

test("what stands beside a signed text adds nothing to it", () => {
  const page = open([{ ...BASE, unsigned: true }]);
  const target = element("BUTTON", { ...UNSIGNED, "tiktok-action": signed({ e: "Search", c: ["C0A"] }) });
  page.click(target);
  assert.deepEqual(page.window.ttq._i.C0A.map((call) => call.slice(0, 3)), [["track", "Search", {}]]);
});

test("a text that is no signed one fires nothing", () => {
  const page = open([BASE]);
  for (const action of ["junk", ":", "e30:x", "bnVsbA:x"]) {
    page.click(element("BUTTON", { "tiktok-action": action }));
  }
  assert.deepEqual([page.names(), page.sent], [[], []]);
});

function searchForm(attributes = {}) {
  return element("FORM", { "tiktok-action": signed({ e: "Search", a: ["search_string"] }), ...attributes });
}

test("a form counts when it is sent, not when it is clicked", async () => {
  const page = open([BASE]);
  const form = searchForm();
  form.fields = ["search_string", "value"].map((name) =>
    Object.assign(element("INPUT", { "tiktok-property": name }), { value: "7" }));
  page.click(form);
  assert.deepEqual(page.names(), []);
  page.click(form, "submit");
  await settled();
  assert.deepEqual(page.queue().at(-1)[2], { search_string: "7" });
  assert.deepEqual(page.sent[0][1].properties, { search_string: "7" });
});

for (const [name, attributes, event, heard] of [
  ["by a script of the page's own", {}, "", []],
  ["and sent by a script that says so", { "tiktok-sent": "" }, "", ["Search"]],
  ["by Turbo, which sends it", {}, "turbo:submit-start", ["Search"]],
  ["by htmx 2, which sends it", {}, "htmx:beforeRequest", ["Search"]],
  ["by htmx 4, which sends it", {}, "htmx:before:request", ["Search"]],
]) {
  test(`a form whose submit is prevented ${name}`, async () => {
    const page = open([BASE]);
    const form = searchForm(attributes);
    page.listeners.submit({ target: form, type: "submit", defaultPrevented: true });
    assert.deepEqual(page.names(), []);
    await settled();
    if (event) {
      assert.deepEqual(page.names(), []);
      page.listeners[event]({ target: form });
      page.listeners[event]({ target: form });
    }
    assert.deepEqual(page.names(), heard);
  });
}

test("a form that htmx sends at once counts once", async () => {
  const page = open([BASE]);
  const form = searchForm();
  page.listeners.submit({ target: form, type: "submit", defaultPrevented: true });
  page.listeners["htmx:beforeRequest"]({ target: form });
  await settled();
  assert.deepEqual(page.names(), ["Search"]);
});

/** What a browser keeps for the site, over several pages. */
function storage(held = {}) {
  return { held, getItem: (key) => held[key] || null, setItem: (key, text) => (held[key] = text) };
}

test("a page that runs again out of the browser's cache repeats no event", () => {
  const localStorage = storage();
  const again = (calls) => open([{ ...BASE, calls }], { window: { localStorage } }).names();
  assert.deepEqual(again([LEAD]), ["Lead"]);
  assert.deepEqual(again([LEAD, { event: "Contact" }]), ["Contact"]);
  assert.deepEqual(again([{ ...LEAD, event_id: "lead-2" }, { ...LEAD, event: "Search" }]), ["Lead", "Search"]);
  assert.doesNotMatch(JSON.stringify(localStorage.held), /lead|Search/i);
});

test("what was fired is forgotten after a month, and beyond a hundred events", () => {
  const localStorage = storage();
  const lead = (number) => ({ ...LEAD, event_id: `lead-${number}` });
  open([{ ...BASE, calls: Array.from({ length: 130 }, (_, number) => lead(number)) }], { window: { localStorage } });
  const kept = JSON.parse(localStorage.held.tiktok_fired);
  assert.equal(Object.keys(kept).length, 100);
  const aged = Object.fromEntries(Object.keys(kept).map((key) => [key, Date.now() - 31 * 86_400_000]));
  localStorage.held.tiktok_fired = JSON.stringify(aged);
  assert.deepEqual(open([{ ...BASE, calls: [lead(1)] }], { window: { localStorage } }).names(), ["Lead"]);
});

for (const text of ["{", "null", "5", '"x"', "[]"]) {
  test(`where the storage holds ${text} the call is made`, () => {
    const localStorage = storage({ tiktok_fired: text });
    assert.deepEqual(open([{ ...BASE, calls: [LEAD] }], { window: { localStorage } }).names(), ["Lead"]);
  });
}

test("clicks are not remembered, for their ids are new each time", () => {
  const localStorage = storage();
  open([BASE], { window: { localStorage } }).click(button());
  assert.deepEqual(localStorage.held, {});
});

for (const gate of [null, { state: "granted" }]) {
  test(`a prerendered page does nothing until somebody visits it, ${gate ? "with" : "without"} a gate`, () => {
    const blocks = [{ ...BASE, calls: [LEAD], unseen: [signed({ e: "ViewContent", i: "view-1", p: { value: 5 } })] }];
    const page = open(blocks, { gate, prerendering: true, search: "?ttclid=E.1" });
    page.window.ttqTrack("Contact");
    assert.deepEqual([page.scripts, page.window.ttq, page.fetched, page.sent], [[], undefined, [], []]);
    become(page, { prerendering: false });
    page.activate();
    assert.deepEqual(page.names(), ["Lead", "ViewContent", "Contact"]);
    assert.equal(page.sent[0][1].event_id, "view-1");
    assert.equal(page.sent[0][1].page, "https://shop.example/?ttclid=E.1");
  });
}

test("a page that refused and has agreed elsewhere counts again from the next click on", () => {
  const page = open([{ ...BASE, calls: [LEAD] }], { gate: ASKS, cookie: "choice=no" });
  become(page, { cookie: "choice=yes" });
  page.click(button());
  assert.deepEqual([page.names(), page.scripts.length], [["AddToCart"], 1]);
});

test("what is signed wins over what the page says", () => {
  const meta = element("META", { "tiktok-action": signed({ e: "Search", a: ["status"], p: { status: "web" } }) });
  const page = open([BASE], { metas: [element("META", { "tiktok-action": "junk" }), meta] });
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
  assert.equal(page.fetched[0][0], URL_OF.beacon + "?ttclid=E.C.P");
  assert.equal(page.sent[0][0], URL_OF.beacon + "?ttclid=E.C.P");
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

/* As the browser changes what document says, whatever the content has put over it. */
function become(page, members) {
  Object.assign(Object.getPrototypeOf(page.document), members);
}

for (const [name, cookie, told, heard] of [
  ["a refusal", "choice=no", true, []],
  ["a refusal that ends what the banner said on this page", "choice=no", false, []],
  ["a cookie that is gone", "", true, []],
  ["no change", "choice=yes", true, ["AddToCart"]],
]) {
  test(`before each call the cookie is looked at: ${name}`, () => {
    const page = open([BASE], { gate: ASKS, cookie: told ? "choice=yes" : "" });
    if (!told) {
      page.window.tiktokAttribution.consent(true);
    }
    become(page, { cookie });
    page.click(button());
    assert.deepEqual(page.names(), heard);
    assert.equal(page.queue().at(-1)[0] === "revokeConsent", heard.length === 0);
    become(page, { cookie: "choice=yes" });
    page.window.ttqTrack("Contact");
    assert.deepEqual(page.names().at(-1), "Contact");
  });
}

for (const type of ["pageshow", "visibilitychange", "focus"]) {
  test(`an answer that is given elsewhere is seen on ${type}, and the server is told of this page`, () => {
    const page = open([{ ...BASE, calls: [LEAD] }], { gate: { ...ASKS, url: "/consent/" }, search: "?ttclid=E.1" });
    become(page, { cookie: "choice=yes" });
    become(page, { visibilityState: "visible" });
    page.listeners[type]({ type, persisted: true });
    assert.deepEqual(page.names(), ["Lead"]);
    const [[, told]] = page.fetched.filter(([to]) => to.endsWith("/consent/"));
    assert.equal(JSON.parse(told.body).search, "?ttclid=E.1");
    become(page, { cookie: "choice=no" });
    page.listeners[type]({ type, persisted: true });
    assert.equal(page.queue().at(-1)[0], "revokeConsent");
  });
}

test("a page that is just being left looks at nothing", () => {
  const page = open([{ ...BASE, calls: [LEAD] }], { gate: ASKS });
  become(page, { cookie: "choice=yes" });
  become(page, { visibilityState: "hidden" });
  page.listeners.visibilitychange({ type: "visibilitychange" });
  assert.deepEqual(page.scripts, []);
});

const SERVER = { state: "granted", remote: true, url: "/consent/" };

for (const [state, heard] of [["denied", []], ["granted", ["AddToCart"]], ["unknown", []]]) {
  test(`where only the server knows the answer it is asked, and calls wait: ${state}`, async () => {
    const page = open([BASE], { gate: { ...SERVER }, answer: { ok: true, body: { calls: [], state } } });
    page.listeners.pageshow({ type: "pageshow", persisted: true });
    page.click(button());
    assert.deepEqual(page.names(), []);
    await settled();
    assert.deepEqual(page.names(), heard);
  });
}

test("a server that does not answer leaves calls waiting, until it is asked again", async () => {
  const answer = { ok: false, body: { calls: [], state: "granted" } };
  const page = open([BASE], { gate: { ...SERVER }, answer });
  page.listeners.pageshow({ type: "pageshow", persisted: true });
  page.click(button());
  await settled();
  assert.deepEqual(page.names(), []);
  answer.ok = true;
  become(page, { visibilityState: "visible" });
  page.listeners.visibilitychange({ type: "visibilitychange" });
  await settled();
  assert.deepEqual(page.names(), ["AddToCart"]);
});

test("a banner can ask whether the browser refuses already", () => {
  const refused = (navigator, rule) => open([BASE], { gate: rule, window: { navigator } }).window.tiktokAttribution.refused();
  const rule = { dnt: "deny", gpc: "limited_data_use" };
  assert.equal(refused({ doNotTrack: "1" }, rule), true);
  assert.equal(refused({ globalPrivacyControl: true }, rule), false);
  assert.equal(refused({}, rule), false);
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
  page.click(element("BUTTON", { "tiktok-action": "{broken" }));
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
  assert.deepEqual(page.sent, [[URL_OF.beacon, { receipt: "r" }]]);
});

test("only a script is obeyed, whatever has its class", () => {
  const evil = { ...BASE, pixels: ["EVIL"], url: "https://evil.example/", calls: [LEAD] };
  const page = open([BASE]);
  page.blocks.push(block(evil, "P"), Object.assign(block(evil), { type: "text/plain" }));
  page.changed();
  assert.deepEqual([page.scripts.length, page.names()], [1, []]);
});

test("a later block adds calls and pixels, and changes nothing else", () => {
  const page = open([BASE]);
  page.blocks.push(block({ pixels: ["C0B", "C0B&lib=x", "../x"], host: "https://evil.example", url: "https://evil.example/",
    turbo: true, quiet: true, unsigned: true, private: ["/"], options: { limited_data_use: false }, calls: [LEAD] }));
  page.changed();
  page.click(button());
  page.click(element("BUTTON", UNSIGNED));
  assert.deepEqual(page.names(), ["Lead", "AddToCart"]);
  assert.deepEqual(page.scripts.map((one) => new URL(one.src).hostname), ["tiktok.example", "tiktok.example"]);
  assert.deepEqual(page.sent.map(([to]) => to), [URL_OF.beacon]);
  assert.deepEqual(page.window.ttq._o.C0B, {});
});

test("what a header, an event or the site's own code hands over changes no address and no option either", () => {
  const evil = { pixels: ["C0B"], host: "https://evil.example", url: "https://evil.example/", options: { x: 1 }, unsigned: true };
  const page = open([BASE]);
  page.window.tiktokAttribution.fire(evil);
  page.window.tiktokAttribution.received({ headers: { get: () => JSON.stringify(evil) } });
  page.listeners["tiktok:events"]({ detail: evil });
  page.click(button());
  page.click(element("BUTTON", UNSIGNED));
  assert.deepEqual(page.scripts.map((one) => new URL(one.src).hostname), ["tiktok.example", "tiktok.example"]);
  assert.deepEqual([page.names(), page.sent.map(([to]) => to), page.window.ttq._o.C0B], [["AddToCart"], [URL_OF.beacon], {}]);
});

for (const url of ["https://evil.example/", "//evil.example/", "http://shop.example/", "javascript:alert(1)", "http://["]) {
  test(`nothing is reported to ${url}`, () => {
    const page = open([{ ...BASE, url }], { cookie: "tiktok_waiting=1" });
    page.click(button());
    assert.deepEqual([page.names(), page.sent, page.fetched], [["AddToCart"], [], []]);
  });
}

test("a host that is no web address loads nothing", () => {
  assert.deepEqual(open([{ ...BASE, host: "data:text/javascript,alert(1)//" }]).scripts, []);
});

test("a gate that did not load lets nothing through", () => {
  const page = open([BASE]);
  Object.getPrototypeOf(page.document).querySelector = () => ({});
  const window = { ...page.window, tiktokAttribution: undefined, ttq: undefined };
  run(window, page.document);
  assert.equal(window.ttq, undefined);
});

const CLINIC = { ...BASE, private: ["/clinic/"] };

function go(page, path) {
  Object.assign(page.window.location, { pathname: path, href: "https://shop.example" + path });
}

for (const path of ["/clinic/", "/clinic/x", "/cl%69nic/x", "/%ff"]) {
  test(`on the private page ${path} nothing is called or sent, and what came there waits`, () => {
    const page = open([{ ...CLINIC, turbo: true, receipt: "r" }]);
    go(page, path);
    page.loadScripts();
    const before = page.queue().length;
    page.click(button());
    page.window.ttqTrack("Contact");
    page.listeners["turbo:load"]({ detail: { timing: { visitStart: 1 } } });
    page.blocks.push(block({ ...BASE, calls: [LEAD] }));
    page.document.cookie = "tiktok_waiting=1";
    page.changed();
    assert.deepEqual([page.queue().length, page.sent, page.fetched], [before, [], []]);
    go(page, "/shop/");
    page.changed();
    assert.deepEqual(page.names(), ["Lead"]);
  });
}

test("a page that is private from the start loads nothing", () => {
  assert.deepEqual(open([CLINIC], { path: "/clinic/" }).scripts, []);
});

test("an answer on a private page loads nothing before the next", () => {
  const gate = { ...ASKS, private: ["/clinic/"], url: "/tiktok/consent/" };
  const page = open([{ ...CLINIC, calls: [LEAD] }], { gate, answer: { body: { calls: [["", "page", []]] } } });
  go(page, "/clinic/");
  page.window.tiktokAttribution.consent(true);
  assert.deepEqual([page.scripts, page.window.ttq], [[], undefined]);
  assert.equal(JSON.parse(page.fetched[0][1].body).page, "https://shop.example/clinic/");
  go(page, "/shop/");
  page.blocks.push(block(BASE));
  page.changed();
  assert.deepEqual(page.names(), ["Lead"]);
});
