/* Buttons that copy the text of another element; they appear only where the browser can. */
"use strict";
document.addEventListener("DOMContentLoaded", () => {
    for (const button of navigator.clipboard ? document.querySelectorAll("button[data-copies]") : []) {
        const told = button.parentElement.querySelector("[role=status]");
        button.hidden = false;
        button.addEventListener("click", async () => {
            try {
                await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
                told.textContent = button.dataset.done;
            } catch {
                told.textContent = button.dataset.failed;
            }
        });
    }
});
