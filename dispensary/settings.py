"""Where the program keeps its data and whom it talks to, read once from the environment."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from notifications.gateways import BadGateway, Gateway
from notifications.gateways.chosen import chosen

Network: TypeAlias = IPv4Network | IPv6Network

_ADDRESS = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+")


class BadSettings(ValueError):
    """The environment asks for something impossible or unsafe. The text is one line that says what to change."""


class CannotServe(RuntimeError):
    """The program cannot serve here now. The text is one line that says why and what to do."""


@dataclass(frozen=True)
class Mail:
    """A mail server that takes reports, and to whom they go."""

    host: str
    port: int
    at_once: bool
    """TLS from the first byte (smtps://); else the connection is made safe before anything is said (STARTTLS)."""
    user: str
    password: str
    sender: str
    to: tuple[str, ...]
    authority: Path | None
    """Who vouches for the server's certificate, when the machine does not know them."""


@dataclass(frozen=True)
class Reports:
    """Where the report of each month goes."""

    folder: Path
    mail: Mail | None


@dataclass(frozen=True)
class Backups:
    """Where backups go, and to whose key they are sealed."""

    folder: Path
    """DISPENSARY_BACKUPS."""
    sealed_to: tuple[str, ...]
    """Public keys (DISPENSARY_BACKUP_KEYS), each of which opens a backup with its secret part."""
    copy_to: Path | None
    """A second folder, such as a share of another building (DISPENSARY_BACKUP_COPY)."""


@dataclass(frozen=True)
class TimeStamps:
    """An authority that says when a file was there (RFC 3161)."""

    url: str
    """DISPENSARY_TSA."""
    roots: Path | None
    """Who vouches for it, as a file of certificates (DISPENSARY_TSA_ROOTS). None keeps what it says unproven."""


@dataclass(frozen=True)
class Settings:
    """Everything that differs between a laptop demo and a clinic in production."""

    data: Path
    """The data folder (DISPENSARY_DATA): embedded PostgreSQL, logs and exports live below it."""
    database_url: str | None
    """A PostgreSQL server (DATABASE_URL). None starts the embedded one in the data folder."""
    keys: Path
    """The key file (DISPENSARY_KEYS), made on first start. Production keeps it away from the data folder."""
    environment: str
    """`demo` or `production` (DISPENSARY_ENV)."""
    host: str
    port: int
    public_base_url: str
    """The address that phones and the gateway see (PUBLIC_BASE_URL); links and signatures are built from it alone."""
    gateway: Gateway | None
    """The way to phones that is set up (notifications/gateways). None sends to no phone."""
    reports: Reports | None
    """The folder of monthly reports, and by whom they are mailed. None makes none."""
    backups: Backups | None = None
    """None makes no backup by itself."""
    anchors: Path | None = None
    """A second folder for anchors of the audit trail (DISPENSARY_ANCHORS), where no database administrator writes."""
    time_stamps: TimeStamps | None = None
    keys_json: str | None = field(default=None, repr=False)
    """The keys themselves (DISPENSARY_KEYS_JSON), in place of a file."""
    keys_command: tuple[str, ...] = ()
    """A program that prints the keys (DISPENSARY_KEYS_COMMAND), in place of a file: the hook to a key service."""
    proxies: tuple[Network, ...] = ()
    """Who ends TLS before the program (DISPENSARY_PROXIES): only what they say of a request's address is believed."""

    @property
    def production(self) -> bool:
        return self.environment == "production"


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise BadSettings(f"DISPENSARY_PORT is “{text}”. Set it to a number from 1 to 65535.")
    return int(text)


def _database_url(text: str) -> str:
    scheme = text.split("://", 1)[0] if "://" in text else ""
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise BadSettings(
            "DATABASE_URL must begin with postgresql:// and name a PostgreSQL server, version 15 or newer."
        )
    return "postgresql+psycopg://" + text.split("://", 1)[1]


def _gateway(environment: Mapping[str, str], public_base: str) -> Gateway | None:
    try:
        return chosen(environment, public_base=public_base)
    except BadGateway as reason:
        raise BadSettings(str(reason)) from None


def _reports(environment: Mapping[str, str]) -> Reports | None:
    folder = environment.get("REPORTS_FOLDER", "").strip()
    mail = _mail(environment)
    if mail is not None and not folder:
        raise BadSettings("REPORTS_SMTP is set and REPORTS_FOLDER is not. Reports lie in a folder first.")
    return Reports(Path(folder).expanduser().resolve(), mail) if folder else None


def _mail(environment: Mapping[str, str]) -> Mail | None:
    address = environment.get("REPORTS_SMTP", "").strip()
    sender = environment.get("REPORTS_MAIL_FROM", "").strip()
    to = tuple(each.strip() for each in environment.get("REPORTS_MAIL_TO", "").split(",") if each.strip())
    authority = environment.get("REPORTS_SMTP_CA", "").strip()
    if not address:
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/"):
        raise BadSettings(
            "REPORTS_SMTP cannot be read. Write smtp://name:password@host:587 (STARTTLS) or smtps://name:password@host:465,"
            " with %40 for @ in a password."
        )
    for name, addresses in (("REPORTS_MAIL_FROM", (sender,)), ("REPORTS_MAIL_TO", to or ("",))):
        if not all(_ADDRESS.fullmatch(each) for each in addresses):
            raise BadSettings(f"{name} is no mail address. Write name@example.org, several with commas between.")
    if authority and not Path(authority).is_file():
        raise BadSettings(f"REPORTS_SMTP_CA names no file: {authority}.")
    return Mail(
        host=parts.hostname,
        port=port or (465 if parts.scheme == "smtps" else 587),
        at_once=parts.scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=sender,
        to=to,
        authority=Path(authority) if authority else None,
    )


def _folder(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "").strip()
    return Path(text).expanduser().resolve() if text else None


def _backups(environment: Mapping[str, str]) -> Backups | None:
    folder, copy_to = (_folder(environment, name) for name in ("DISPENSARY_BACKUPS", "DISPENSARY_BACKUP_COPY"))
    keys = tuple(environment.get("DISPENSARY_BACKUP_KEYS", "").replace(",", " ").split())
    if folder is None:
        if keys or copy_to:
            raise BadSettings("DISPENSARY_BACKUPS is missing: it names the folder for backups.")
        return None
    if not keys:
        raise BadSettings(
            "DISPENSARY_BACKUP_KEYS is missing: the public key that `dispensary backup-key` prints, or several."
        )
    if any(not key.startswith("age1") for key in keys):
        raise BadSettings("DISPENSARY_BACKUP_KEYS holds what is no public key. Each begins with age1.")
    if copy_to == folder:
        raise BadSettings(
            "DISPENSARY_BACKUP_COPY is the same folder as DISPENSARY_BACKUPS. Name one on another machine."
        )
    return Backups(folder, keys, copy_to)


def _time_stamps(environment: Mapping[str, str]) -> TimeStamps | None:
    url = environment.get("DISPENSARY_TSA", "").strip()
    roots = environment.get("DISPENSARY_TSA_ROOTS", "").strip()
    if not url:
        return None
    if not re.fullmatch(r"https?://[^\s/]+\S*", url):
        raise BadSettings("DISPENSARY_TSA is no address. Write one such as https://tsa.example.org/tsr.")
    if roots and not Path(roots).is_file():
        raise BadSettings(f"DISPENSARY_TSA_ROOTS names no file: {roots}.")
    return TimeStamps(url, Path(roots) if roots else None)


_taken: dict[str, str] = {}
"""Keys that were taken out of the environment, for whoever reads the settings of this process once more."""


def _keys_json(environment: Mapping[str, str]) -> str | None:
    """The keys, which no program that is started from here finds in its environment, such as PostgreSQL's tools."""
    text = environment.get("DISPENSARY_KEYS_JSON", "").strip()
    if environment is os.environ:
        if os.environ.pop("DISPENSARY_KEYS_JSON", None) is not None:
            _taken["keys"] = text
        text = _taken.get("keys", "")
    return text or None


def _keys_command(environment: Mapping[str, str]) -> tuple[str, ...]:
    text = environment.get("DISPENSARY_KEYS_COMMAND", "").strip()
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise BadSettings("DISPENSARY_KEYS_COMMAND cannot be read: a quotation mark is missing.") from None


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings. Raises BadSettings with one line that says what to change, also for unsafe production."""
    kind = environment.get("DISPENSARY_ENV", "demo").strip() or "demo"
    if kind not in ("demo", "production"):
        raise BadSettings(f"DISPENSARY_ENV is “{kind}”. Set it to demo or production.")
    data = Path(environment.get("DISPENSARY_DATA", "data")).expanduser().resolve()
    keys_text = environment.get("DISPENSARY_KEYS", "").strip()
    keys = Path(keys_text).expanduser().resolve() if keys_text else data / "keys.json"
    url_text = environment.get("DATABASE_URL", "").strip()
    port = _port(environment.get("DISPENSARY_PORT", "8000").strip() or "8000")
    host = environment.get("DISPENSARY_HOST", "127.0.0.1").strip() or "127.0.0.1"
    base = environment.get("PUBLIC_BASE_URL", "").strip().rstrip("/") or f"http://{host}:{port}"
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSettings(f"PUBLIC_BASE_URL is “{base}”. Set it to an address such as https://clinic.example.org.")
    settings = Settings(
        data=data,
        database_url=_database_url(url_text) if url_text else None,
        keys=keys,
        environment=kind,
        host=host,
        port=port,
        public_base_url=base,
        gateway=_gateway(environment, base),
        reports=_reports(environment),
        backups=_backups(environment),
        anchors=_folder(environment, "DISPENSARY_ANCHORS"),
        time_stamps=_time_stamps(environment),
        keys_json=_keys_json(environment),
        keys_command=_keys_command(environment),
        proxies=_proxies(environment.get("DISPENSARY_PROXIES", "")),
    )
    if settings.keys_json and settings.keys_command:
        raise BadSettings("DISPENSARY_KEYS_JSON and DISPENSARY_KEYS_COMMAND are both set. Keep one of them.")
    if settings.production:
        _refuse_unsafe(settings, parts.scheme)
        _refuse_debug(environment)
    return settings


def _proxies(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(each) for each in text.replace(",", " ").split())
    except ValueError:
        raise BadSettings(
            f"DISPENSARY_PROXIES is “{text}”. Name the addresses of the proxy that ends TLS, such as 127.0.0.1."
        ) from None


_DEBUG = {"LITESTAR_DEBUG", "LITESTAR_PDB", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG", "PYTHONINSPECT"}


def _refuse_debug(environment: Mapping[str, str]) -> None:
    """A program that shows its inner parts, or stops in them, is none for production."""
    for name in sorted(environment.keys() & _DEBUG):
        if environment[name].strip() not in ("", "0"):
            raise BadSettings(f"Production does not run with {name}: unset it.")


def _refuse_bare_database(url: str) -> None:
    """A database elsewhere is reached by TLS, or by a decision that somebody has written down."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    named = [host for name, value in parse_qsl(parts.query) if name == "host" for host in value.split(",")]
    away = [host for host in named or [parts.hostname or ""] if host and not _is_here(host)]
    if away and query.get("sslmode") not in ("require", "verify-ca", "verify-full", "disable"):
        raise BadSettings(
            f"Production reaches the database on {away[0]} by TLS: add ?sslmode=verify-full to DATABASE_URL. Where "
            "nobody else is on the line, such as between containers of one machine, write ?sslmode=disable."
        )


def _is_here(host: str) -> bool:
    """Whether a database's host, with or without its port, is this machine: a folder of sockets, or its own address."""
    return host.startswith("/") or host in ("::1", "[::1]") or host.rsplit(":", 1)[0] in ("localhost", "127.0.0.1")


def _refuse_open_keys(keys: Path) -> None:
    """Nobody but the program's own account may read the keys."""
    if os.name != "posix":
        return
    try:
        mode = keys.stat().st_mode & 0o777
    except OSError:
        return  # not there yet: it is made for its owner alone; or it cannot be read, which opening it says
    if mode & 0o077:
        raise BadSettings(f"Others may read the key file {keys}. Take that right away: chmod 600 {keys}")


def _refuse_unsafe(settings: Settings, scheme: str) -> None:
    if scheme != "https":
        raise BadSettings(
            "Production needs PUBLIC_BASE_URL with https://, since sign-in cookies are sent only over TLS."
        )
    if not settings.proxies:
        raise BadSettings(
            "Production needs DISPENSARY_PROXIES: the address of the proxy that ends TLS, such as 127.0.0.1. What it "
            "says of where a request came from is believed, and what anybody else says is not."
        )
    if settings.database_url:
        _refuse_bare_database(settings.database_url)
    elsewhere = settings.keys_json or settings.keys_command
    if not elsewhere:
        _refuse_open_keys(settings.keys)
    if not elsewhere and settings.keys.is_relative_to(settings.data):
        raise BadSettings(
            "Production needs DISPENSARY_KEYS outside the data folder: a stolen disk or backup must not hold the keys."
        )
    if settings.backups and settings.backups.folder.is_relative_to(settings.data):
        raise BadSettings("Production needs DISPENSARY_BACKUPS outside the data folder: what takes the one takes both.")
    if settings.anchors and settings.anchors.is_relative_to(settings.data):
        raise BadSettings("Production needs DISPENSARY_ANCHORS outside the data folder, where anchors lie anyway.")
