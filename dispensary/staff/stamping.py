"""Time stamps (RFC 3161): an authority outside says that a file of an anchor was there at a moment.

It is sent the SHA-256 of the file and nothing else. What it answers is kept as it came, beside the file, so that
`openssl ts -verify` can read it without this program.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.tsp import PKIStatus, TimeStampRequest

from dispensary.settings import TimeStamps
from dispensary.staff.anchor_rules import Anchor

TIMEOUT = 10
"""Seconds that an authority has to answer."""
_LARGEST = 64 * 1024
_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"


class NoStamp(Exception):
    """There is no time stamp now. The text says why in one line, without the address."""


@dataclass(frozen=True)
class Stamp:
    """What the authority answered, and the moment that it names."""

    response: bytes
    at: datetime


Fetch = Callable[[str, bytes], bytes]


def ask_by_http(url: str, request: bytes) -> bytes:
    """Sends the question and gives back the answer. Raises NoStamp."""
    asked = urllib.request.Request(url, request, {"Content-Type": _ASKED, "Accept": _ANSWERED})  # noqa: S310 - settings
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310 - settings allow http(s) alone
            said: bytes = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as reason:
        raise NoStamp(f"the authority answered {reason.code}") from None
    except OSError as reason:
        raise NoStamp(f"the authority does not answer ({type(reason).__name__})") from None
    if len(said) > _LARGEST:
        raise NoStamp("the authority's answer is too long")
    return said


def stamp(anchor: Anchor, authority: TimeStamps, *, fetch: Fetch = ask_by_http) -> Stamp:
    """A time stamp over the file of this anchor, checked: our question, our file, and the roots where there are some.

    Raises NoStamp.
    """
    request = (
        TimestampRequestBuilder().data(anchor.as_file).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True).build()
    )
    said = fetch(authority.url, request.as_bytes())
    response = _read(said)
    if response.tst_info.nonce != request.nonce:
        raise NoStamp("the authority answered another question than ours")
    refuse_unless_of(anchor, response)
    if authority.roots is not None:
        _refuse_unless_vouched_for(anchor, response, request, authority.roots)
    return Stamp(said, response.tst_info.gen_time.astimezone(UTC))


def _read(said: bytes) -> TimeStampResponse:
    try:
        response = decode_timestamp_response(said)
        granted = PKIStatus(response.status) in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS)
    except ValueError:
        raise NoStamp("what the authority answered is no time stamp") from None
    if not granted:
        raise NoStamp(f"the authority refused ({PKIStatus(response.status).name.lower()})")
    return response


def refuse_unless_of(anchor: Anchor, response: TimeStampResponse) -> None:
    """Raises NoStamp unless this time stamp is over the file of this anchor."""
    if response.tst_info.message_imprint.message != sha256(anchor.as_file).digest():
        raise NoStamp("the time stamp is of another file")


def _refuse_unless_vouched_for(
    anchor: Anchor, response: TimeStampResponse, request: TimeStampRequest, roots: Path
) -> None:
    try:
        builder = VerifierBuilder.from_request(request)
        for certificate in x509.load_pem_x509_certificates(roots.read_bytes()):
            builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(response, anchor.as_file)
    except OSError as reason:
        raise NoStamp(f"the file of roots cannot be read ({reason.strerror})") from None
    except (ValueError, VerificationError) as reason:
        raise NoStamp(f"nobody known vouches for the time stamp: {reason}") from None


def stamped_file(anchor: Anchor, response: bytes) -> datetime:
    """The moment that a kept time stamp names. Raises NoStamp when it is of another file."""
    read = _read(response)
    refuse_unless_of(anchor, read)
    return read.tst_info.gen_time.astimezone(UTC)
