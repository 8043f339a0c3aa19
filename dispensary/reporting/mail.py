"""A report by mail: over TLS or not at all, with files that name nobody."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

from dispensary.settings import Mail

_WITHIN = 30
"""Seconds for each answer of the server."""
_TYPES = {"pdf": ("application", "pdf"), "csv": ("text", "csv"), "json": ("application", "json")}


class NotSent(RuntimeError):
    """The server did not take the mail. The text says why, and never the password."""


def send(mail: Mail, *, subject: str, words: str, files: Mapping[str, bytes], at: datetime) -> Sequence[str]:
    """Sends one mail to everybody who is set up, and says to whom. Raises NotSent; then nobody has got it.

    A server without TLS, or with a certificate that nobody vouches for, is not talked to. The same files of the same
    subject have the same number, so that who gets a second copy after a lost answer can tell.
    """
    message = _message(mail, subject=subject, words=words, files=files, at=at)
    secure = ssl.create_default_context(cafile=str(mail.authority) if mail.authority else None)
    try:
        with _connected(mail, secure) as server:
            if mail.user:
                server.login(mail.user, mail.password)
            refused = server.send_message(message, mail.sender, list(mail.to))
    except smtplib.SMTPAuthenticationError:
        raise NotSent(f"{mail.host} does not take the name and password of REPORTS_SMTP.") from None
    except smtplib.SMTPRecipientsRefused:
        raise NotSent(f"{mail.host} takes mail to none of the addresses of REPORTS_MAIL_TO.") from None
    except (OSError, smtplib.SMTPException) as reason:
        raise NotSent(f"{mail.host} did not take the mail: {type(reason).__name__}: {str(reason)[:160]}") from None
    if refused:
        raise NotSent(f"{mail.host} took the mail for some, and not for {len(refused)} of {len(mail.to)} addresses.")
    return mail.to


def _connected(mail: Mail, secure: ssl.SSLContext) -> smtplib.SMTP:
    if mail.at_once:
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=_WITHIN, context=secure)
    server = smtplib.SMTP(mail.host, mail.port, timeout=_WITHIN)
    try:
        server.starttls(context=secure)
    except BaseException:
        server.close()
        raise
    return server


def _message(mail: Mail, *, subject: str, words: str, files: Mapping[str, bytes], at: datetime) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail.sender, ", ".join(mail.to)
    message["Date"] = format_datetime(at)
    digest = sha256(subject.encode() + b"".join(files[name] for name in sorted(files))).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{mail.sender.partition('@')[2]}>"
    message.set_content(words)
    for name in sorted(files):
        kind, form = _TYPES[name.rpartition(".")[2]]
        message.add_attachment(files[name], maintype=kind, subtype=form, filename=name)
    return message
