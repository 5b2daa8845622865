/*
 * tiktok_attribution, the page's half. It reads the data blocks of the page (<script type="application/json"
 * class="tiktok-attribution">), loads their pixels, makes the calls that wait in them, and tells both TikTok and the
 * site of what happens in the browser alone. ES2019, no dependency, no build step. Nothing here throws into the page.
 */
(function (w, d) {
  "use strict";

  if (w.tiktokAttribution) {
    w.tiktokAttribution.scan();
    return;
  }

  const METHODS = ("page track identify instances debug on off once ready alias group " +
    "enableCookie disableCookie holdConsent revokeConsent grantConsent").split(" ");
  const DOUBLE_CLICK_MS = 700;
  const nonce = d.currentScript && d.currentScript.nonce;
  const blocks = d.getElementsByClassName("tiktok-attribution");
  const made = new Set(); // a page that comes back from a cache of htmx or Turbo must not repeat its calls
  const acted = new WeakMap();
  const held = [];
  const receipts = [];
  let url = "";
  let quiet = false; // Standard Mode: the events are TikTok's Event Builder's
  let agreed = true; // true, false, or null while the visitor has not decided
  let live = false; // events.js has come: no ad blocker, no policy, no lost network
  let landed = /[?&]ttclid=/.test(w.location.search);
  let collecting = false;

  function safely(step) {
    return (...given) => {
      try {
        return step(...given);
      } catch (error) {
        return undefined;
      }
    };
  }

  /* The one place that decides whether anything may be loaded or sent. */
  function when(step) {
    if (agreed) {
      step();
    } else if (agreed === null) {
      held.push(step);
    }
  }

  function start() {
    held.splice(0).forEach((step) => safely(step)());
  }

  function consent(granted) {
    agreed = granted;
    if (granted) {
      start();
    } else if (granted === false) {
      held.length = 0;
    }
  }

  function defer(target, method) {
    target[method] = (...given) => target.push([method, ...given]);
  }

  /* The queue that TikTok's events.js drains: the same as the inline base code of browser/script.py makes. */
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
    ttq.ours = true;
  }

  function load(ids, options, host) {
    const ttq = (w.ttq = w.ttq || []);
    const alone = !ttq._i;
    w.TiktokAnalyticsObject = "ttq";
    if (!ttq.load) {
      stub(ttq, host);
    } else if (!ttq.ours && !live) {
      ttq.ready(safely(arrived));
    }
    const fresh = ids.filter((id) => !ttq._i || !ttq._i[id]);
    fresh.forEach((id) => ttq.load(id, options));
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
    const key = [one.event, one.event_id, one.pixels].join(" ");
    if (one.identify) {
      w.ttq.identify(one.identify);
    } else if (!one.event_id || !made.has(key)) {
      made.add(key);
      const targets = one.pixels && one.pixels.length ? one.pixels.map((id) => w.ttq.instance(id)) : [w.ttq];
      const options = one.event_id ? { event_id: one.event_id } : {};
      targets.forEach((target) => target.track(one.event, one.properties || {}, options));
    }
  }

  /* What a data block, an answer of the site's or a header holds. */
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
    url = data.url || url;
    quiet = data.quiet || quiet;
    if (data.consent !== undefined && !held.length) {
      agreed = data.consent;
    }
    fire(data);
  }

  function scan() {
    const fresh = Array.from(blocks).filter((block) => !block.hasAttribute("data-read"));
    fresh.forEach((block) => {
      block.setAttribute("data-read", "");
      safely(read)(block);
    });
    if (fresh.length) {
      when(collect);
    }
  }

  function address() {
    const clicked = /[?&](ttclid=[^&#]*)/.exec(w.location.search);
    return clicked ? url + "?" + clicked[1] : url; // the site keeps the click id, also of a page out of a cache
  }

  function send(body) {
    const text = JSON.stringify(body);
    const beacon = w.navigator.sendBeacon;
    if (url && !(beacon && beacon.call(w.navigator, address(), text))) {
      post(text, true).catch(() => {});
    }
  }

  function post(text, keepalive) {
    const headers = { "Content-Type": "text/plain" };
    return w.fetch(address(), { method: "POST", body: text, keepalive: keepalive, credentials: "same-origin", headers });
  }

  /* A page out of a shared cache holds nothing of this visitor's. What waits is fetched, where a cookie says so. */
  function collect() {
    if (!url || collecting || !(landed || /(^|; )tiktok_waiting=/.test(d.cookie))) {
      return;
    }
    collecting = true;
    landed = false;
    post('{"pending":true}').then((answer) => (answer.status === 200 ? answer.json() : {})).then(fire)
      .catch(() => {}).then(() => (collecting = false));
  }

  function newId() {
    const random = w.crypto;
    if (random && random.randomUUID) {
      return "web-" + random.randomUUID(); // only where the page came by https
    }
    return "web-10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => {
      const byte = random ? random.getRandomValues(new Uint8Array(1))[0] : Math.random() * 256;
      return (digit ^ (byte & (15 >> (digit / 4)))).toString(16);
    });
  }

  function words(source, name) {
    return ((source && source.getAttribute(name)) || "").split(" ").filter(Boolean);
  }

  /* One event of the browser's own: to TikTok, and with the same id to the site, as far as the page's signature goes. */
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
      if (!w.ttq || quiet) {
        return;
      }
      safely(call)(one);
      if (action) {
        send({ action: action, event_id: one.event_id, properties: extra, page: page, live: live });
      }
    });
  }

  function track(name, properties, element) {
    const metas = Array.from(d.querySelectorAll("meta[data-tiktok-event]"));
    const named = metas.find((meta) => meta.getAttribute("data-tiktok-event") === name);
    act(name, element || named, properties || {});
  }

  function marked(event) {
    const source = event.target.closest && event.target.closest("[data-tiktok-event]");
    const now = Date.now();
    if (!source || (source.tagName === "FORM") !== (event.type === "submit")) {
      return;
    }
    if (now - (acted.get(source) || 0) < DOUBLE_CLICK_MS) {
      return;
    }
    acted.set(source, now);
    const given = {};
    source.querySelectorAll("[data-tiktok-property]").forEach((field) => {
      given[field.getAttribute("data-tiktok-property")] = field.value;
    });
    act(source.getAttribute("data-tiktok-event"), source, given);
  }

  /* For `fetch(…).then(tiktokAttribution.received)`; gives the response back. */
  function received(response) {
    safely(() => {
      const text = response.headers.get("X-TikTok-Events");
      if (text) {
        fire(JSON.parse(text));
      }
    })();
    return response;
  }

  w.ttqTrack = safely(track);
  w.tiktokAttribution = { start, consent: safely(consent), scan: safely(scan), fire: safely(fire), received };

  safely(() => {
    d.addEventListener("click", safely(marked), true);
    d.addEventListener("submit", safely(marked), true);
    d.addEventListener("tiktok:events", safely((event) => fire(event.detail))); // htmx, from HX-Trigger
    scan();
    new w.MutationObserver(safely(scan)).observe(d.documentElement, { childList: true, subtree: true });
  })();
})(window, document);
