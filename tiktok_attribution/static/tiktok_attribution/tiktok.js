/* tiktok_attribution: see docs/browser.md and, for what is obeyed, docs/security.md. Nothing here throws into the page.
   Elements that the content names (<a id="ttq">, <img name="cookie">) hide members of window and document: so globals
   are taken where window itself has them, and members from the prototype. */
(function (w, d) {
  "use strict";

  const t = (w.tiktokAttribution = global("tiktokAttribution") || {}); // gate.js may have made it
  if (t.scan) {
    t.scan();
    return;
  }

  const METHODS = ("page track identify instances debug on off once ready alias group " +
    "enableCookie disableCookie holdConsent revokeConsent grantConsent").split(" ");
  const DOUBLE_CLICK_MS = 700;
  const STORE = "tiktok_fired";
  const MOST = 100;
  const MONTH_MS = 2592e6;
  const ask = safely((node, name, ...given) => Object.getPrototypeOf(node)[name].apply(node, given));
  const get = safely((node, name) => Reflect.get(Object.getPrototypeOf(node), name, node));
  const nonce = (get(d, "currentScript") || {}).nonce;
  const gated = ask(d, "querySelector", "script#tiktok-gate");
  const blocks = ask(d, "getElementsByClassName", "tiktok-attribution");
  const made = new Set(); // htmx and Turbo bring pages back
  const acted = new WeakMap();
  const unsure = new WeakMap(); // forms whose submit may still be prevented
  const receipts = [];
  const later = [];
  let site; // of the server's own block, the first one
  const clicked = /[?&](ttclid=[^&#]*)/.exec(w.location.search);
  let landed = clicked;
  let tagged = clicked || /[?&]utm_/.test(w.location.search);
  let live = false; // events.js has come
  let collecting = false;

  function safely(step) {
    return (...given) => {
      try {
        return step(...given);
      } catch {
        return null;
      }
    };
  }

  function listen(name, heard, early) {
    ask(d, "addEventListener", name, safely(heard), early);
  }

  function global(name) {
    return Object.prototype.hasOwnProperty.call(w, name) && w[name];
  }

  function isPrivate() {
    const prefixes = site.private || [];
    const path = safely(decodeURIComponent)(w.location.pathname);
    return prefixes.some((prefix) => path === null || path.startsWith(prefix));
  }

  /* The gate, where there is one, decides whether anything is loaded or sent. A private page (PRIVATE_PATHS), which
     htmx, Turbo and the like show without loading it, neither loads nor sends; what is to be kept waits for the next. */
  function when(step, kept) {
    if (get(d, "prerendering")) { // nobody may ever see it
      listen("prerenderingchange", () => when(step, kept));
      return;
    }
    const run = () => (isPrivate() ? kept && later.push(step) : step());
    if (site && (t.when || !gated)) {
      (t.when || ((now) => now()))(safely(run));
    }
  }

  function defer(target, method) {
    target[method] = (...given) => target.push([method, ...given]);
  }

  function stub(ttq) {
    ttq.methods = METHODS;
    ttq.setAndDefer = defer;
    METHODS.forEach((method) => defer(ttq, method));
    ttq.instance = (id) => {
      const queue = (ttq._i && ttq._i[id]) || [];
      METHODS.forEach((method) => defer(queue, method));
      return queue;
    };
    ttq.load = (id, options) => {
      const address = site.host + "/i18n/pixel/events.js";
      const script = ask(d, "createElement", "script");
      ttq._i = ttq._i || {};
      ttq._i[id] = [];
      ttq._i[id]._u = address;
      ttq._t = ttq._t || {};
      ttq._t[id] = Date.now();
      ttq._o = ttq._o || {};
      ttq._o[id] = options || {};
      script.async = true;
      if (nonce) {
        script.nonce = nonce;
      }
      script.onload = safely(arrived);
      script.src = address + "?sdkid=" + id + "&lib=ttq";
      get(d, "head").appendChild(script);
    };
  }

  function load(ids) {
    const ttq = (w.ttq = global("ttq") || []);
    const options = site.options;
    const alone = !ttq._i;
    w.TiktokAnalyticsObject = "ttq";
    if (!ttq.load) {
      stub(ttq);
    } else if (!live) {
      ttq.ready(safely(arrived)); // where the stub is another tag's
    }
    const fresh = ids.filter((id) => /^[A-Za-z0-9]+$/.test(id) && !(ttq._i && ttq._i[id]));
    if (fresh.length && t.awaiting) {
      ttq.holdConsent();
    }
    fresh.forEach((id) => ttq.load(id, t.limited ? Object.assign({}, options, { limited_data_use: true }) : options));
    if (fresh.length && alone) {
      ttq.page();
    } else if (!Array.from(ttq).some((one) => one && one[0] === "page")) {
      fresh.forEach((id) => ttq.instance(id).page());
    }
  }

  function arrived() {
    live = true;
    receipts.splice(0).forEach((receipt) => send({ receipt }));
  }

  function isNew(one) {
    const key = JSON.stringify(one);
    const isKnown = made.has(key);
    made.add(key);
    return !one.event_id || (!isKnown && (String(one.event_id).startsWith("web-") || isFirst(one)));
  }

  /* A page out of the browser's cache runs again; see ONCE in browser/script.py, which does the same. */
  function isFirst(one) {
    const text = [one.event, one.event_id].concat(one.pixels || []).join(" ");
    const digest = Array.from(text).reduce((sum, part) => ((sum * 33) ^ part.charCodeAt(0)) >>> 0, 5381);
    const fired = Object(safely(() => JSON.parse(w.localStorage.getItem(STORE)))());
    const now = Date.now();
    if (now - fired[digest] < MONTH_MS) {
      return false;
    }
    fired[digest] = now;
    Object.keys(fired).sort((a, b) => fired[b] - fired[a]).slice(MOST).forEach((old) => delete fired[old]);
    safely(() => w.localStorage.setItem(STORE, JSON.stringify(fired)))();
    return true;
  }

  function call(one) {
    if (one.identify) {
      w.ttq.identify(one.identify);
    } else if (isNew(one)) {
      const pixels = one.pixels || [];
      const targets = pixels.length ? pixels.map((id) => w.ttq.instance(id)) : [w.ttq];
      const options = one.event_id ? { event_id: one.event_id } : {};
      targets.forEach((target) => target.track(one.event, one.properties || {}, options));
    }
  }

  function fire(block) {
    when(() => {
      if (block.pixels) {
        load(block.pixels);
      }
      (block.calls || []).forEach(safely(call));
      (block.unseen || []).forEach(safely((action) => act(read(action), {})));
      if (block.receipt) {
        receipts.push(block.receipt);
        if (live) {
          arrived();
        }
      }
    }, true);
  }

  function sameOrigin(url) {
    const found = new URL(url || "", w.location.origin); // not the page's <base>
    return url && found.origin === w.location.origin ? found.href : "";
  }

  function take(block) {
    const data = JSON.parse(block.textContent);
    if (!site && /^https?:/.test(data.host)) {
      site = Object.assign({}, data, { url: safely(sameOrigin)(data.url) });
    }
    fire(data);
  }

  /* Sanitisers take every script away, so one of this type is the site's own work. Whatever adds another can add calls
     and pixels; where reports go, and to whom the pixels belong, stands in the first. */
  function scan() {
    const fresh = Array.from(blocks).filter((one) => one.tagName === "SCRIPT" && one.type === "application/json");
    fresh.forEach((block) => {
      block.className = ""; // read
      safely(take)(block);
    });
    if (fresh.length) {
      when(collect);
    }
    if (later.length && !isPrivate()) {
      later.splice(0).forEach((step) => when(step, true));
    }
  }

  function address() {
    return site.url + (clicked ? "?" + clicked[1] : "");
  }

  /* A Turbo link that is redirected changes the address twice. */
  function visited(event) {
    if (site.turbo && global("ttq") && event.detail.timing.visitStart) {
      when(() => w.ttq.page());
    }
  }

  function send(report) {
    const body = JSON.stringify(report);
    if (site.url && !isPrivate() && !(w.navigator.sendBeacon && w.navigator.sendBeacon(address(), body))) {
      post(body).catch(() => {});
    }
  }

  function post(body) {
    return w.fetch(address(), { method: "POST", body, keepalive: true });
  }

  /* What waits for this visitor, on a page out of a shared cache. */
  function collect() {
    const landing = site.landings && tagged ? get(d, "referrer") : undefined;
    if (!site.url || collecting || !(landed || landing !== undefined || /(^|; )tiktok_waiting=/.test(get(d, "cookie")))) {
      return;
    }
    collecting = true;
    landed = tagged = null;
    post(JSON.stringify({ pending: true, page: w.location.href, landing })).then((answer) => (answer.status === 200 ? answer.json() : {})).then(fire)
      .catch(() => {}).then(() => (collecting = false));
  }

  function newId() {
    const random = w.crypto;
    if (random && random.randomUUID) {
      return "web-" + random.randomUUID();
    }
    return "web-10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => {
      const byte = random ? random.getRandomValues(new Uint8Array(1))[0] : Math.random() * 256;
      return (digit ^ (byte & (15 >> (digit / 4)))).toString(16);
    });
  }

  function attribute(source, name) {
    return ask(source, "getAttribute", name) || "";
  }

  /* What an action says stands in its signed text alone, so a copied signature says no more than it was given for. */
  function signed(source) {
    return read(attribute(source, "tiktok-action"));
  }

  function read(action) {
    const text = action.split(":")[0].replace(/-/g, "+").replace(/_/g, "/");
    return action && Object.assign(JSON.parse(atob(text)), { action });
  }

  /* What no page has signed goes to the pixel alone, and only where the site has switched that on. */
  function unsigned(source) {
    return site.unsigned && {
      e: attribute(source, "tiktok-event"),
      p: JSON.parse(attribute(source, "tiktok-properties") || "{}"),
    };
  }

  /* To TikTok, and with the same id to the site, as far as it is signed. */
  function act({ e, p, a, c, i, action }, given) {
    const allowed = action ? a || [] : Object.keys(given);
    const extra = {};
    allowed.filter((key) => key in given).forEach((key) => (extra[key] = given[key]));
    const one = { event: e, properties: Object.assign({}, extra, p), event_id: i || newId(), pixels: c };
    const page = w.location.href;
    when(() => {
      if (site.quiet) {
        return;
      }
      if (!global("ttq")) { // refused when the page came, agreed to since
        load(site.pixels);
      }
      safely(call)(one);
      if (action) {
        send({ action, event_id: one.event_id, properties: extra, page, live });
      }
    });
  }

  function track(name, properties, element) {
    const metas = Array.from(ask(d, "querySelectorAll", "meta[tiktok-action]")).map(safely(signed));
    const found = element ? signed(element) : metas.find((meta) => meta && meta.e === name);
    act(Object.assign({}, found, { e: (found || {}).e || name }), properties || {});
  }

  function marked(event) {
    const source = ask(event.target, "closest", "[tiktok-action],[tiktok-event]");
    const now = Date.now();
    const isMine = source && (get(source, "tagName") === "FORM") === (event.type === "submit");
    if (!isMine || now - (acted.get(source) || 0) < DOUBLE_CLICK_MS) {
      return;
    }
    const said = signed(source) || unsigned(source);
    if (said && said.e) {
      const given = {};
      ask(source, "querySelectorAll", "[tiktok-property]").forEach((field) => {
        given[attribute(field, "tiktok-property")] = field.value;
      });
      const count = () => {
        acted.set(source, now);
        unsure.delete(source);
        act(said, given);
      };
      if (event.type === "click") {
        count();
      } else {
        unsure.set(source, count);
        w.setTimeout(() => settle(event, source, count));
      }
    }
  }

  /* Decision: a form counts when it is sent. One whose submit a script has prevented was sent by nobody, unless htmx or Turbo
     take it: they tell when they send it, which a dialogue may delay. Where a script of the site's own sends a form,
     it says so by the attribute `tiktok-sent`, or calls ttqTrack when that has worked. */
  function settle(event, source, count) {
    if (unsure.get(source) === count && (!event.defaultPrevented || ask(source, "getAttribute", "tiktok-sent") !== null)) {
      count();
    }
  }

  function sent(event) {
    (unsure.get(event.target) || (() => {}))();
  }

  function received(response) {
    safely(() => {
      fire(JSON.parse(response.headers.get("X-TikTok-Events")) || {});
    })();
    return response;
  }

  w.ttqTrack = safely(track);
  t.scan = safely(scan);
  t.fire = safely(fire);
  t.received = received;

  safely(() => {
    listen("click", marked, true);
    listen("submit", marked, true);
    listen("turbo:load", visited);
    ["turbo:submit-start", "htmx:beforeRequest", "htmx:before:request"].forEach((name) => listen(name, sent, true));
    listen("tiktok:events", (event) => fire(event.detail));
    scan();
    new w.MutationObserver(safely(scan)).observe(d, { childList: true, subtree: true });
  })();
})(window, document);
