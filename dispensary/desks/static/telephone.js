// The phone shows new texts within a second, and sends what is written without leaving the page. Without JavaScript the
// form and the Refresh link do the same.

const EVERY_MS = 1000;
const screen = document.getElementById("screen");
const form = document.getElementById("compose");

async function look() {
  let fresh;
  try {
    const answer = await fetch(screen.dataset.texts, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".texts");
  } catch {
    return; // the server is away; the next second asks again
  }
  const shown = screen.querySelector(".texts");
  if (!fresh || fresh.isEqualNode(shown)) return;
  shown.replaceWith(fresh);
  screen.scrollTop = 0; // the newest: the screen is laid out from its end
}

async function send(event) {
  if (!crypto.randomUUID) return; // only over TLS or on this machine: the browser then sends the form itself
  event.preventDefault();
  const field = form.elements.text;
  if (!field.value.trim()) return;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (!answer.ok) throw new Error("not sent");
  } catch {
    return; // what was written stays, and is sent under the same key when it is tried again
  }
  field.value = "";
  form.elements.key.value = crypto.randomUUID();
  await look();
}

form.addEventListener("submit", send);
document.querySelector("[data-refresh]").hidden = true;
setInterval(() => {
  if (!document.hidden) look();
}, EVERY_MS);
