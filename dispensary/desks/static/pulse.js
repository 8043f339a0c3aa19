// A counter says that the server is gone before anybody relies on it: every few seconds it is asked whether it lives.
// The question touches no sign-in. What a form that is being sent says (keep.js) comes first.

const EVERY_MS = 8000;
const PATIENCE_MS = 4000;

function banner() {
  return document.getElementById("keep-banner");
}

function sendsAgain(shown) {
  return !shown.hidden && shown.dataset.pulse !== "silent";
}

function say(silent) {
  const shown = banner();
  if (!shown || sendsAgain(shown)) return;
  shown.hidden = !silent;
  if (silent) shown.dataset.pulse = "silent";
  else delete shown.dataset.pulse;
  for (const part of shown.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== "silent";
  const again = shown.querySelector("[data-retry]");
  if (again) again.hidden = silent;
}

async function ask() {
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), PATIENCE_MS);
  let silent = false;
  try {
    const answer = await fetch("/health/live", { cache: "no-store", credentials: "omit", signal: stop.signal });
    silent = !answer.ok;
  } catch {
    silent = true;
  } finally {
    clearTimeout(patience);
  }
  say(silent);
  setTimeout(ask, silent ? PATIENCE_MS / 2 : EVERY_MS);
}

document.addEventListener("submit", (event) => {
  const shown = banner();
  if (event.target.matches("form[data-keep]") && shown) {
    delete shown.dataset.pulse; // from now on the banner is the form's
    const again = shown.querySelector("[data-retry]");
    if (again) again.hidden = false;
  }
});

setTimeout(ask, EVERY_MS);
