// Keyboard and scanner: keys press what carries data-key, a scanner always reaches the scan field, a form is sent once.
// Everything listens on the document, so that it holds for a page that keep.js has put in place too.

const isTyping = (element) =>
  element instanceof HTMLElement &&
  (element.isContentEditable ||
    element.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=submit], [type=button])"));

const scanField = () => document.querySelector("[data-scan]:not(:disabled)");

// On a list whose rows are marked, arrows or j and k go from row to row; from the top row back to where one typed.
const STEPS = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

function walk(step) {
  const rows = [...document.querySelectorAll("[data-rows] [data-row]")];
  if (rows.length === 0) return false;
  const at = rows.indexOf(document.activeElement);
  if (at < 0 && step < 0) return false;
  const next = rows[at + step] ?? (step < 0 ? document.querySelector("[autofocus]") : rows[at]);
  next?.focus();
  return true;
}

function press(key) {
  const found = [...document.querySelectorAll("[data-key]")].find(
    (element) => element.dataset.key === key && !element.disabled && element.offsetParent !== null,
  );
  if (!found) return false;
  found.focus();
  if (!isTyping(found)) found.click();
  return true;
}

// A scanner types its code within a few milliseconds a sign. A key that stands alone is a person's.
const ALONE_MS = 80;
let waiting = 0;
let meant = null;
let before = -ALONE_MS;
let keyed = false;

function act() {
  clearTimeout(waiting);
  const now = meant;
  meant = null;
  now?.();
}

document.addEventListener("keydown", (event) => {
  keyed = true;
  const alone = event.timeStamp - before > ALONE_MS;
  if (event.key.length === 1) before = event.timeStamp;
  // A busy browser may be late with its timers: by the keys' own times the one before stood alone, and is not lost.
  if (alone) act();
  clearTimeout(waiting);
  meant = null;
  if (event.ctrlKey || event.metaKey || event.isComposing) return;
  if (event.key === "Escape" && isTyping(document.activeElement)) {
    document.activeElement.blur();
    return;
  }
  const key = event.altKey && event.code.startsWith("Digit") ? event.code.slice(5) : event.key.toLowerCase();
  if (event.altKey) {
    if (press(key)) event.preventDefault();
    return;
  }
  const oneLine = event.target instanceof HTMLInputElement && event.target.type === "text" && !event.target.list;
  if (event.key.startsWith("Arrow") && (oneLine || !isTyping(event.target)) && !event.shiftKey && STEPS[event.key]) {
    if (walk(STEPS[event.key])) event.preventDefault();
    return;
  }
  if (isTyping(event.target) || event.key.length !== 1 || event.key === " ") return;
  const scan = scanField();
  if (scan) {
    scan.focus();
    return;
  }
  if (!alone) return;
  meant = () => (STEPS[key] && walk(STEPS[key])) || press(key);
  waiting = setTimeout(act, ALONE_MS);
});

function settle() {
  const wrong = document.querySelector("[aria-invalid]");
  if (wrong) wrong.focus();
  else if (!isTyping(document.activeElement)) (scanField() ?? document.querySelector("[autofocus]"))?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // After the browser has read the form: a disabled button would not be sent with it.
  setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
  // After the browser's own autofocus, which gives way to what was wrong; whoever has pressed a key by then is there.
  keyed = false;
  requestAnimationFrame(() => requestAnimationFrame(() => keyed || settle()));
});
document.addEventListener("house:replaced", settle);
