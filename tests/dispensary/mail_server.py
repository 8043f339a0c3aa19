"""A mail server for tests: it speaks SMTP over TLS with a certificate of its own, and keeps what it takes."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Post:
    """What the server does, and what came."""

    port: int = 0
    certificate: Path = Path()
    tls: bool = True
    password: str = "a password with spaces"
    refuses: bool = False
    """Takes mail to nobody."""
    mails: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    said_in_the_clear: list[str] = field(default_factory=list)


@contextmanager
def post_office(folder: Path) -> Iterator[Post]:
    """A server on a port of its own, for as long as the block lasts."""
    post = Post(certificate=_certificate(folder))
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(post.certificate)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _serve(self.request, post, secure)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that walks away is no trouble of the server's."""

    with Server(("127.0.0.1", 0), Handler) as server:
        post.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield post
        server.shutdown()


def _serve(connection: Any, post: Post, secure: ssl.SSLContext) -> None:
    def say(line: str) -> None:
        connection.sendall(f"{line}\r\n".encode())

    reader, safe, sender, to = connection.makefile("rb"), False, "", list[str]()
    say("220 here")
    while line := reader.readline():
        command = line.decode().strip()
        verb = command.upper().split(" ")[0].split(":")[0]
        if not safe:
            post.said_in_the_clear.append(verb)
        if verb in ("EHLO", "HELO"):
            say("250-here")
            if post.tls and not safe:
                say("250-STARTTLS")
            say("250 AUTH PLAIN")
        elif verb == "STARTTLS" and post.tls:
            say("220 go on")
            connection = secure.wrap_socket(connection, server_side=True)
            reader, safe = connection.makefile("rb"), True
        elif verb == "AUTH":
            given = base64.b64decode(command.split(" ")[2]).decode().split("\0")
            say("235 come in" if given[1:] == ["reports", post.password] else "535 no")
        elif verb == "MAIL":
            sender, to = command.partition("<")[2].partition(">")[0], []
            say("250 yes")
        elif verb == "RCPT":
            if post.refuses:
                say("550 nobody here")
            else:
                to.append(command.partition("<")[2].partition(">")[0])
                say("250 yes")
        elif verb == "DATA":
            say("354 go on")
            lines = []
            while (each := reader.readline()) != b".\r\n":
                lines.append(each.removeprefix(b".") if each.startswith(b"..") else each)
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(message, EmailMessage)
            post.mails.append((sender, to, message))
            say("250 taken")
        elif verb == "QUIT":
            say("221 go well")
            return
        else:
            say("250 yes" if verb in ("RSET", "NOOP") else "502 no")


def _certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file
