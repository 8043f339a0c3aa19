"""Sealing everything anew is killed in the middle, twice, and two at once do the rest: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from dispensary.clients.models import Client
from dispensary.clients.queries import face_at
from dispensary.embedded import start_embedded, stop_embedded
from dispensary.key_sources import open_vault
from dispensary.resealing.counting import count_fields
from tests.attacks.program import Program, until
from tests.builders import Clinic, clinic, enrolled

CLIENTS = 150


@pytest.fixture
def place(program: Program) -> Iterator[Clinic]:
    """Clients as a program sealed them that knew no own keys of clients; the test keeps PostgreSQL running."""
    start_embedded(program.postgresql)
    with program.database() as database:
        place = clinic(database, datetime.now(UTC))
        house = open_vault(program.keys)
        with database.writing() as session:
            for _ in range(CLIENTS):
                enrolled(session, place, mg="80", began=place.today)
            for client in session.query(Client):
                for column in ("name", "born", "second_identifier"):
                    plain = session.vault.open(f"client.{column}", client.id, getattr(client, f"{column}_sealed"))
                    setattr(client, f"{column}_sealed", house.seal(f"client.{column}", client.id, plain))
        yield place
    stop_embedded(program.postgresql)


def test_killed_twice_and_finished_by_two_at_once_it_has_lost_nothing(program: Program, place: Clinic) -> None:
    before = {each: name_of(place, each) for each in place.clients}
    assert program.run("keys", "add").returncode == 0
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    for held in (place.clients[30], place.clients[110]):  # in the first batch of a column, and in its second
        with place.database.engine.connect() as holds, place.database.engine.connect() as looks:
            looks.execution_options(isolation_level="AUTOCOMMIT")
            holds.execute(text("SELECT FROM client WHERE id = :id FOR UPDATE"), {"id": held})
            sealing = program.spawn("keys", "reseal")
            until(lambda looks=looks: looks.scalar(waits), what="it comes to a client whom somebody holds")
            sealing.kill()
            sealing.wait()
        assert {each: name_of(place, each) for each in place.clients} == before
    assert stale(place) > 0, "it was killed before its end"

    both = [program.spawn("keys", "reseal") for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0], program.log.read_text()
    assert {each: name_of(place, each) for each in place.clients} == before
    assert stale(place) == 0
    dropped = program.run("keys", "drop", "k001")
    assert dropped.returncode == 0, dropped.stderr
    assert {each: name_of(place, each) for each in place.clients} == before
    verified = program.run("verify")
    assert verified.returncode == 0, verified.stdout


def name_of(place: Clinic, client_id: object) -> tuple[str, object, str]:
    with place.database.reading() as session:
        face = face_at(session, site_id=place.site_id, client_id=client_id)  # type: ignore[arg-type]
        return face.name, face.born, face.second_identifier


def stale(place: Clinic) -> int:
    with place.database.reading() as session:
        return sum(count.stale for count in count_fields(session))
