/* tiktok_attribution: the gate before the pixel, see docs/privacy.md. The inline page has this very text in it, with the
   rule in place of the element's (browser/gate.py). `when` keeps what needs an answer until there is one; `consent` is the
   hook for a banner that answers without a page load: it tells the server too, which then hands over what was held.
   Cookies: the last one of a name counts, as Django reads them; a value that can't be decoded is no answer.
   Elements that the content names (<a id="ttq">, <img name="cookie">) hide members of window and document: so globals
   are taken where window itself has them, members from the prototype, and the rule from a script, which sanitisers
   take away. On a private page (PRIVATE_PATHS), shown without being loaded, an answer runs nothing until the next.
   A page can stay open, or come out of the browser's memory, while another one gets the answer. So the cookie outranks
   what this page has been told, and is read again before each call and whenever the page is shown. Where only the
   server knows the answer (`rule.remote`: a session, a callable), a page that is shown again asks it; until it answers,
   calls wait. Without the app's URLs such a page keeps the answer that it was made with.
   A prerendered page runs nothing until somebody visits it. */
!function (w, d, n, rule) {
  var t = w.tiktokAttribution = global("tiktokAttribution") || {}, waiting = [], asking = false, revoked = false;
  var state = "", said, last;
  if (t.when) { return; }
  function global(name) { return Object.prototype.hasOwnProperty.call(w, name) && w[name]; }
  function member(name) { return Reflect.get(Object.getPrototypeOf(d), name, d); }
  function listen(target, name, heard) { member("addEventListener").call(target, name, heard); }
  function hidden() {
    var path = null;
    try { path = decodeURIComponent(w.location.pathname); } catch (error) { /* hidden, where anything is */ }
    return (rule.private || []).some(function (prefix) { return path === null || path.indexOf(prefix) === 0; });
  }
  function cookie(name) {
    var found = "";
    member("cookie").split(";").forEach(function (part) {
      var at = part.indexOf("=");
      if (part.slice(0, at).trim() === name) { found = part.slice(at + 1).trim().replace(/^"(.*)"$/, "$1"); }
    });
    return found;
  }
  function number(bits, start, length) {
    return start + length > bits.length ? NaN : parseInt(bits.slice(start, start + length), 2);
  }
  function tcf(text, asked) {
    var core = text.split(".")[0], bits = "", vendor = asked.vendor, place = 242, entries, first, last, has = false;
    if (!/^[A-Za-z0-9_-]+$/.test(core)) { return "unknown"; }
    core.split("").forEach(function (c) {
      var six = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(c);
      bits += ("00000" + six.toString(2)).slice(-6);
    });
    bits = bits.slice(0, bits.length - bits.length % 8);
    if (number(bits, 0, 6) !== 2 || bits.length < 230) { return "unknown"; }
    if (!asked.purposes.every(function (one) { return bits[151 + one] === "1"; })) { return "denied"; }
    if (vendor === null) { return "granted"; }
    if (vendor > number(bits, 213, 16)) { return "denied"; }
    if (bits[229] === "0") { return {"0": "denied", "1": "granted"}[bits[229 + vendor]] || "unknown"; }
    for (entries = number(bits, 230, 12); entries > 0 && !has; entries--) {
      first = number(bits, place + 1, 16);
      last = bits[place] === "1" ? number(bits, place + 17, 16) : first;
      if (isNaN(last)) { return "unknown"; }
      has = first <= vendor && vendor <= last;
      place += bits[place] === "1" ? 33 : 17;
    }
    return has ? "granted" : isNaN(entries) ? "unknown" : "denied";
  }
  function read(asked) {
    var text = cookie(asked.cookie);
    if (asked.purposes) { return tcf(text, asked); }
    try { text = decodeURIComponent(text); } catch (error) { text = ""; }
    if (!text || /[\x00-\x1f\x7f]/.test(text)) { return "unknown"; }
    if (new RegExp(asked.granted).test(text)) { return "granted"; }
    return (!asked.by || cookie(asked.by)) && new RegExp(asked.denied).test(text) ? "denied" : "unknown";
  }
  function effects() {
    return [n.globalPrivacyControl && rule.gpc, n.doNotTrack === "1" && rule.dnt,
      rule.out && read(rule.out) === "granted" && rule.effect];
  }
  function refused() { return effects().indexOf("deny") >= 0; }
  /* `state` is what this page has been told. It holds while the cookie says the same as then, and never against "no". */
  function answer() {
    var stored = !rule.state && rule.consent, now = stored ? read(stored) : rule.state || "granted";
    if (refused()) { return "denied"; }
    if (now !== said) { said = now; state = ""; }
    return stored && now === "denied" ? now : state || now;
  }
  function flush() { while (waiting.length) { waiting.shift()(); } }
  /* True where the answer is another one than this page last acted on. */
  function look() {
    var now = answer(), ttq = global("ttq");
    if (now === last || now === "granted" && hidden()) { return false; }
    last = now;
    if (now === "granted") {
      if ((t.awaiting || revoked) && ttq) { ttq.grantConsent(); }
      t.awaiting = revoked = false;
      flush();
    } else {
      if (now === "denied") { waiting = []; }
      revoked = true;
      if (ttq && ttq.revokeConsent) { ttq.revokeConsent(); }
    }
    return true;
  }
  function tell() {
    var asked = asking;
    if (!rule.url) { return; }
    w.fetch(new URL(rule.url, w.location.origin).href, {method: "POST", credentials: "same-origin", keepalive: true,
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({search: w.location.search, page: w.location.href})})
      .then(function (response) { return response.ok ? response.json() : {}; })
      .then(function (found) {
        if (asked && "state" in found) {
          asking = false;
          rule.state = found.state;
          state = "";
          look();
          if (last === "granted") { flush(); }
        }
        if (answer() === "granted" && !hidden()) {
          (found.calls || []).forEach(function (call) {
            var on = call[0] ? w.ttq.instance(call[0]) : w.ttq;
            on[call[1]].apply(on, call[2]);
          });
        }
      }).catch(function () {});
  }
  function shown(event) {
    var again = event.type === "pageshow" ? event.persisted : member("visibilityState") === "visible";
    if (!again) { return; }
    asking = asking || !!(rule.remote && rule.url && event.type !== "focus");
    if (asking || look()) { tell(); }
  }
  t.limited = rule.limited || effects().indexOf("limited_data_use") >= 0;
  t.awaiting = false;
  t.refused = refused;
  t.when = function (run) {
    var now;
    if (member("prerendering")) { return listen(d, "prerenderingchange", function () { t.when(run); }); }
    if (look()) { tell(); }
    now = asking ? "" : answer();
    if (now === "granted") { run(); }
    else if (now === "unknown" && rule.hold && !revoked) { t.awaiting = true; run(); }
    else if (now !== "denied") { waiting.push(run); }
  };
  t.consent = function (granted) {
    var given = granted ? "granted" : "denied", secure;
    if (rule.consent && rule.consent.own) {
      secure = w.location.protocol === "https:";
      Reflect.set(Object.getPrototypeOf(d), "cookie", rule.consent.cookie + "=" + given + ";path=/;max-age="
        + rule.days * 86400 + (rule.domain ? ";domain=" + rule.domain : "") + (secure ? ";secure" : "")
        + (secure && rule.frames ? ";samesite=none;partitioned" : ";samesite=lax"), d);
    }
    answer();
    state = given;
    look();
    tell();
  };
  last = answer();
  /* A consent tool can answer without the hook. Where the answer is no, and a landing has given this browser a key
     (`rule.landed` names the cookie that says so), the server is told, and takes both away. */
  if (rule.landed && last === "denied" && cookie(rule.landed) && !member("prerendering")) { tell(); }
  listen(w, "pageshow", shown);
  listen(w, "focus", shown);
  listen(d, "visibilitychange", shown);
}(window, document, navigator, JSON.parse(Object.getPrototypeOf(document).querySelector.call(document, "script#tiktok-gate").textContent));
