"""What a pass is made of: signed tokens for the QR and the link, and a short code to type. Pure.

None of them says anything about a person. All follow from the pass's id and a signing key, so that a pass can be shown
again without being stored, by a vault that signs as it was signed; the database keeps digests only. Three kinds of
token have the same opaque bits and a signature of their own, so that one cannot be made from another:

- of a card, which stays as it is printed;
- of a screen, which holds the minute in which it was drawn: a picture of a phone is known by its age;
- of a link, which opens the page on the phone and is no pass by itself.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from stdnum import damm
from stdnum.exceptions import ValidationError

from dispensary.keys import Vault
from dispensary.supplies import serials

CARD, SCREEN, LINK = "TH", "TS", "TL"
"""How each kind begins. Letters alone, and only such as no keyboard layout of a scanner moves."""
_TOKEN = "pass.token"  # noqa: S105 - the name of a digest
_OPAQUE = 16
_SIGNED = 9
"""What follows the opaque bits: a signature of 72 bits; on a screen three bytes of minute and a signature of 48."""
_STEP = 3
TOKEN_LENGTH = len(CARD) + (_OPAQUE + _SIGNED) * 8 // 5
"""Fixed, so that what a scanner types is known to be whole: 42 characters of A-Z and 2-7."""
_STEPS_SINCE = datetime(2025, 1, 1, tzinfo=UTC)
REDRAWN = timedelta(minutes=1)
"""How often the page on the phone is drawn anew. Three bytes of minutes last until 2056."""
FRESH = timedelta(minutes=3)
"""How old a screen may be: long enough for a page that loads slowly, too short to carry a picture of it here."""
CODE_DIGITS = 7
"""Before the check digit: 10 million codes, over 23 bits, and wrong ones are counted by site."""


class Reading(StrEnum):
    """What a scanned or typed text is."""

    CARD = "card"
    SCREEN = "screen"
    LINK = "link"
    CODE = "code"
    MISTYPED = "mistyped"
    TAMPERED = "tampered"
    NOT_A_PASS = "not a pass"  # noqa: S105
    BOTTLE = "bottle"
    """The label of a bottle: `serials.serial_in` says which."""
    BOTTLE_MISTYPED = "mistyped bottle"


_KINDS = {CARD: Reading.CARD, SCREEN: Reading.SCREEN, LINK: Reading.LINK}


def token_of(vault: Vault, pass_id: UUID) -> str:
    """The card's QR, upper-case base32: 128 opaque bits and a signature over them."""
    return _static(vault, CARD, _opaque(vault, pass_id))


def link_of(vault: Vault, pass_id: UUID) -> str:
    """The last part of the address of the page on the phone."""
    return _static(vault, LINK, _opaque(vault, pass_id))


def screen_of(vault: Vault, pass_id: UUID, at: datetime) -> str:
    """The QR that the page on the phone shows at this moment."""
    opaque = _opaque(vault, pass_id)
    step = ((at - _STEPS_SINCE) // REDRAWN).to_bytes(_STEP, "big")
    return _written(SCREEN, opaque, step + _screen_signature(vault, opaque, step))


def _opaque(vault: Vault, pass_id: UUID) -> bytes:
    return vault.sign(_TOKEN, pass_id.bytes)[:_OPAQUE]


def _static(vault: Vault, kind: str, opaque: bytes) -> str:
    return _written(kind, opaque, _signature(vault, kind, opaque))


def _written(kind: str, opaque: bytes, signed: bytes) -> str:
    return kind + base64.b32encode(opaque + signed).decode()


def _signature(vault: Vault, kind: str, opaque: bytes) -> bytes:
    return vault.sign("pass.signature" if kind == CARD else f"pass.signature.{kind}", opaque)[:_SIGNED]


def _screen_signature(vault: Vault, opaque: bytes, step: bytes) -> bytes:
    return vault.sign("pass.screen", opaque + step)[: _SIGNED - _STEP]


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
    if text[: len(CARD)] not in _KINDS or len(text) != TOKEN_LENGTH:
        return Reading.NOT_A_PASS
    kind = text[: len(CARD)]
    try:
        raw = base64.b32decode(text[len(kind) :])
    except ValueError:
        return Reading.TAMPERED
    genuine = any(_is_genuine(signer, kind, raw[:_OPAQUE], raw[_OPAQUE:]) for signer in vault.signers())
    return _KINDS[kind] if genuine else Reading.TAMPERED


def _is_genuine(signer: Vault, kind: str, opaque: bytes, signed: bytes) -> bool:
    if kind == SCREEN:
        step, given = signed[:_STEP], signed[_STEP:]
        return hmac.compare_digest(_screen_signature(signer, opaque, step), given)
    return hmac.compare_digest(_signature(signer, kind, opaque), signed)


def drawn_at(token: str) -> datetime:
    """The minute in which the page on the phone drew this token of a screen."""
    raw = base64.b32decode(plain_text(token)[len(SCREEN) :])
    return _STEPS_SINCE + int.from_bytes(raw[_OPAQUE : _OPAQUE + _STEP], "big") * REDRAWN


def is_fresh(token: str, at: datetime) -> bool:
    """Whether a token of a screen was drawn just now; a picture that somebody carries here is older."""
    return abs(at - drawn_at(token)) <= FRESH


def token_digest(vault: Vault, pass_id: UUID) -> bytes:
    """What is kept of a pass's token: a digest of that of its card."""
    return vault.blind(_TOKEN, token_of(vault, pass_id))


def token_digests(vault: Vault, token: str) -> list[bytes]:
    """By which a pass is found, whatever kind of token shows it, whichever key signed it."""
    opaque = base64.b32decode(plain_text(token)[len(CARD) :])[:_OPAQUE]
    return [digest for signer in vault.signers() for digest in vault.blinds(_TOKEN, _static(signer, CARD, opaque))]


def code_digest(vault: Vault, site_id: UUID, code: str) -> bytes:
    """What is kept of a code."""
    return vault.blind(_code_at(site_id), plain_text(code))


def code_digests(vault: Vault, site_id: UUID, code: str) -> list[bytes]:
    """By which a code is found at its site."""
    return vault.blinds(_code_at(site_id), plain_text(code))


def _code_at(site_id: UUID) -> str:
    return f"pass.code|{site_id}"
