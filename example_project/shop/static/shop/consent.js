// The consent banner. The answer lies in the cookie shop_ads, which the settings name to tiktok_attribution; its hook then
// lets go what has waited, or takes it back, without a page load. An ad blocker may have taken the hook away: then the
// server reads the cookie with the next page.
(() => {
  const COOKIE = "shop_ads";
  const DAYS = 180;
  const NOW = { yes: "At the moment you agree.", no: "At the moment you refuse." };
  const SAID = { yes: "You agree. Thank you.", no: "You refuse. Nothing is told to TikTok." };
  const OBJECTS = "Your browser objects by itself, so nothing is told to TikTok.";
  const banner = document.querySelector("[data-consent]");
  const said = document.querySelector("[data-consent-said]");
  let opener = null;

  // By the shop's own settings; where an ad blocker has taken the hook away, by the browser's signals alone.
  function refused() {
    const hook = window.tiktokAttribution;
    return hook?.refused ? hook.refused() : navigator.globalPrivacyControl || navigator.doNotTrack === "1";
  }

  function answer() {
    return (new RegExp(`(?:^|; )${COOKIE}=(yes|no)`).exec(document.cookie) || [])[1];
  }

  function open(by) {
    const now = banner.querySelector("[data-consent-now]");
    now.textContent = refused()
      ? "Your browser objects by itself (Global Privacy Control or Do Not Track), and we keep to that."
      : NOW[answer()] || "";
    now.hidden = !now.textContent;
    banner.querySelector("[data-consent-later]").textContent = answer() ? "Leave it so" : "Decide later";
    opener = by;
    banner.hidden = false;
    if (by) banner.querySelector("h2").focus();
  }

  function close() {
    banner.hidden = true;
    if (opener) opener.focus();
  }

  function decide(given) {
    const secure = location.protocol === "https:" ? ";secure" : "";
    document.cookie = `${COOKIE}=${given};path=/;max-age=${DAYS * 86400};samesite=lax${secure}`;
    if (window.tiktokAttribution?.consent) window.tiktokAttribution.consent(given === "yes");
    said.textContent = given === "yes" && refused() ? OBJECTS : SAID[given];
    close();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.consentAnswer) decide(button.dataset.consentAnswer);
    else if ("consentOpen" in button.dataset) open(button);
    else if ("consentLater" in button.dataset) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opener && !banner.hidden) close();
  });
  if (!answer() && !refused()) open(null);
})();
