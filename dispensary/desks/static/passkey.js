// Passkeys: asks the server what to sign, lets the device sign it, and sends that with the page's own form.
// What is for passkeys alone is hidden until the browser can do them; without this script password and code do.

const able = "PublicKeyCredential" in window && Boolean(navigator.credentials);

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

const letters = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

const listed = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

function say(form, text) {
  const line = form.querySelector("[data-passkey-said]");
  line.textContent = text;
  line.hidden = !text;
}

async function ask(form, where) {
  const answer = await fetch(where, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (answer.headers.has("X-Locked")) document.dispatchEvent(new Event("house:locked"));
  if (answer.headers.has("X-Form-Old")) document.dispatchEvent(new Event("house:form-old"));
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) throw new Error("not asked");
  const told = await answer.json();
  if (answer.ok) return told;
  say(form, told.said);
  return null;
}

async function sign(options) {
  const made = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: listed(options.allowCredentials) },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = made.response;
  return {
    clientDataJSON: letters(clientDataJSON),
    authenticatorData: letters(authenticatorData),
    signature: letters(signature),
    userHandle: userHandle ? letters(userHandle) : null,
    of: made,
  };
}

async function make(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: listed(options.excludeCredentials),
    },
  });
  const { clientDataJSON, attestationObject } = made.response;
  return { clientDataJSON: letters(clientDataJSON), attestationObject: letters(attestationObject), of: made };
}

let asking = false;

async function fill(form, where, act) {
  if (asking) return false;
  asking = true;
  say(form, "");
  try {
    const options = await ask(form, where);
    if (!options) {
      form.querySelector("[name=credential]").value = ""; // what it held was heard
      return false;
    }
    const { of, ...response } = await act(options);
    const credential = { id: of.id, rawId: letters(of.rawId), type: of.type, response };
    form.querySelector("[name=credential]").value = JSON.stringify(credential);
    return true;
  } catch {
    say(form, form.dataset.passkeyFailed); // the person said no, took too long, or the device has none for this address
    return false;
  } finally {
    asking = false;
  }
}

async function onSubmit(event) {
  const form = event.target;
  const kind = form.dataset.passkey;
  if (!kind) return;
  event.preventDefault();
  if (await fill(form, form.dataset.passkeyAsk, kind === "make" ? make : sign)) {
    for (const typed of form.querySelectorAll("[name=password], [name=code]")) typed.value = ""; // they were heard
    form.submit();
  }
}

async function onClick(event) {
  const button = event.target.closest("[data-passkey-prove]");
  if (!button) return;
  const { form } = button;
  if (await fill(form, button.dataset.passkeyProve, sign)) {
    form.querySelector("[name=code]").required = false;
    form.requestSubmit();
  }
}

function show() {
  for (const part of document.querySelectorAll("[data-with-passkey]")) part.hidden = !able;
  for (const part of document.querySelectorAll("[data-without-passkey]")) part.hidden = able;
}

show();
document.addEventListener("submit", onSubmit, true); // before keys.js, which lets each form be sent once
document.addEventListener("click", onClick);
document.addEventListener("house:replaced", show);
document.addEventListener("house:opened", show);
