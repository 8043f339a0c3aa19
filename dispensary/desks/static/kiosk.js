// The kiosk's keys, and a clean page: whatever was typed is gone when nobody touched it for a while.

const code = document.getElementById("code");
const cleanAfter = Number(document.body.dataset.cleanAfter) * 1000;
let sent = false;
let cleaning = 0;

function clean() {
  fetch("/kiosk", { cache: "no-store" }).then(
    () => location.replace("/kiosk"),
    () => {
      // The server is away: nothing of what was typed stays, and the page is asked for again later.
      if (code) code.value = "";
      later();
    },
  );
}

function later() {
  clearTimeout(cleaning);
  cleaning = setTimeout(clean, cleanAfter);
}

for (const kind of ["keydown", "pointerdown", "input"]) addEventListener(kind, later, { capture: true, passive: true });
later();

document.addEventListener("click", (event) => {
  const key = event.target.closest("button");
  if (!key || !code) return;
  if ("digit" in key.dataset) code.value = (code.value + key.dataset.digit).slice(0, code.maxLength);
  else if ("back" in key.dataset) code.value = code.value.slice(0, -1);
  else return;
  code.focus();
});

document.addEventListener("submit", (event) => {
  if (sent || !code.value.trim()) event.preventDefault();
  else sent = true;
});

// A scanner types wherever the focus is.
document.addEventListener("keydown", (event) => {
  if (code && event.key.length === 1 && !event.ctrlKey && !event.altKey && document.activeElement !== code) code.focus();
  if (!code && event.key === "Enter") document.querySelector("[data-done]")?.click();
});

addEventListener("pageshow", (event) => {
  sent = false;
  if (event.persisted) clean(); // nobody goes back to what somebody before them saw
});

const printer = document.querySelector("[data-print]");
if (printer) {
  printer.hidden = false;
  printer.addEventListener("click", () => print());
}
