// The camera of the counter reads a pass and puts it where a scanner would type it. Nothing is kept, here or there.
// Everything listens on the document, so that it holds for a page that keep.js has put in place too.

const EVERY_MS = 250;
const WIDTH = 640;

let stream = null;
let timer = 0;
const own = "BarcodeDetector" in window ? new window.BarcodeDetector({ formats: ["qr_code"] }) : null;

const part = (name) => document.querySelector(`[data-camera="${name}"]`);

function say(words) {
  const said = part("said");
  if (said) said.textContent = words;
}

function stop() {
  clearTimeout(timer);
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  const frame = part("frame");
  if (frame) frame.hidden = true;
  part("open")?.setAttribute("aria-expanded", "false");
  document.querySelector("[data-scan]")?.focus();
}

// A grey frame is a third of a coloured one, and all that a reader looks at.
function grey(video) {
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, WIDTH / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const pen = canvas.getContext("2d");
  pen.filter = "grayscale(1)";
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
}

async function textIn(video) {
  if (own) return (await own.detect(video))[0]?.rawValue ?? "";
  const answer = await fetch(part("open").dataset.to, {
    method: "POST",
    body: await grey(video),
    headers: {
      "Content-Type": "image/jpeg",
      Accept: "application/json",
      "X-CSRFToken": document.querySelector("[name=_csrf_token]").value,
      "X-Quiet": "1",
      "X-Acting": document.querySelector("[name=_acting]").value,
    },
  });
  if (answer.headers.has("X-Form-Old")) document.dispatchEvent(new Event("house:form-old"));
  return answer.ok ? (await answer.json()).text : "";
}

async function look() {
  const video = part("video");
  if (!stream || !video) return;
  let found = "";
  try {
    if (video.videoWidth) found = await textIn(video);
  } catch {
    // The server or the camera is away for a moment: the next look tries again.
  }
  if (!stream) return;
  const field = document.querySelector("[data-scan]");
  if (found && field) {
    stop();
    field.value = found;
    if (!("fills" in part("open").dataset)) field.form.requestSubmit();
    return;
  }
  timer = setTimeout(look, EVERY_MS);
}

async function start() {
  const frame = part("frame");
  frame.hidden = false;
  part("open").setAttribute("aria-expanded", "true");
  say(frame.dataset.show);
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
  } catch {
    say(frame.dataset.none);
    return;
  }
  part("video").srcObject = stream;
  look();
}

function offer() {
  const button = part("open");
  if (button && navigator.mediaDevices?.getUserMedia) button.hidden = false;
}

document.addEventListener("click", (event) => {
  if (!event.target.closest('[data-camera="open"]')) return;
  if (part("frame").hidden) start();
  else stop();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && part("frame") && !part("frame").hidden) stop();
});
document.addEventListener("house:replaced", offer);
addEventListener("pagehide", stop);
document.addEventListener("house:closed", stop);
offer();
