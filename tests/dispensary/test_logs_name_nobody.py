"""A morning with all that goes wrong leaves no name, number or phone in the program's log or in PostgreSQL's own."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from litestar import post
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.clients.queries import Face, find
from dispensary.clients.rules import Identity
from dispensary.database import Database
from dispensary.embedded import QUIET, told_too_much
from dispensary.logs import configure_logs
from dispensary.staff.models import Site
from dispensary.staff.queries import place
from dispensary.staff.rules import Act, Role
from dispensary.supplies.agents_rules import Document, Named, Relation
from dispensary.units import ClientId, new_id
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheDatabase
from dispensary.web.guards import requires
from notifications.queries import ContactDetails
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire, open_site

SECRETS = ("Zulaikha", "Rahmat", "800229-14-5521", "800229145521", "123456789", "crescent birthmark", "1980-02-29")


@post("/fault", sync_to_thread=True, guards=[requires(Act.ORDER)])
def fault(data: Form, database: TheDatabase, actor: TheActor) -> str:
    """A mistake of ours, in the middle of somebody's record."""
    with database.writing() as session:
        name, phone = "Zulaikha binti Rahmat", "+60123456789"
        face, *_ = find(session, site_id=actor.site_id, text="Zulaikha")
        if data.get("how") == "statement":
            session.execute(text("SELECT :name::int, :phone"), {"name": name, "phone": phone})
        if data.get("how") == "type":
            session.run("SELECT %(name)s / 0", {"name": name})  # type: ignore[arg-type]
        if data.get("how") == "row":
            session.execute(text("INSERT INTO client SELECT * FROM client"))
        return {}[face.name, name, phone]  # a KeyError that quotes them


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """All that the program would write on standard error, every library at its most talkative."""
    before = sys.stderr, logging.getLogger().handlers, logging.getLogger().level
    sys.stderr = io.StringIO()
    configure_logs(production=True)
    root = logging.getLogger()
    talkative = ["", "sqlalchemy.engine", "sqlalchemy.pool", "psycopg", "litestar", "dispensary", "notifications"]
    levels = {name: logging.getLogger(name).level for name in talkative}
    for name in talkative:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield sys.stderr
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    sys.stderr, root.handlers, root.level = before


def postgresql_log(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0]) / "log"


def test_a_morning_is_in_no_log(
    database: Database, database_url: str, now: datetime, tmp_path: Path, heard: io.StringIO
) -> None:
    log = postgresql_log(database_url)
    began = log.stat().st_size
    name = urlsplit(database_url).path[1:]
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET log_min_duration_statement = 0')  # type: ignore[arg-type]
    database.engine.dispose()
    site = open_site(database, now)
    hire(database, site, "siti", [Role.DOCTOR, Role.RECEPTION, Role.PHARMACIST], now)
    settings = replace(demo_settings(tmp_path), environment="production", public_base_url="https://clinic.test")
    visitor = Visitor(lent_app(settings, database, MovableClock(now), more=[fault]), "https://clinic.test")
    assert visitor.signs_in("siti").status_code == 303
    page = "/consulting/clients/new"
    typed = {
        "number": "h-500",
        "name": "Zulaikha binti Rahmat",
        "born": "1980-02-29",
        "sex": "female",
        "national_id": "800229-14-5521",
        "second_identifier": "crescent birthmark",
        "phone": "012-345 6789",
        "language": "en",
        "began_on": site_day(database, site, now),
    }
    for changed in ({}, {}, {"number": "h-501"}, {"number": "h-502", "born": "29.2.80", "phone": "call 123456789"}):
        visitor.post(page, {**typed, **changed})
    with database.reading() as session:
        found = find(session, site_id=site.id, text="Zulaikha")
        assert found, "the morning is a real one"
        client_id = found[0].client_id
    for path in (f"/consulting/clients/{client_id}", "/counter", "/reception", "/consulting"):
        visitor.get(path)
    for sought in ("Zulaikha", "800229-14-5521", "H-500"):
        visitor.post("/counter/find", {"text": sought})
        visitor.post("/consulting/find", {"text": sought})
    for how in ("key", "statement", "type", "row"):
        assert visitor.post("/fault", {"how": how}).status_code >= 400

    program, server = heard.getvalue(), log.read_bytes()[began:].decode(errors="replace")
    assert "unexpected" in program or "database" in program, "the faults are there"
    assert "KeyError" in program
    assert "duration" in server, "slow statements are there"
    for secret in SECRETS:
        assert secret not in program, secret
        assert secret not in server, secret


def site_day(database: Database, site: Site, now: datetime) -> str:
    with database.reading() as session:
        return str(place(session, site.id).dose_day(now))


def test_the_embedded_server_is_quiet_and_another_ones_settings_are_named(database: Database) -> None:
    assert database.log_tells() == []
    loud = {name: "all" if name == "log_statement" else "error" for name in QUIET}
    assert set(told_too_much(loud)) == set(QUIET)


def test_no_error_quotes_a_value_of_its_statement(database: Database) -> None:
    with pytest.raises(DBAPIError) as refused, database.reading() as session:
        session.execute(text("SELECT CAST(:a AS text), 1 / CAST(:b AS int)"), {"a": "Zulaikha", "b": 0})
    assert "Zulaikha" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize(
    "shown",
    [
        Identity(name="Zulaikha", born=date(1980, 2, 29), national_id="800229-14-5521"),
        Face(ClientId(new_id()), "H500", "Zulaikha", date(1980, 2, 29), "crescent birthmark", False),
        Named("Zulaikha", Relation.SIBLING, Document.PASSPORT, "800229-14-5521", date(1980, 2, 29)),
        ContactDetails(**{field.name: "123456789" for field in fields(ContactDetails)}),  # type: ignore[arg-type]
    ],
    ids=lambda shown: type(shown).__name__,
)
def test_what_is_shown_of_an_object_by_mistake_names_nobody(shown: object) -> None:
    assert is_dataclass(shown)
    for said in (repr(shown), str(shown), f"{shown}"):
        assert not any(secret in said for secret in ("Zulaikha", "800229", "1980", "crescent", "123456789")), said
