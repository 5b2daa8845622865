/* tiktok_attribution: see docs/browser.md. Nothing here throws into the page. */
(function (w, d) {
  "use strict";

  const t = (w.tiktokAttribution = w.tiktokAttribution || {}); // gate.js may have made it
  if (t.scan) {
    t.scan();
    return;
  }

  const METHODS = ("page track identify instances debug on off once ready alias group " +
    "enableCookie disableCookie holdConsent revokeConsent grantConsent").split(" ");
  const DOUBLE_CLICK_MS = 700;
  const nonce = d.currentScript && d.currentScript.nonce;
  const blocks = d.getElementsByClassName("tiktok-attribution");
  const made = new Set(); // htmx and Turbo bring pages back
  const acted = new WeakMap();
  const receipts = [];
  const site = { url: "" }; // quiet in Standard Mode
  const clicked = /[?&](ttclid=[^&#]*)/.exec(w.location.search);
  let landed = clicked;
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

  /* The gate, where there is one, decides whether anything is loaded or sent. */
  function when(step) {
    (t.when || ((run) => run()))(safely(step));
  }

  function defer(target, method) {
    target[method] = (...given) => target.push([method, ...given]);
  }

  function stub(ttq, host) {
    ttq.methods = METHODS;
    ttq.setAndDefer = defer;
    METHODS.forEach((method) => defer(ttq, method));
    ttq.instance = (id) => {
      const queue = (ttq._i && ttq._i[id]) || [];
      METHODS.forEach((method) => defer(queue, method));
      return queue;
    };
    ttq.load = (id, options) => {
      const address = host + "/i18n/pixel/events.js";
      const script = d.createElement("script");
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
      d.head.appendChild(script);
    };
  }

  function load(ids, options, host) {
    const ttq = (w.ttq = w.ttq || []);
    const alone = !ttq._i;
    w.TiktokAnalyticsObject = "ttq";
    if (!ttq.load) {
      stub(ttq, host);
    } else if (!live) {
      ttq.ready(safely(arrived)); // where the stub is another tag's
    }
    const fresh = ids.filter((id) => !ttq._i || !ttq._i[id]);
    if (fresh.length && t.held) {
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

  function call(one) {
    const key = JSON.stringify(one);
    if (one.identify) {
      w.ttq.identify(one.identify);
    } else if (!one.event_id || !made.has(key)) {
      made.add(key);
      const pixels = one.pixels || [];
      const targets = pixels.length ? pixels.map((id) => w.ttq.instance(id)) : [w.ttq];
      const options = one.event_id ? { event_id: one.event_id } : {};
      targets.forEach((target) => target.track(one.event, one.properties || {}, options));
    }
  }

  function fire(block) {
    when(() => {
      if (block.pixels) {
        load(block.pixels, block.options, block.host);
      }
      (block.calls || []).forEach(safely(call));
      if (block.receipt) {
        receipts.push(block.receipt);
        if (live) {
          arrived();
        }
      }
    });
  }

  function read(block) {
    const data = JSON.parse(block.textContent);
    Object.assign(site, data);
    fire(data);
  }

  function scan() {
    const fresh = Array.from(blocks);
    fresh.forEach((block) => {
      block.className = ""; // read
      safely(read)(block);
    });
    if (fresh.length) {
      when(collect);
    }
  }

  function address() {
    return site.url + (clicked ? "?" + clicked[1] : "");
  }

  /* A Turbo link that is redirected changes the address twice. */
  function visited(event) {
    if (site.turbo && w.ttq && event.detail.timing.visitStart) {
      when(() => w.ttq.page());
    }
  }

  function send(report) {
    const body = JSON.stringify(report);
    if (site.url && !(w.navigator.sendBeacon && w.navigator.sendBeacon(address(), body))) {
      post(body).catch(() => {});
    }
  }

  function post(body) {
    return w.fetch(address(), { method: "POST", body, keepalive: true });
  }

  /* What waits for this visitor, on a page out of a shared cache. */
  function collect() {
    if (!site.url || collecting || !(landed || /(^|; )tiktok_waiting=/.test(d.cookie))) {
      return;
    }
    collecting = true;
    landed = null;
    post('{"pending":true}').then((answer) => (answer.status === 200 ? answer.json() : {})).then(fire)
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

  function words(source, name) {
    return ((source && source.getAttribute(name)) || "").split(" ").filter(Boolean);
  }

  /* To TikTok, and with the same id to the site, as far as it is signed. */
  function act(name, source, given) {
    const action = source && source.getAttribute("data-tiktok-action");
    const allowed = action ? words(source, "data-tiktok-allow") : Object.keys(given);
    const extra = {};
    allowed.filter((key) => key in given).forEach((key) => (extra[key] = given[key]));
    const own = JSON.parse((source && source.getAttribute("data-tiktok-properties")) || "{}");
    const properties = Object.assign({}, extra, own);
    const one = { event: name, properties, event_id: newId(), pixels: words(source, "data-tiktok-pixels") };
    const page = w.location.href;
    when(() => {
      if (!w.ttq || site.quiet) {
        return;
      }
      safely(call)(one);
      if (action) {
        send({ action, event_id: one.event_id, properties: extra, page, live });
      }
    });
  }

  function track(name, properties, element) {
    const signed = Array.from(d.querySelectorAll("meta[data-tiktok-event]"));
    const source = element || signed.find((meta) => meta.getAttribute("data-tiktok-event") === name);
    act(name, source, properties || {});
  }

  function marked(event) {
    const source = event.target.closest && event.target.closest("[data-tiktok-event]");
    const now = Date.now();
    const isMine = source && (source.tagName === "FORM") === (event.type === "submit");
    if (!isMine || now - (acted.get(source) || 0) < DOUBLE_CLICK_MS) {
      return;
    }
    acted.set(source, now);
    const given = {};
    source.querySelectorAll("[data-tiktok-property]").forEach((field) => {
      given[field.getAttribute("data-tiktok-property")] = field.value;
    });
    act(source.getAttribute("data-tiktok-event"), source, given);
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
    d.addEventListener("click", safely(marked), true);
    d.addEventListener("submit", safely(marked), true);
    d.addEventListener("turbo:load", safely(visited));
    d.addEventListener("tiktok:events", safely((event) => fire(event.detail)));
    scan();
    new w.MutationObserver(safely(scan)).observe(d.documentElement, { childList: true, subtree: true });
  })();
})(window, document);
