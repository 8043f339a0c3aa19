"""What a pass is made of: a signed token for the QR, and a short code to type when the QR cannot be read. Pure.

Neither says anything about a person. Both follow from the pass's id and the signing key, so that a pass can be shown
again without being stored; the database keeps digests only.
"""

from __future__ import annotations

import base64
import hmac
from enum import StrEnum
from uuid import UUID

from stdnum import damm
from stdnum.exceptions import ValidationError

from dispensary.keys import Vault
from dispensary.supplies import serials

PREFIX = "TH"
_OPAQUE = 16
_SIGNATURE = 9
TOKEN_LENGTH = len(PREFIX) + (_OPAQUE + _SIGNATURE) * 8 // 5
"""Fixed, so that what a scanner types is known to be whole: 42 characters of A-Z and 2-7."""
CODE_DIGITS = 7
"""Before the check digit: 10 million codes, over 23 bits, and wrong ones are counted by site."""


class Reading(StrEnum):
    """What a scanned or typed text is."""

    TOKEN = "token"  # noqa: S105
    CODE = "code"
    MISTYPED = "mistyped"
    TAMPERED = "tampered"
    NOT_A_PASS = "not a pass"  # noqa: S105
    BOTTLE = "bottle"
    """The label of a bottle: `serials.serial_in` says which."""
    BOTTLE_MISTYPED = "mistyped bottle"


def token_of(vault: Vault, pass_id: UUID) -> str:
    """The QR's content, upper-case base32: 128 opaque bits and a signature of 72 bits over them."""
    opaque = vault.sign("pass.token", pass_id.bytes)[:_OPAQUE]
    return PREFIX + base64.b32encode(opaque + _signature(vault, opaque)).decode()


def _signature(vault: Vault, opaque: bytes) -> bytes:
    return vault.sign("pass.signature", opaque)[:_SIGNATURE]


def code_of(vault: Vault, pass_id: UUID) -> str:
    """The typed code: seven digits and a Damm check digit, which misses no single wrong digit and no swap."""
    number = int.from_bytes(vault.sign("pass.code", pass_id.bytes)[:8], "big") % 10**CODE_DIGITS
    digits = f"{number:0{CODE_DIGITS}d}"
    return digits + str(damm.calc_check_digit(digits))


def spoken(code: str) -> str:
    """The code as it is printed and read aloud: 1234 5678."""
    return f"{code[:4]} {code[4:]}"


def plain_text(text: str) -> str:
    """What was scanned or typed without the spaces and dashes that people put in."""
    return "".join(c for c in text.upper() if c.isalnum())


def read(vault: Vault, text: str) -> Reading:
    """What this is, from its form and signature alone, without asking the database."""
    text = plain_text(text)
    if serials.serial_in(text) is not None:
        return Reading.BOTTLE
    if serials.is_bottle_shaped(text):
        return Reading.BOTTLE_MISTYPED
    if text.isascii() and text.isdigit():
        if len(text) != CODE_DIGITS + 1:
            return Reading.MISTYPED
        try:
            damm.validate(text)
        except ValidationError:
            return Reading.MISTYPED
        return Reading.CODE
    if not text.startswith(PREFIX) or len(text) != TOKEN_LENGTH:
        return Reading.NOT_A_PASS
    try:
        raw = base64.b32decode(text[len(PREFIX) :])
    except ValueError:
        return Reading.TAMPERED
    genuine = hmac.compare_digest(_signature(vault, raw[:_OPAQUE]), raw[_OPAQUE:])
    return Reading.TOKEN if genuine else Reading.TAMPERED


def token_digest(vault: Vault, token: str) -> bytes:
    """By which a token is found."""
    return vault.blind("pass.token", plain_text(token))


def code_digest(vault: Vault, site_id: UUID, code: str) -> bytes:
    """By which a code is found at its site."""
    return vault.blind(f"pass.code|{site_id}", plain_text(code))
