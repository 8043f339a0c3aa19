"""A device that makes passkeys, in software: it signs what it is told to, also what no honest device would."""

from __future__ import annotations

import base64
import json
import secrets
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40


def letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class SoftPasskey:
    """One passkey. What it is told to say otherwise than an honest one is given to `makes` and `signs`."""

    origin: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: bytes = b""
    count: int = 0

    def makes(self, options: dict[str, Any], *, flags: int = PRESENT | VERIFIED, **said: str) -> str:
        """Answers navigator.credentials.create()."""
        self.handle = data_of(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + public
        spoken = self._authenticator_data(said.get("rp_id", options["rp"]["id"]), flags | WITH_KEY) + attested
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": spoken})
        return self._sent(
            clientDataJSON=self._client_data("webauthn.create", options, said), attestationObject=statement
        )

    def signs(self, options: dict[str, Any], *, flags: int = PRESENT | VERIFIED, **said: Any) -> str:
        """Answers navigator.credentials.get()."""
        self.count = said.get("count", self.count + 1)
        spoken = self._authenticator_data(said.get("rp_id", options["rpId"]), flags)
        client_data = self._client_data("webauthn.get", options, said)
        key = said.get("key", self.key)
        signature = key.sign(spoken + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return self._sent(
            clientDataJSON=client_data,
            authenticatorData=spoken,
            signature=signature,
            userHandle=said.get("handle", self.handle),
        )

    def _client_data(self, kind: str, options: dict[str, Any], said: dict[str, Any]) -> bytes:
        origin, challenge = said.get("origin", self.origin), said.get("challenge", options["challenge"])
        return json.dumps({"type": said.get("kind", kind), "challenge": challenge, "origin": origin}).encode()

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        return sha256(rp_id.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count)

    def _sent(self, **response: bytes) -> str:
        own = letters(self.credential_id)
        return json.dumps(
            {
                "id": own,
                "rawId": own,
                "type": "public-key",
                "response": {name: letters(value) for name, value in response.items() if value},
            }
        )
