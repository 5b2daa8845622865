/* While a background job runs, its part of the page is fetched again every few seconds; a hidden tab asks nothing. */
"use strict";
(() => {
    const SECONDS = 4;
    const ID = "tiktok-progress";

    const refresh = async () => {
        const shown = document.getElementById(ID);
        if (!shown || !("running" in shown.dataset)) {
            return;
        }
        if (!document.hidden) {
            try {
                const answer = await fetch(location.href, { credentials: "same-origin" });
                const page = new DOMParser().parseFromString(await answer.text(), "text/html");
                const fresh = page.getElementById(ID);
                if (!answer.ok || !fresh) {
                    return; // signed out meanwhile: the page stays as it was
                }
                if (!shown.contains(document.activeElement)) {
                    shown.replaceWith(document.adoptNode(fresh));
                }
            } catch {
                // the next round tries again
            }
        }
        setTimeout(refresh, SECONDS * 1000);
    };
    document.addEventListener("DOMContentLoaded", () => setTimeout(refresh, SECONDS * 1000));
})();
