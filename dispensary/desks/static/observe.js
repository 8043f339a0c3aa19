// Counts down how long somebody is observed. The page said it in words when it came; this only keeps the words fresh.

const EVERY_MS = 15_000;
// From when each was first seen here, by this computer's own steps: its clock may be wrong.
const seenAt = new WeakMap();

function tell() {
  for (const element of document.querySelectorAll("[data-seconds]")) {
    if (!seenAt.has(element)) seenAt.set(element, performance.now());
    const left = Number(element.dataset.seconds) - (performance.now() - seenAt.get(element)) / 1000;
    const words = left > 0 ? element.dataset.left.replace("{n}", String(Math.ceil(left / 60))) : element.dataset.over;
    if (element.textContent !== words) element.textContent = words;
  }
}

setInterval(tell, EVERY_MS);
document.addEventListener("house:replaced", tell);
tell();
