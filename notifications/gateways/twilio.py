"""Texts by Twilio's Messages resource, 2010-04-01."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import import_module
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from notifications.gateways import (
    Accepted,
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

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds. The library's own default is to wait for ever."""
_SHORTEST, _LONGEST = 6, 36_000
"""Twilio's bounds for ValidityPeriod, in seconds: 1 to 36,000, and more than 5 is recommended."""
_OPTED_OUT = "21610"
_LATER = {"20429", "21611", "20003", "20005"}
"""Not the text's fault: too many at once, the sender's queue is full, the account is locked out or suspended."""
_MOST_LOOKED_AT = 200
_STATES: Mapping[str, State] = {
    "accepted": State.SENT,
    "scheduled": State.SENT,
    "queued": State.SENT,
    "sending": State.SENT,
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.UNDELIVERED,
    "failed": State.FAILED,
    "canceled": State.FAILED,
}
"""All that Twilio has taken is `sent` to us, though it may still wait in its queue."""


class TwilioGateway:
    """Texts through one Twilio account, from one number or messaging service (an id that begins with MG)."""

    name = "twilio"
    heard = Heard('<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml")
    """TwiML that writes nothing back: the answer goes through the outbox, so that it is kept, counted and sent once."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        status_url: str = "",
        api_base: str = "",
        per_second: float | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`status_url` is the public address for reports; `api_base` another scheme and host than Twilio's own."""
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._sender = {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}
        self._status_url = status_url
        self._api_base = api_base
        self.per_second = per_second
        self._timeout = timeout

    @cached_property
    def _client(self) -> Any:
        return _client(self._account_sid, self._auth_token, self._api_base, self._timeout)

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted | Rejected | Unknown:
        """Asks Twilio once; there is no idempotency key, so that a time-out leaves the text unknown."""
        report: dict[str, str] = {}
        if self._status_url:
            report["status_callback"] = f"{self._status_url}?{urlencode({'reference': str(reference)})}"
        try:
            message = self._client.messages.create(
                to=to,
                body=body,
                validity_period=min(max(valid_seconds, _SHORTEST), _LONGEST),
                **self._sender,
                **report,
            )
        except Exception as reason:
            return _refusal(reason)
        return Accepted(message.sid)

    def look_up(self, to: str, body: str, reference: UUID, since: datetime) -> Sequence[Seen] | Unknown:
        """Reads the newest texts to this number, and compares date and body here.

        Twilio's own date filter is on the date of sending, which a text that still waits in its queue does not have.
        A trial account puts words of its own before the body.
        """
        try:
            messages = self._client.messages.list(to=to, limit=_MOST_LOOKED_AT, page_size=_MOST_LOOKED_AT)
        except Exception as reason:
            return Unknown(_named(reason))
        earliest = since.astimezone(UTC) - timedelta(minutes=1)
        return [
            Seen(message.sid, _STATES.get(str(message.status), State.SENT), _code(message.error_code))
            for message in messages
            if str(message.direction).startswith("outbound")
            and (message.date_created is None or message.date_created.astimezone(UTC) >= earliest)
            and (message.body or "").endswith(body)
        ]

    def parse_inbound(self, called: Called) -> Sequence[Inbound]:
        """Reads the form of Twilio's webhook for incoming texts; a picture without words is an empty text."""
        form = called.form
        message_id = form.get("MessageSid") or form.get("SmsSid") or ""
        phone = form.get("From", "")
        if not message_id or not phone:
            return []
        return [Inbound(message_id, phone, form.get("Body", ""), form.get("OptOutType", ""))]

    def parse_status(self, called: Called) -> Sequence[Status]:
        """Reads the form of a status callback, and our own id in its query."""
        form = called.form
        provider_id = form.get("MessageSid") or form.get("SmsSid") or ""
        state = _STATES.get(form.get("MessageStatus") or form.get("SmsStatus") or "")
        if not provider_id or state is None:
            return []
        code = _code(form.get("ErrorCode"))
        return [Status(provider_id, state, code, reference_of(called.query.get("reference")), code == _OPTED_OUT)]

    def verify(self, called: Called) -> bool:
        """Whether the signature is Twilio's, over the public address with its query and every field of the POST."""
        signature = called.headers.get("x-twilio-signature", "")
        validator = import_module("twilio.request_validator").RequestValidator(self._auth_token)
        return bool(signature) and bool(validator.validate(called.url, dict(called.form), signature))


def configured(environment: Mapping[str, str], *, hooks: str, per_second: float | None) -> Gateway | None:
    """The gateway of TWILIO_ACCOUNT_SID and the settings beside it; nothing without them. Raises BadGateway."""
    values = wanted(environment, "Twilio", ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"))
    if values is None:
        return None
    account_sid, auth_token, sender = values
    return TwilioGateway(
        account_sid=account_sid,
        auth_token=auth_token,
        sender=sender,
        status_url=f"{hooks}/status",
        api_base=environment.get("TWILIO_API_BASE", "").strip(),
        per_second=per_second,
    )


def _client(account_sid: str, auth_token: str, api_base: str, timeout: float) -> Any:
    from twilio.http.http_client import TwilioHttpClient  # imported late: it is slow, and only senders need it

    class QuietClient(TwilioHttpClient):
        """Goes to another scheme and host when told to, and never logs numbers and texts as the library does."""

        def request(self, method: str, uri: str, *arguments: Any, **named: Any) -> Any:  # type: ignore[override]
            if api_base:
                base, asked = urlsplit(api_base), urlsplit(uri)
                uri = urlunsplit((base.scheme, base.netloc, asked.path, asked.query, ""))
            return super().request(method, uri, *arguments, **named)

        def log_request(self, kwargs: dict[str, Any]) -> None:
            pass

        def log_response(self, status_code: int, response: Any) -> None:
            pass

    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # its debug lines hold the number looked up
    client = import_module("twilio.rest").Client
    return client(account_sid, auth_token, http_client=QuietClient(timeout=timeout))


def _refusal(reason: Exception) -> Rejected | Unknown:
    """What Twilio meant. A refusal below 500 alone says for certain that the text was not taken."""
    status = getattr(reason, "status", None)
    if not isinstance(status, int) or status >= 500 or status < 400 or status == 408:
        return Unknown(_named(reason))
    code = _code(getattr(reason, "code", None)) or str(status)
    later = status in (401, 403, 429) or code in _LATER
    return Rejected(code, permanent=not later, opted_out=code == _OPTED_OUT, slow_down=status == 429)


def _named(reason: Exception) -> str:
    """The kind of the failure alone: its own words hold the number."""
    log.warning("Twilio gave no answer", extra={"failure": type(reason).__name__})
    return type(reason).__name__


def _code(value: object) -> str | None:
    return str(value) if value not in (None, "", 0, "0") else None
