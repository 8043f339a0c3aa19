"""The verification of a country: it holds so many rows at a time, says how far it has come, and can be stopped."""

from __future__ import annotations

import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from dispensary import client_keys
from dispensary.cli import main
from dispensary.clients.models import Client, ClientIndex
from dispensary.clients.own_keys import sealed_for
from dispensary.clients.rules import plain_number
from dispensary.database import Database
from dispensary.staff import audit
from dispensary.staff.models import AuditEntry
from dispensary.units import new_id
from dispensary.verification import verifying
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic

ENTRIES, CLIENTS, ASSESSMENTS = 1_500, 300, 80
"""So many are added at a time. A look holds, here, two lots of 200 entries, of 50 clients or of 20 assessments."""
ROOM = 0.15
"""How much more the peak may be with twice the rows: what was counted and printed differs."""

_ENTRIES = text("""
INSERT INTO audit_entry (site_id, seq, at, account_id, act, subject, subject_id, details, previous, hash)
SELECT :site, 0, :at, :by, 'looked at', 'client', gen_random_uuid(), '{"page":"counter"}', '', ''
FROM generate_series(1, :rows)
""")
_ASSESSMENTS = text("""
INSERT INTO assessment SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid()))).*
FROM assessment a CROSS JOIN generate_series(1, :rows) WHERE a.id = (SELECT assessment_id FROM decision)
""")


def grow(place: Clinic) -> None:
    """A site's trail, its clients with what is sealed of them, and assessments, by so many."""
    with place.database.writing() as session:
        values = {"site": place.site_id, "at": place.now, "by": place.doctor.account_id}
        session.execute(_ENTRIES, {**values, "rows": ENTRIES})
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(_ASSESSMENTS, {"rows": ASSESSMENTS})
        session.execute(text("SET LOCAL session_replication_role = origin"))
        for _ in range(CLIENTS):
            one = new_id()
            number = plain_number(f"N{one.hex}")
            digest = session.vault.blinds(f"client.number|{place.site_id}", number)[0]
            name = session.vault.seal("client.name", one, "Somebody Else", of=sealed_for(session, one))
            session.add(Client(id=one, site_id=place.site_id, number=number, name_sealed=name, made_at=place.now))
            session.add(ClientIndex(client_id=one, site_id=place.site_id, kind="number", digest=digest))


def peak_of(place: Clinic) -> tuple[int, list[str]]:
    """Bytes that the verification held at most, and what it told of its progress."""
    told: list[str] = []
    tracemalloc.start()
    with place.database.reading() as session:
        assert list(verify(session, now=place.now, progress=lambda done, total, about: told.append(about))) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, told


def test_it_holds_no_more_of_twice_the_rows(database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ENTRIES_AT_ONCE", 200)
    monkeypatch.setattr(verifying, "ROWS_AT_ONCE", 50)
    monkeypatch.setattr(verifying, "ASSESSMENTS_AT_ONCE", 20)
    monkeypatch.setattr(client_keys, "MOST_KEPT", 50)
    place = clinic(database, now)
    place.decide(place.client(), per_supply=2)
    grow(place)
    peak_of(place)  # what is made once
    once, told = peak_of(place)
    grow(place)
    twice, _ = peak_of(place)

    assert twice < once * (1 + ROOM), f"{once:,} bytes of so many rows, {twice:,} of twice as many"
    assert "what names a person is sealed for its own row: 250 clients" in told
    assert "take-home stays within a decision, and a decision rests on its assessment: 80 assessments" in told
    assert any(each.startswith("the audit trail is whole: site 1 of 1, 0 entries") for each in told)

    tracemalloc.start()
    with database.reading() as session:
        held = session.scalars(select(AuditEntry)).all()
        everything = tracemalloc.get_traced_memory()[1]
        assert len(held) > 2 * ENTRIES
    tracemalloc.stop()
    assert everything > once * (1 + ROOM), "what holds them all is seen"


def test_it_can_be_stopped(database_url: str, database: Database, now: datetime, tmp_path: Path,
                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    clinic(database, now)
    monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verifying, "_slots", interrupted)
    stopped = CliRunner().invoke(main, ["verify"])
    assert stopped.exit_code == 130
    assert stopped.output.endswith("rows break a rule so far.\n")
    assert "All is well" not in stopped.output
