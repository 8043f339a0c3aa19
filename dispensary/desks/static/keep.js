// Forms marked data-keep lose nothing when the server is away: the same body, with the same key, is sent until it answers.
// The server does a key once, so sending again is safe. Without JavaScript the browser sends the form as ever.

const AGAIN_MS = 4000;
const PATIENCE_MS = 15000;
const AWAY = [502, 503, 504];

let sending = null;
let closed = false; // the screen: what is answered meanwhile is asked for again when it opens, and shown then

function banner(state) {
  const shown = document.getElementById("keep-banner");
  if (!shown) return;
  shown.hidden = !state;
  for (const part of shown.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== state;
}

function put(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.replaceChild(document.adoptNode(page.documentElement), document.documentElement);
  scrollTo(0, 0);
  document.dispatchEvent(new Event("house:replaced"));
}

// The page is older than the sign-in, such as after half an hour without use: its forms get that sign-in's token. Whose
// form it is the server asks anyway.
async function renew() {
  const answer = await fetch("/api/session", { cache: "no-store", headers: { "X-Quiet": "1" } });
  if (!answer.ok) throw new Error("away");
  const token = (await answer.json()).csrf_token;
  for (const each of document.querySelectorAll("[name=_csrf_token]")) each.value = token;
  return token;
}

async function send(work) {
  clearTimeout(work.timer);
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(work.action, {
      method: "POST",
      body: work.body,
      headers: { Accept: "text/html", "X-Keep": "1" },
      signal: stop.signal,
    });
    if (answer.headers.has("X-Locked")) {
      document.dispatchEvent(new Event("house:locked"));
      return;
    }
    if (closed) return;
    if (answer.status === 401) {
      banner("signed-out");
      return;
    }
    if (AWAY.includes(answer.status)) throw new Error("away");
    if (answer.headers.has("X-Form-Old") && !work.renewed) {
      work.renewed = true;
      work.body.set("_csrf_token", await renew());
      clearTimeout(patience);
      await send(work);
      return;
    }
    banner(null);
    sending = null;
    // Asked with X-Keep, the server names the page to go on to instead of redirecting: it is then fetched once.
    const onward = answer.headers.get("X-Onward");
    if (onward) location.assign(onward);
    else put(await answer.text());
  } catch {
    if (closed) return;
    banner("away");
    work.timer = setTimeout(send, AGAIN_MS, work);
  } finally {
    clearTimeout(patience);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-keep]") || form.enctype === "multipart/form-data") return;
  event.preventDefault();
  if (sending) return;
  const button = event.submitter;
  const body = new URLSearchParams(new FormData(form, button));
  sending = { action: button?.getAttribute("formaction") ?? form.getAttribute("action"), body, timer: 0 };
  for (const each of form.querySelectorAll("button")) each.disabled = true;
  form.inert = true; // what is sent again is what was sent first: nothing can be changed meanwhile
  send(sending);
});

// lock.js: the page was taken off the screen; it came back to whom it was drawn for; or somebody else goes on here.
document.addEventListener("house:closed", () => {
  closed = true;
  clearTimeout(sending?.timer);
});
document.addEventListener("house:opened", () => {
  closed = false;
  if (sending) send(sending);
});
document.addEventListener("house:left", () => {
  clearTimeout(sending?.timer);
  sending = null;
});

document.addEventListener("house:form-old", () => renew().catch(() => {})); // what is pressed next is heard

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-retry]") && sending) send(sending);
});

addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});
