"""A browser for tests, which keeps cookies and sends the CSRF token; and a site with staff for it to visit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from dispensary.database import Database
from dispensary.settings import Settings, settings_from
from dispensary.staff import service, sites
from dispensary.staff.models import Account, AuditEntry, Site
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.shift_models import CounterPin

PASSWORD = "a walk to the river"


@dataclass
class MovableClock:
    """A clock that stands still until a test moves it."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def goes_on(self, **units: float) -> datetime:
        self.moment += timedelta(**units)
        return self.moment


def demo_settings(folder: Path, **environment: str) -> Settings:
    return settings_from({"DISPENSARY_DATA": str(folder), **environment})


def production_settings(folder: Path) -> Settings:
    return settings_from(
        {
            "DISPENSARY_ENV": "production",
            "DISPENSARY_DATA": str(folder / "data"),
            "DISPENSARY_KEYS": str(folder / "keys.json"),
            "PUBLIC_BASE_URL": "https://clinic.example.org",
            "DISPENSARY_PROXIES": "10.9.9.9",
        }
    )


def open_site(database: Database, at: datetime, code: str = "KL", **given: Any) -> Site:
    facts = {"name": "Harapan", "zone": "Asia/Kuala_Lumpur", "region": "MY", **given}
    with database.writing() as session:
        return sites.add_site(session, code=code, at=at, **facts)


def hire(database: Database, site: Site, username: str, roles: Iterable[Role], at: datetime) -> Account:
    with database.writing() as session:
        return service.add_account(
            session,
            actor=the_program(site.id),
            site_id=site.id,
            username=username,
            name=username.title(),
            initials=username[:2].upper(),
            password=PASSWORD,
            roles=roles,
            at=at,
        )


def has_pin(database: Database, actor: Actor, pin: str, at: datetime) -> None:
    """This person has set this PIN, whatever their password is."""
    with database.writing() as session:
        session.merge(CounterPin(account_id=actor.account_id, pin_hash=service.password_hash(pin), wrong=0, set_at=at))


def acts_of(database: Database, site: Site) -> list[str]:
    """What the audit trail of a site says was done, in order."""
    with database.reading() as session:
        return list(
            session.scalars(select(AuditEntry.act).where(AuditEntry.site_id == site.id).order_by(AuditEntry.seq))
        )


@dataclass
class Visitor:
    """One browser at the door of an application."""

    app: Litestar
    base_url: str = "http://clinic.test"
    client: TestClient[Litestar] = field(init=False)
    comes_back: bool = True
    """Finds a screen closed and comes back by the password, as people do: else the test is about the closed screen."""
    known_as: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self.client = TestClient(self.app, base_url=self.base_url, raise_server_exceptions=False)

    def csrf(self) -> str:
        return str(self.client.get("/api/session").json()["csrf_token"])

    def drawn(self) -> dict[str, str]:
        """What every form on a page of this visitor carries now: the CSRF token, and for whom the page was drawn."""
        state = self.client.get("/api/session").json()
        me = state["signed_in"]
        acting = {"_acting": f"{me['account_id']}@{me['site']}"} if me else {}
        return {"_csrf_token": str(state["csrf_token"]), **acting}

    def get(self, path: str, **options: Any) -> Response:
        return self._asks(lambda: self.client.get(path, follow_redirects=False, **options))

    def post(self, path: str, form: dict[str, Any] | None = None, **options: Any) -> Response:
        """Sends a form as a page would that was drawn just now, key and all; the redirect is not followed."""
        key = {"key": str(uuid4())}

        def send() -> Response:
            return self.client.post(
                path, data={**key, **self.drawn(), **(form or {})}, follow_redirects=False, **options
            )

        return self._asks(send)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """Sends JSON as a program would."""
        return self._asks(
            lambda: self.client.request(method, path, json=body, headers={"X-CSRFToken": self.csrf(), **headers})
        )

    def signs_in(self, username: str, password: str = PASSWORD) -> Response:
        answer = self.post("/signin", {"username": username, "password": password})
        if answer.status_code == 303:
            self.known_as = (username, password)
        return answer

    def _asks(self, once: Callable[[], Response]) -> Response:
        answer = once()
        closed = "x-locked" in answer.headers or answer.headers.get("location", "").split("?")[0] == "/lock"
        if not closed or self.known_as is None or not self.comes_back:
            return answer
        assert self.signs_in(*self.known_as).status_code == 303
        return once()


def text_of(response: Response) -> str:
    """What a person reads on a page."""
    body = response.text.split("<body>", 1)[-1]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split()).replace("&#39;", "'")
