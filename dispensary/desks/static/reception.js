// Reception keeps itself up to date: twice a minute the parts marked data-live are fetched anew, unless somebody is in one.

const EVERY_MS = document.querySelector('[data-live="queue"]') ? 5000 : 30000;

async function refresh() {
  if (document.hidden) return;
  let fresh;
  try {
    const answer = await fetch(location.pathname === "/reception/queue" ? "/reception/queue" : "/reception", { headers: { Accept: "text/html", "X-Quiet": "1" } });
    if (!answer.ok || answer.redirected) return;
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return; // the server is away: what is shown stays, and the next time it is asked again
  }
  for (const shown of document.querySelectorAll("[data-live]")) {
    const now = fresh.querySelector(`[data-live="${shown.dataset.live}"]`);
    const inUse = shown.contains(document.activeElement) || shown.querySelector("details[open]");
    if (!now || inUse || now.innerHTML === shown.innerHTML) continue;
    const at = shown.querySelector(".slots")?.scrollTop ?? 0;
    shown.replaceChildren(...now.childNodes);
    const slots = shown.querySelector(".slots");
    if (slots) slots.scrollTop = at;
  }
}

setInterval(refresh, EVERY_MS);
