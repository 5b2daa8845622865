// The thank-you page: ask every second how the order stands, and show the page anew when that changes.
const waiting = document.querySelector("[data-order-status]");
let questions = 0;

async function ask() {
  questions += 1;
  try {
    const answer = await fetch(waiting.dataset.statusAddress, { cache: "no-store" });
    if (answer.ok && (await answer.json()).status !== waiting.dataset.orderStatus) {
      location.reload();
      return;
    }
  } catch {
    // The site may be restarting; the next question finds out.
  }
  if (questions < 300) {
    setTimeout(ask, 1000);
  } else {
    waiting.textContent = "This takes longer than usual. Your order is safe; please look in again later.";
  }
}

if (waiting) setTimeout(ask, 1000);
