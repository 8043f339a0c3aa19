// The waiting room's screen: it shows what the server sends, asks again when the server was away, and rings only when
// somebody has switched that on. The whole state comes with every change, so that nothing missed has to be told.

const SILENT_MS = 40000; // the server says every 15 seconds that all is well
const AGAIN_MS = 3000;
const PATIENCE_MS = 8000; // so long without a server before the screen says so

const at = (name) => document.querySelector(`[data-${name}]`);
const windowWord = document.body.dataset.window;
let source = null;
let heard = 0;
let asking = 0;
let first = true;
let lastCall = "";

function where(call) {
  return call.name ? `${windowWord} ${call.window} · ${call.name}` : `${windowWord} ${call.window}`;
}

function show(state) {
  const [last, ...before] = state.calls;
  at("nobody").hidden = Boolean(last);
  at("last").hidden = !last;
  const call = last ? `${last.number}/${last.window}/${last.call}` : "";
  if (last) {
    at("last").querySelector(".number").textContent = last.number;
    at("last").querySelector(".where").textContent = where(last);
  }
  if (call && call !== lastCall && !first) {
    at("last").classList.remove("new");
    void at("last").offsetWidth; // begins the emphasis anew
    at("last").classList.add("new");
    ring();
  }
  lastCall = call;
  first = false;
  at("before").replaceChildren(
    ...before.map((one) => {
      const row = document.createElement("li");
      const number = document.createElement("strong");
      number.textContent = one.number;
      row.append(number, where(one));
      return row;
    }),
  );
  at("following").hidden = state.next.length === 0;
  at("next").replaceChildren(
    ...state.next.map((number) => {
      const row = document.createElement("li");
      row.textContent = number;
      return row;
    }),
  );
  at("more").hidden = !state.more;
  at("more").textContent = `+${state.more}`;
}

function hear() {
  heard = Date.now();
  at("away").hidden = true;
  document.body.classList.remove("stale");
}

function connect() {
  clearTimeout(asking);
  source?.close();
  source = new EventSource("/screen/events");
  source.addEventListener("state", (event) => {
    hear();
    show(JSON.parse(event.data));
  });
  source.addEventListener("beat", hear);
  source.addEventListener("open", hear);
  source.addEventListener("over", again);
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && again());
}

async function again() {
  source?.close();
  clearTimeout(asking);
  asking = setTimeout(async () => {
    try {
      const answer = await fetch("/screen", { cache: "no-store" });
      if (answer.status === 404) location.reload(); // somebody has ended this screen
      else connect();
    } catch {
      again();
    }
  }, AGAIN_MS);
}

setInterval(() => {
  const silence = Date.now() - heard;
  if (silence > PATIENCE_MS && source?.readyState !== EventSource.OPEN) {
    at("away").hidden = false;
    document.body.classList.add("stale");
  }
  if (silence > SILENT_MS) {
    hear();
    connect();
  }
}, 1000);

// --- two soft notes, made here: no file, and no sound before somebody asked for it

let sound = null;

function ring() {
  if (sound?.state !== "running") return;
  [659.25, 523.25].forEach((pitch, number) => {
    const begins = sound.currentTime + number * 0.35;
    const note = new OscillatorNode(sound, { frequency: pitch, type: "sine" });
    const loudness = new GainNode(sound, { gain: 0 });
    loudness.gain.setValueAtTime(0, begins);
    loudness.gain.linearRampToValueAtTime(0.35, begins + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.001, begins + 0.9);
    note.connect(loudness).connect(sound.destination);
    note.start(begins);
    note.stop(begins + 1);
  });
}

at("sound").addEventListener("click", async () => {
  const button = at("sound");
  sound ??= new AudioContext();
  if (sound.state === "running") await sound.suspend();
  else {
    await sound.resume();
    ring();
  }
  const on = sound.state === "running";
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? button.dataset.on : button.dataset.off;
});

hear();
connect();
