// A page that nobody touches for as long as the site says is taken off the screen, and out of the document; a PIN brings
// it back as it stood to the person whom it was drawn for, and leads anybody else to a page of their own. The server
// refuses by itself whoever comes too late (web/signed_in.py): this only hides what stands here, and tells the server
// that somebody types. Without JavaScript the page stands until the next press, which the server answers with its lock.

const LOOK_MS = 1000;
const TELL_MS = 10000; // how often the server hears of keys and pointers
const AGAIN_MS = 4000;

const tabs = "BroadcastChannel" in window ? new BroadcastChannel("takehome") : null;
const after = () => Number(document.body.dataset.lockAfter ?? 0) * 1000;
const person = () => held?.person ?? document.body.dataset.person;
const form = () => document.getElementById("come-back");
const secret = () => form()?.elements.secret;

let held = null; // the page that was taken off: its nodes, and whose it is
let touched = Date.now();
let told = Date.now();
let telling = 0;
let asking = 0;
let sending = false;

function say(event) {
  document.dispatchEvent(new Event(event));
}

// --- touches

async function tell() {
  telling = 0;
  told = Date.now();
  try {
    const answer = await fetch("/awake", { headers: { "X-Keep": "1" } });
    const front = answer.headers.get("X-Acting");
    if (answer.headers.has("X-Locked") || (front && front !== person())) close();
  } catch {
    // The server is away: what is pressed next finds out.
  }
}

function touch() {
  if (held || !after()) return;
  if (Date.now() - touched >= after()) {
    close(); // a computer that slept: nobody was here
    return;
  }
  touched = Date.now();
  tabs?.postMessage({ touched });
  if (!telling) telling = setTimeout(tell, Math.max(0, told + TELL_MS - touched));
}

for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"])
  addEventListener(kind, (event) => event.isTrusted && touch(), { capture: true, passive: true });

setInterval(() => {
  if (!held && after() && Date.now() - touched >= after()) close();
}, LOOK_MS);

// --- closing and opening

function close() {
  if (held || !after()) return;
  clearTimeout(telling);
  telling = 0;
  const screen = document.getElementById("closed-screen").content.cloneNode(true);
  held = { nodes: document.createDocumentFragment(), title: document.title, person: person(), at: scrollY };
  held.focus = document.activeElement;
  say("house:closed");
  held.nodes.append(...document.body.childNodes);
  document.body.append(screen);
  document.title = document.querySelector("h1").textContent;
  ask();
}

function reopen() {
  clearTimeout(asking);
  document.body.replaceChildren(held.nodes);
  document.title = held.title;
  scrollTo(0, held.at);
  held.focus?.focus?.();
  held = null;
  touched = told = Date.now();
  say("house:opened");
}

async function ask() {
  clearTimeout(asking);
  const next = encodeURIComponent(location.pathname + location.search);
  try {
    const answer = await fetch(`/lock?next=${next}`, { headers: { Accept: "text/html", "X-Keep": "1", "X-Quiet": "1" } });
    if (!held) return;
    if (answer.status === 401) leave(`/signin?next=${next}`); // the whole shift has ended
    else if (answer.ok) show(await answer.text());
    else throw new Error("away");
  } catch {
    if (!held) return;
    document.querySelector("[data-waits]")?.toggleAttribute("hidden", true);
    document.querySelector("[data-away]")?.toggleAttribute("hidden", false);
    asking = setTimeout(ask, AGAIN_MS);
  }
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("main");
  document.querySelector("main").replaceWith(document.adoptNode(fresh));
  settle();
}

function leave(where) {
  say("house:left");
  location.assign(where);
}

async function comeBack() {
  if (sending) return;
  sending = true;
  try {
    const body = new URLSearchParams(new FormData(form()));
    secret().value = "";
    const answer = await fetch("/lock", { method: "POST", body, headers: { Accept: "text/html", "X-Keep": "1" } });
    const onward = answer.headers.get("X-Onward");
    const front = answer.headers.get("X-Acting");
    if (onward) {
      tabs?.postMessage({ front });
      if (front === held?.person) reopen();
      else leave(onward);
    } else if (answer.status === 401 || answer.status === 403) {
      leave(`/signin?next=${encodeURIComponent(location.pathname)}`);
    } else {
      show(await answer.text());
    }
  } catch {
    ask();
  } finally {
    sending = false;
  }
}

// --- the lock screen: a digit picks, six digits are sent by themselves

const chosen = () => form()?.querySelector("[name=account_id]:checked");

function settle() {
  if (chosen()) secret().focus();
  else document.activeElement?.blur();
}

function onKey(event) {
  if (!form() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && form().querySelectorAll("[name=account_id]").length > 1) {
    if (chosen()) chosen().checked = false;
    secret().value = "";
    secret().blur();
  } else if (document.activeElement === secret() || !/^[0-9]$/.test(event.key)) {
    return;
  } else if (chosen()) {
    secret().focus(); // this very digit is its first
    event.stopImmediatePropagation();
    return;
  } else {
    const found = form().querySelector(`[data-place="${event.key}"]`);
    if (found) found.checked = true;
    settle();
  }
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener("keydown", onKey, true);

document.addEventListener("change", (event) => {
  if (event.target.name === "account_id" && event.target.form === form()) settle();
});

document.addEventListener("input", (event) => {
  if (event.target === secret() && chosen()?.dataset.pin === "yes" && /^[0-9]{6}$/.test(secret().value))
    form().requestSubmit();
});

function onSubmit(event) {
  if (held && event.target === form()) {
    event.preventDefault();
    comeBack();
  } else if (event.target.matches("[data-lock-now]")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const body = new URLSearchParams(new FormData(event.target));
    fetch("/lock/now", { method: "POST", body, headers: { "X-Keep": "1" } }).finally(close);
  }
}

document.addEventListener("submit", onSubmit, true);

// --- other tabs, other pages of this browser

tabs?.addEventListener("message", ({ data }) => {
  if (data.touched && !held) touched = Math.max(touched, data.touched);
  if (data.front && !held && data.front !== person()) close();
  else if (data.front && held?.person === data.front) reopen();
});

document.addEventListener("house:locked", close); // keep.js was told so by the server
document.addEventListener("house:replaced", () => {
  touched = Date.now();
  settleLater();
});

function settleLater() {
  if (form() && !held) requestAnimationFrame(() => requestAnimationFrame(settle));
}

addEventListener("pageshow", (event) => {
  if (event.persisted) tell();
  settleLater();
});
