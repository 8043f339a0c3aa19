"""Texts by Kannel, the free gateway that countries without Twilio run: its smsbox beside us, the operator behind it.

Kannel gives a text no id of its own, so that ours is the provider's. It keeps no list that could be asked: a text whose
answer was lost is never sent again, and only its delivery report still tells what became of it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import Message as Headers
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener
from uuid import UUID

from notifications.gateways import (
    Accepted,
    BadGateway,
    Called,
    Gateway,
    Heard,
    Inbound,
    Rejected,
    Seen,
    Status,
    Unknown,
    reference_of,
    wanted,
)
from notifications.models import State
from notifications.segments import Encoding, measure

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds."""
_ALL_REPORTS = 1 | 2 | 8 | 16
"""dlr-mask: delivered, not delivered, taken by the operator, refused by the operator."""
_STATES: Mapping[str, State] = {
    "1": State.DELIVERED,
    "2": State.UNDELIVERED,
    "8": State.SENT,
    "16": State.FAILED,
}
_CODING = {Encoding.GSM7: "0", Encoding.UCS2: "2"}
_OPENER = build_opener(ProxyHandler({}))


class KannelGateway:
    """Texts through one smsbox, by its /cgi-bin/sendsms.

    Numbers and texts travel in headers and bodies and never in an address, which servers on the way write down.
    """

    name = "kannel"
    heard = Heard("", "text/plain")  # an empty answer is no reply to the phone (`omit-empty`)

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: str,
        secret: str,
        reports_to: str,
        sender: str = "",
        smsc: str = "",
        per_second: float | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`url` is the smsbox, `secret` what it proves itself by to us, `reports_to` our hooks as it reaches them."""
        self._send_url = f"{url.rstrip('/')}/cgi-bin/sendsms"
        self._fixed = {"X-Kannel-Username": username, "X-Kannel-Password": password}
        self._fixed |= {"X-Kannel-From": sender} if sender else {}
        self._fixed |= {"X-Kannel-SMSC": smsc} if smsc else {}
        self._secret = secret.encode()
        self._reports_to = reports_to
        self.per_second = per_second
        self._timeout = timeout

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted | Rejected | Unknown:
        """Asks the smsbox once. Its validity is in minutes: the last one that has begun counts."""
        asked = Request(  # noqa: S310 - the address is the operator's own setting, http or https
            self._send_url,
            data=body.encode(),
            headers={
                **self._fixed,
                "Content-Type": "text/plain; charset=UTF-8",
                "X-Kannel-To": to,
                "X-Kannel-Coding": _CODING[measure(body).encoding],
                "X-Kannel-Validity": str(max(1, -(-valid_seconds // 60))),
                "X-Kannel-DLR-Mask": str(_ALL_REPORTS),
                "X-Kannel-DLR-Url": self._report_url(reference),
            },
            method="POST",
        )
        try:
            with _OPENER.open(asked, timeout=self._timeout) as answer:
                return Accepted(str(reference)) if answer.status == 202 else Unknown(f"HTTP {answer.status}")
        except HTTPError as reason:
            with reason:
                return _refusal(reason.code)
        except URLError as reason:
            if isinstance(reason.reason, ConnectionRefusedError):
                return Rejected("no-connection", permanent=False)
            return _silence(reason.reason)
        except (OSError, HTTPException) as reason:
            return _silence(reason)

    def look_up(self, to: str, body: str, reference: UUID, since: datetime) -> Sequence[Seen] | Unknown:
        """Cannot be known: Kannel has no list of what it took."""
        return Unknown("no-list", for_good=True)

    def parse_inbound(self, called: Called) -> Sequence[Inbound]:
        """Reads what `post-url` brings: the text in the body, its number in a header, Kannel's id in the query."""
        message_id = called.query.get("id", "")
        phone = _international(called.headers.get("x-kannel-from", ""))
        if not message_id or not phone:
            return []
        kind = Headers()
        kind["Content-Type"] = called.headers.get("content-type", "")
        try:
            text = called.body.decode(kind.get_content_charset("utf-8"), "replace")
        except LookupError:
            text = called.body.decode("utf-8", "replace")
        return [Inbound(message_id, phone, text)]

    def parse_status(self, called: Called) -> Sequence[Status]:
        """Reads a delivery report: 8 when the operator took the text, then 1, or 2 or 16 when nothing came of it."""
        kind = called.query.get("type", "")
        reference = reference_of(called.query.get("reference"))
        state = _STATES.get(kind)
        if reference is None or state is None:
            return []
        code = f"report-{kind}" if state in (State.UNDELIVERED, State.FAILED) else None
        return [Status(str(reference), state, code, reference)]

    def verify(self, called: Called) -> bool:
        """Whether it is our Kannel: by the secret as a password, or for a report by the signature we gave it.

        A signature stands for one text of ours and opens the address of reports alone.
        """
        if hmac.compare_digest(_password(called.headers.get("authorization", "")), self._secret):
            return True
        reference = reference_of(called.query.get("reference"))
        if reference is None or not urlsplit(called.url).path.endswith("/status"):
            return False
        return hmac.compare_digest(called.query.get("signature", "").encode(), self._signature(reference).encode())

    def _report_url(self, reference: UUID) -> str:
        signed = urlencode({"reference": str(reference), "signature": self._signature(reference)})
        return f"{self._reports_to}/status?{signed}&type=%d"

    def _signature(self, reference: UUID) -> str:
        return hmac.digest(self._secret, reference.bytes, "sha256").hex()


def configured(environment: Mapping[str, str], *, hooks: str, per_second: float | None) -> Gateway | None:
    """The gateway of KANNEL_URL and the settings beside it; nothing when they are not given. Raises BadGateway."""
    values = wanted(environment, "Kannel", ("KANNEL_URL", "KANNEL_USERNAME", "KANNEL_PASSWORD", "KANNEL_SECRET"))
    if values is None:
        return None
    url, username, password, secret = values
    if urlsplit(url).scheme not in ("http", "https"):
        raise BadGateway(f"KANNEL_URL is “{url}”. Set it to an address such as http://127.0.0.1:13013.")
    if len(secret) < 20:
        raise BadGateway(
            "KANNEL_SECRET is too short: whoever knows it can write in anybody's name. Use 20 signs or more."
        )
    return KannelGateway(
        url=url,
        username=username,
        password=password,
        secret=secret,
        reports_to=environment.get("KANNEL_HOOKS", "").strip().rstrip("/") or hooks,
        sender=environment.get("KANNEL_FROM", "").strip(),
        smsc=environment.get("KANNEL_SMSC", "").strip(),
        per_second=per_second,
    )


def _refusal(status: int) -> Rejected | Unknown:
    """What the smsbox meant: 403 a wrong password, 503 that it takes nothing now; other refusals are for good."""
    if status == 503 or status in (401, 403, 429):
        return Rejected(str(status), permanent=False, slow_down=status in (429, 503))
    return Rejected(str(status), permanent=True) if 400 <= status < 500 else Unknown(f"HTTP {status}")


def _silence(reason: object) -> Unknown:
    """The kind of the failure alone."""
    log.warning("Kannel gave no answer", extra={"failure": type(reason).__name__})
    return Unknown(type(reason).__name__)


def _international(number: str) -> str:
    """With the plus that some operators leave out; what is no number stays as it is."""
    return f"+{number}" if number.isdecimal() and not number.startswith("0") else number


def _password(authorization: str) -> bytes:
    kind, _, given = authorization.partition(" ")
    if kind.lower() != "basic":
        return b""
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
