/*
 * A stand-in for TikTok's events.js, for demos and tests. It runs the queue that the base code fills, and
 * posts every event to the stand-in that it was loaded from. It follows the documented form of the queue.
 */
(function () {
  "use strict";

  const LIFE_OF_COOKIE_SECONDS = 34190000;
  const QUIET = ["instances", "debug", "on", "off", "once", "alias", "group", "load", "instance"];

  const script = document.currentScript;
  const origin = new URL(script ? script.src : location.href).origin;
  const ttq = window[window.TiktokAnalyticsObject || "ttq"];

  function post(call) {
    const text = JSON.stringify(call);
    const address = origin + "/api/v2/pixel";
    if (navigator.sendBeacon && navigator.sendBeacon(address, text)) {
      return;
    }
    fetch(address, { method: "POST", body: text, headers: { "Content-Type": "text/plain" }, keepalive: true })
      .catch(function () {});
  }

  function remark(text) {
    post({ type: "remark", pixel: "", text: text });
  }

  if (!Array.isArray(ttq)) {
    remark("window.ttq is not an array: TikTok's script ignores all its calls, and says nothing");
    return;
  }

  function newState() {
    return {
      identity: {},
      consent: "granted",
      held: [],
      cookies: true,
      clickId: new URLSearchParams(location.search).get("ttclid") || "",
      address: addressWithoutFragment(),
      previous: document.referrer,
    };
  }

  function addressWithoutFragment() {
    return location.href.split("#")[0];
  }

  function readCookie(name) {
    const found = document.cookie.split("; ").find((one) => one.startsWith(name + "="));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  }

  function writeCookie(name, value) {
    document.cookie = name + "=" + value + "; path=/; max-age=" + LIFE_OF_COOKIE_SECONDS + "; SameSite=Lax";
  }

  function keepCookies(state) {
    if (!state.cookies || state.consent !== "granted") {
      return;
    }
    const bytes = crypto.getRandomValues(new Uint8Array(14));
    const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") + ".tt.1";
    writeCookie("_ttp", readCookie("_ttp") || fresh);
    writeCookie("_tt_enable_cookie", "1");
  }

  function send(state, call) {
    if (state.consent === "revoked") {
      return;
    }
    if (state.consent === "held") {
      state.held.push(call);
      return;
    }
    keepCookies(state);
    if (state.cookies) {
      call.user.ttp = readCookie("_ttp");
    }
    post(call);
  }

  function optionsOf(pixel) {
    return (ttq._o && ttq._o[pixel]) || {};
  }

  function record(state, pixels, type, event, properties, options) {
    const given = properties && typeof properties === "object" ? properties : {};
    const wanted = options && typeof options === "object" ? options : {};
    pixels
      .filter((pixel) => !wanted.pixel_code || wanted.pixel_code === pixel)
      .forEach(function (pixel) {
        send(state, {
          type: type,
          pixel: pixel,
          event: event,
          event_id: wanted.event_id,
          properties: given,
          user: Object.assign({}, state.identity, { ttclid: state.clickId, locale: navigator.language }),
          page: { url: location.href, referrer: state.previous },
          limited_data_use: optionsOf(pixel).limited_data_use === true || given.limited_data_use === true,
        });
      });
  }

  function identify(state, user) {
    Object.entries(user && typeof user === "object" ? user : {}).forEach(function ([key, value]) {
      if (value !== undefined && value !== null && value !== "") {
        state.identity[key] = value;
      }
    });
  }

  function setConsent(state, consent) {
    state.consent = consent;
    const held = state.held.splice(0);
    if (consent === "held") {
      state.held = held;
    } else if (consent === "granted") {
      keepCookies(state);
      held.forEach((call) => send(state, call));
    }
  }

  function perform(state, pixels, entry) {
    const method = entry[0];
    if (method === "track") {
      record(state, pixels, "track", entry[1], entry[2], entry[3]);
    } else if (method === "page") {
      record(state, pixels, "page", "", entry[1], {});
    } else if (method === "identify") {
      identify(state, entry[1]);
    } else if (method === "holdConsent") {
      setConsent(state, "held");
    } else if (method === "grantConsent") {
      setConsent(state, "granted");
    } else if (method === "revokeConsent") {
      setConsent(state, "revoked");
    } else if (method === "enableCookie") {
      state.cookies = true;
      keepCookies(state);
    } else if (method === "disableCookie") {
      state.cookies = false;
    } else if (method === "ready") {
      if (typeof entry[1] === "function") {
        entry[1]();
      }
    } else if (!QUIET.includes(method)) {
      remark("ttq has no method named " + String(method).slice(0, 60));
    }
  }

  /* Run the calls of a queue, and make later calls run at once. Entries that are not arrays are ignored. */
  function adopt(state, queue, pixelsOf) {
    const act = function (entry) {
      if (Array.isArray(entry)) {
        perform(state, pixelsOf(), entry);
      }
    };
    const waiting = queue.splice(0);
    queue.push = function () {
      Array.prototype.forEach.call(arguments, act);
      return 0;
    };
    waiting.forEach(act);
  }

  function allPixels() {
    return Object.keys(ttq._i || {});
  }

  function observeHistory(state) {
    const routeChanged = function () {
      const now = addressWithoutFragment();
      if (now === state.address) {
        return;
      }
      state.previous = state.address;
      state.address = now;
      const observed = allPixels().filter((pixel) => optionsOf(pixel).historyObserver !== false);
      record(state, observed, "page", "", {}, {});
    };
    ["pushState", "replaceState"].forEach(function (name) {
      const original = history[name];
      history[name] = function () {
        const result = original.apply(this, arguments);
        routeChanged();
        return result;
      };
    });
    window.addEventListener("popstate", routeChanged);
  }

  /* A page may have one script tag for each pixel. The first one sets up the state and the common queue. */
  const first = !ttq._standIn;
  if (first) {
    Object.defineProperty(ttq, "_standIn", { value: newState() });
  }
  const state = ttq._standIn;
  if (first) {
    state.cookies = !ttq.some((entry) => Array.isArray(entry) && entry[0] === "disableCookie");
    adopt(state, ttq, allPixels);
    observeHistory(state);
  }
  allPixels().forEach(function (pixel) {
    const queue = ttq._i[pixel];
    if (Array.isArray(queue) && !Object.hasOwn(queue, "push")) {
      adopt(state, queue, () => [pixel]);
    }
  });
  keepCookies(state);
})();
