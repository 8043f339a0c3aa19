// Bottles brought back: each scan marks its bottle, a second one turns it. What is not on the page the server answers for.
// Without JavaScript the scan field sends the form, and the page comes again with that bottle marked.

const form = () => document.getElementById("bottles");
const said = () => document.getElementById("said");
const rows = () => [...document.querySelectorAll(".bottle[data-code]")];
const plain = (text) => text.toUpperCase().replace(/[^A-Z0-9]/g, "");
const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const content = (row) => row.querySelector("input:checked")?.value ?? "";

const other = (row) => ({ empty: "full", full: "empty" })[content(row)] ?? row.dataset.usual;

let last = null;
let passing = false; // the form goes to the server as it does without this module

function lately(row) {
  last = row;
  const turn = document.querySelector("[data-turn]");
  if (!turn) return;
  turn.hidden = !row;
  if (row) turn.querySelector("span").textContent = turn.dataset[other(row)];
}

function tell(words, wrong = false) {
  const line = said().querySelector("[data-said]");
  line.classList.toggle("not", wrong);
  line.replaceChildren(...(typeof words === "string" ? [words] : words));
}

function count() {
  const box = said();
  if (!box) return;
  const here = rows().filter((row) => content(row));
  const due = rows().filter((row) => "due" in row.dataset);
  const missing = due.filter((row) => !content(row));
  const came = Number(box.dataset.came);
  const all = due.length + came;
  const besides = here.filter((row) => !("due" in row.dataset)).length;
  const values = { back: all - missing.length, due: all, missing: missing.length, n: besides };
  const words = all ? [fill(missing.length ? box.dataset.tally : box.dataset.all, values)] : [];
  if (besides) words.push(fill(box.dataset.besides, values));
  box.querySelector("[data-tallied]").textContent = words.join(" ");
  const most = Number(box.dataset.named);
  const days = missing.slice(0, most).map((row) => row.dataset.day);
  if (missing.length > most) days.push(fill(box.dataset.more, { n: missing.length - most }));
  const named = missing.length && (values.back || besides);
  box.querySelector("[data-missed]").textContent = named ? fill(box.dataset.missing, { days: days.join(", ") }) : "";
}

function mark(row, value) {
  for (const each of rows()) each.classList.toggle("marked", each === row);
  row.querySelector(`input[value="${value}"]`).checked = true;
  const inside = row.closest("details");
  if (inside) inside.open = true;
  row.scrollIntoView({ block: "nearest" });
  const serial = row.dataset.code.slice(2).replace(/(....)(?=.)/g, "$1 ");
  tell(fill(said().dataset[value], { serial, day: row.dataset.day }));
  lately(row);
  count();
}

async function ask(button, body) {
  try {
    const answer = await fetch(button.formAction, { method: "POST", body, headers: { Accept: "text/html", "X-Keep": "1" } });
    if (answer.headers.has("X-Locked")) {
      document.dispatchEvent(new Event("house:locked"));
      return;
    }
    if (answer.headers.has("X-Form-Old")) document.dispatchEvent(new Event("house:form-old"));
    const line = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-said]");
    if (!line) throw new Error("away");
    if (!line.dataset.bottle) {
      tell(line.childNodes, line.classList.contains("not"));
      return;
    }
    // A bottle of this client that the page did not have: it comes with the whole page, all that was chosen kept.
    passing = true;
    document.getElementById("field-label").value = body.get("label");
    form().requestSubmit(button);
  } catch {
    tell(said().dataset.away, true);
  }
}

document.addEventListener(
  "submit",
  (event) => {
    const button = event.submitter;
    if (!button?.matches("[data-scanned]")) return;
    if (passing) {
      passing = false;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const field = document.getElementById("field-label");
    const code = plain(field.value);
    const done = form().querySelector("[data-done]");
    if (!code) {
      // Enter alone: in another field it means what it says; in the scan field it leads to the button, and asks again.
      if (document.activeElement !== field && document.activeElement !== button) form().requestSubmit(done);
      else {
        done.focus();
        tell(said().dataset.ready);
      }
      return;
    }
    const row = rows().find((each) => each.dataset.code === code || each.dataset.code.slice(2) === code);
    const body = new URLSearchParams(new FormData(form(), button));
    field.value = "";
    if (row) mark(row, other(row));
    else ask(button, body);
  },
  true,
);

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-turn]") || !last) return;
  mark(last, other(last));
  document.getElementById("field-label").focus();
});
document.addEventListener("change", (event) => {
  if (event.target.closest?.(".bottle")) count();
});
const begins = () => lately(document.querySelector(".bottle.marked"));
document.addEventListener("house:replaced", begins);
begins();
