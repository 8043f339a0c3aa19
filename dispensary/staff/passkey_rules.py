"""What a passkey must have signed to count: this clinic's address, this challenge, a person who was verified. Pure.

The web's own name for it is WebAuthn; the checks are those of its standard, made by the package `webauthn`, which is
imported when the first passkey is used.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

CHALLENGE_BYTES = 32
CHALLENGE_LASTS = timedelta(minutes=5)
MOST_CHALLENGES = 40
"""Of one address at a time: a clinic's counters share one."""
MOST_PASSKEYS = 10
LONGEST_ANSWER = 16 * 1024
LONGEST_NAME = 60
_HOUSE = "Takehome"


@dataclass(frozen=True)
class RelyingParty:
    """For which address passkeys are: from PUBLIC_BASE_URL alone, and never from what a request says of itself."""

    id: str
    origin: str


class NotProven(Exception):
    """What was sent is not what a passkey signs here. Its text is for a log at most, and names nobody."""


@dataclass(frozen=True)
class Signed:
    """What a passkey has signed, and that it verified its person."""

    sign_count: int


@dataclass(frozen=True)
class Made:
    """A passkey that was just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True)
class Answer:
    """What a browser sent, read and not yet believed."""

    text: str
    credential_id: bytes
    challenge: bytes
    handle: bytes | None


def relying_party(public_base_url: str) -> RelyingParty | None:
    """The address that passkeys are made for; nothing where browsers make none: without TLS, or at a bare number."""
    parts = urlsplit(public_base_url)
    host = (parts.hostname or "").lower()
    if not host or not (parts.scheme == "https" or host == "localhost"):
        return None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        usual = {"https": 443, "http": 80}.get(parts.scheme)
        port = "" if parts.port in (None, usual) else f":{parts.port}"
        return RelyingParty(host, f"{parts.scheme}://{host}{port}")
    return None


def read_answer(text: str) -> Answer:
    """Reads what a browser sent. Raises NotProven for anything that is no answer of a passkey."""
    from webauthn.helpers import base64url_to_bytes

    if len(text) > LONGEST_ANSWER:
        raise NotProven("too long")
    try:
        record = json.loads(text)
        response = record["response"]
        handle = response.get("userHandle")
        return Answer(
            text,
            base64url_to_bytes(record["rawId"]),
            base64url_to_bytes(json.loads(base64url_to_bytes(response["clientDataJSON"]))["challenge"]),
            base64url_to_bytes(handle) if handle else None,
        )
    except Exception as reason:  # whatever a stranger sends breaks the reading in its own way
        raise NotProven(type(reason).__name__) from None


def signed(answer: Answer, *, challenge: bytes, party: RelyingParty, public_key: bytes) -> Signed:
    """What the passkey with this public key has signed. Raises NotProven.

    Its count is returned and not compared: who says that a count went back must have signed it.
    """
    from webauthn import verify_authentication_response

    try:
        verified = verify_authentication_response(
            credential=answer.text,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as reason:
        raise NotProven(type(reason).__name__) from None
    return Signed(verified.new_sign_count)


def made(answer: Answer, *, challenge: bytes, party: RelyingParty) -> Made:
    """The passkey that a browser says it has made. Raises NotProven."""
    from webauthn import verify_registration_response

    try:
        verified = verify_registration_response(
            credential=answer.text,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except Exception as reason:
        raise NotProven(type(reason).__name__) from None
    return Made(verified.credential_id, verified.credential_public_key, verified.sign_count)


def to_make(
    party: RelyingParty, *, challenge: bytes, handle: bytes, username: str, known: Sequence[bytes]
) -> dict[str, Any]:
    """What a browser is asked for a new passkey: one that finds its account by itself and verifies its person."""
    from webauthn import generate_registration_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    return options_to_json_dict(
        generate_registration_options(
            rp_id=party.id,
            rp_name=_HOUSE,
            user_id=handle,
            user_name=username,
            user_display_name=username,
            challenge=challenge,
            timeout=_milliseconds(),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        )
    )


def to_sign(party: RelyingParty, *, challenge: bytes, known: Sequence[bytes] = ()) -> dict[str, Any]:
    """What a browser is asked to sign, by one of the `known` passkeys, or by any that it has for this address."""
    from webauthn import generate_authentication_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

    return options_to_json_dict(
        generate_authentication_options(
            rp_id=party.id,
            challenge=challenge,
            timeout=_milliseconds(),
            allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def _milliseconds() -> int:
    return int(CHALLENGE_LASTS.total_seconds() * 1000)
