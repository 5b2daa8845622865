// "Save for later" on a product's page: kept in this browser alone. What TikTok hears of it is tiktok.js's affair.
const button = document.querySelector("[data-save]");

function saved() {
  try {
    return JSON.parse(localStorage.getItem("saved")) || [];
  } catch {
    return [];
  }
}

function show() {
  const isSaved = saved().includes(button.dataset.save);
  button.setAttribute("aria-pressed", isSaved);
  button.textContent = isSaved ? "Saved" : "Save for later";
  button.disabled = isSaved;
}

if (button) {
  button.addEventListener("click", () => {
    localStorage.setItem("saved", JSON.stringify([...saved(), button.dataset.save]));
    show();
  });
  show();
}
