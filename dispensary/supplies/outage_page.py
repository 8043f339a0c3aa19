"""The downtime pack as one HTML file that opens without a network: everything in it is sealed by the pack's password.

The browser derives the key with PBKDF2-SHA256 and opens AES-256-GCM by its own WebCrypto. Nothing is fetched from
anywhere, which the file's own policy forbids too; the one script is in the file, named by its digest.
"""

from __future__ import annotations

import os
import unicodedata
from base64 import b64encode
from hashlib import pbkdf2_hmac, sha256
from html import escape

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dispensary.words import _, language

ROUNDS = 600_000
"""Of PBKDF2-SHA256: the least that OWASP's password storage cheat sheet (2023) asks for."""

_STYLE = """
:root { color-scheme: light }
body {
  font: 16px/1.4 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 16px;
  color: #1a1a1a; background: #fff
}
h1 { font-size: 22px; margin: 0 0 4px }
h2 { font-size: 18px; margin: 20px 0 6px }
input, button { font: inherit; padding: 10px 14px; border: 2px solid #333; border-radius: 6px }
button { background: #0b5a52; color: #fff; border-color: #0b5a52 }
#wrong { color: #a30f0f; font-weight: 700 }
article {
  display: grid; grid-template-columns: 72px 1fr 1fr 1.2fr; gap: 12px;
  border-top: 2px solid #333; padding: 8px 0; break-inside: avoid
}
article img { width: 72px }
article h3 { font-size: 18px; margin: 0 }
p { margin: 2px 0 }
.no { font-weight: 700; border: 2px solid #a30f0f; padding: 2px 6px }
.mg { font-size: 20px; font-weight: 700 }
.blank { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 2px 10px }
.blank span { border-bottom: 1px solid #333; min-height: 34px }
@media (max-width: 700px) {
  article { grid-template-columns: 72px 1fr }
  article .blank { grid-column: 1 / -1 }
}
@media print {
  body { max-width: none; padding: 0; font-size: 12px }
  form { display: none }
}
"""

_SCRIPT = """
const sealed = JSON.parse(document.getElementById("sealed").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = document.getElementById("wrong");
  const typed = document.getElementById("password").value.normalize("NFKC");
  wrong.hidden = true;
  try {
    const words = await crypto.subtle.importKey("raw", new TextEncoder().encode(typed), "PBKDF2", false, ["deriveKey"]);
    const key = await crypto.subtle.deriveKey(
      { name: "PBKDF2", hash: "SHA-256", salt: bytes(sealed.salt), iterations: sealed.rounds },
      words, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes(sealed.nonce) }, key, bytes(sealed.data));
    document.getElementById("pack").innerHTML = new TextDecoder().decode(plain);
    document.querySelector("form").hidden = true;
  } catch {
    wrong.hidden = false;
    document.getElementById("password").select();
  }
});
"""


def sealed_page(fragment: str, *, title: str, password: str) -> bytes:
    """The file: only its title, which names the site and the moment, can be read without the password."""
    salt, nonce = os.urandom(16), os.urandom(12)
    words = unicodedata.normalize("NFKC", password).encode()
    data = AESGCM(pbkdf2_hmac("sha256", words, salt, ROUNDS)).encrypt(nonce, fragment.encode(), None)
    parts = {"salt": salt, "nonce": nonce, "data": data}
    sealed = ", ".join(f'"{name}": "{b64encode(value).decode()}"' for name, value in parts.items())
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{_digest(_STYLE)}'; script-src 'sha256-{_digest(_SCRIPT)}'"
    )
    wrong = _("These are not the words of this pack. Nothing is lost: type them again.")
    return f"""<!doctype html>
<html lang="{escape(language().replace("_", "-"))}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<form><h1>{escape(title)}</h1>
<p><label for="password">{escape(_("The words that open this pack"))}</label></p>
<p><input id="password" type="password" autocomplete="off" autofocus size="32"> <button>{escape(_("Open"))}</button></p>
<p id="wrong" role="alert" hidden>{escape(wrong)}</p>
</form><main id="pack"></main>
<script type="application/json" id="sealed">{{"rounds": {ROUNDS}, {sealed}}}</script>
<script>{_SCRIPT}</script></body></html>
""".encode()


def _digest(content: str) -> str:
    return b64encode(sha256(content.encode()).digest()).decode()
