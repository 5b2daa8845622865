// "Save for later" on a product's page: kept in this browser alone. What TikTok hears of it is tiktok.js's affair.
(() => {
  let saved = [];
  try {
    saved = JSON.parse(localStorage.getItem("saved")) || [];
  } catch {
    // Storage is refused: it is kept as long as this page is.
  }

  function show() {
    document.querySelectorAll("[data-save]").forEach((button) => {
      const isSaved = saved.includes(button.dataset.save);
      button.setAttribute("aria-pressed", isSaved);
      button.textContent = isSaved ? "Saved" : "Save for later";
      button.disabled = isSaved;
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    saved.push(button.dataset.save);
    try {
      localStorage.setItem("saved", JSON.stringify(saved));
    } catch {
      // As above.
    }
    show();
  });
  document.addEventListener("htmx:afterSettle", show);
  document.addEventListener("htmx:historyRestore", show);
  show();
})();
