"""Servers apart: every table has one writer, and a counter is warned by its site's figure or a prescriber's alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

from dispensary.apart import joining
from dispensary.apart.tables import AWAY, BROUGHT, CENTRE, COUNTER, EACH, WRITTEN
from dispensary.commands.apart import write_off
from dispensary.database import Database
from dispensary.refusals import BadInput
from dispensary.schema import all_metadata
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import the_program
from dispensary.web.apart import is_old
from tests.builders import Clinic, clinic
from tests.dispensary.test_verification import damage, findings

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)


def test_every_table_has_one_writer_while_a_site_is_apart() -> None:
    every = [table.name for metadata in all_metadata() for table in metadata.sorted_tables]
    placed = [*COUNTER, *CENTRE, *BROUGHT, *EACH, *AWAY]
    assert sorted(placed) == sorted([*every, "alembic_version"]), "say in dispensary/apart/tables.py who writes it"
    assert len(WRITTEN) == len(placed)


def test_a_site_that_was_never_lent_is_not_lost(database: Database) -> None:
    place = clinic(database, NOW)
    with database.reading() as session:
        site = session.get_one(Site, place.site_id)
    with pytest.raises(BadInput, match="no server of its own"):
        write_off(database, site)
    with database.reading() as session:
        told = text("SELECT count(*) FROM audit_entry WHERE act = 'site''s server was lost'")
        assert session.scalar(told) == 0


@pytest.mark.parametrize(
    ("days", "warn_after", "first_review", "old"),
    [
        (3, None, None, False),
        (300, None, None, False),
        (3, None, date(2026, 12, 1), False),
        (3, None, date(2026, 11, 30), True),
        (3, 5, date(2026, 11, 1), False),
        (6, 5, None, True),
    ],
)
def test_a_counter_is_warned_by_the_sites_days_or_the_first_review_that_is_due(
    days: int, warn_after: int | None, first_review: date | None, old: bool
) -> None:
    known_at = NOW - timedelta(days=days)
    assert is_old(known_at=known_at, warn_after=warn_after, first_review=first_review, now=NOW) is old


def test_a_trail_that_somebody_changed_at_the_satellite_is_not_taken_in_and_is_named(
    database: Database, now: datetime
) -> None:
    place = clinic(database, now, code="KLG")
    place.client()
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    again = "INSERT INTO audit_entry SELECT site_id, seq + 1, at, account_id, act, subject, subject_id, {}"
    again += " FROM audit_entry WHERE site_id = %s ORDER BY seq DESC LIMIT 1"
    true = """details, hash, sha256(hash || convert_to(concat_ws('|', site_id, seq + 1,
        (extract(epoch FROM at) * 1000000)::bigint, coalesce(account_id::text, ''), act, subject,
        coalesce(subject_id::text, ''), details), 'UTF8'))"""
    with psycopg.connect(address, autocommit=True) as arriving:
        arriving.execute("SET session_replication_role = replica")  # as a subscription's rows arrive
        arriving.execute("INSERT INTO site_apart VALUES (%s, %s, %s, true)", [place.site_id, now, now])
        for changed in (true.replace("details,", "'{}',", 1), true.replace("hash, sha", "previous, sha", 1)):
            with pytest.raises(psycopg.errors.CheckViolation, match="does not fit the chain"):
                arriving.execute(again.format(changed), [place.site_id])
        arriving.execute(again.format(true), [place.site_id])
        for line in ("audit_entry SET act = 'x'", "register_line SET ml = -1"):
            with pytest.raises(psycopg.errors.CheckViolation, match="only ever added to"):
                arriving.execute(f"UPDATE {line}")

        arriving.execute("DELETE FROM site_apart")  # and as it looks on the satellite's own server
        assert "Not all of KLG came" in joining._why_not(arriving, place.site_id, "KLG", 1)
        arriving.execute("UPDATE audit_entry SET details = '{}' WHERE site_id = %s AND seq = 2", [place.site_id])
        assert "Entry 2 of the audit trail of KLG" in joining._why_not(arriving, place.site_id, "KLG", 1)


def test_what_both_wrote_under_one_key_arrives_beside_it_and_the_same_once(database: Database) -> None:
    client, other = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
    correction = "INSERT INTO day_correction (client_id, dose_day, portion, no, outcome, given_mg, reason, account_id,"
    correction += " at) VALUES (%s, '2026-11-01', 1, 1, 'missed', 0, %s, %s, '2026-11-02 00:00Z')"
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as arriving:
        arriving.execute("SET session_replication_role = replica")  # as a subscription's rows and a cut's arrive
        for reason in ("at the centre", "at the satellite", "at the centre", "at the satellite"):
            arriving.execute(correction, [client, reason, other])
        for _ in range(2):
            arriving.execute("INSERT INTO standing_skip (standing_id, day) VALUES (%s, '2026-11-01')", [other])
        for report in (client, other):
            arriving.execute("INSERT INTO reported_bottle (bottle_id, report_id) VALUES (%s, %s)", [client, report])
        kept = arriving.execute("SELECT no, reason FROM day_correction ORDER BY 1").fetchall()
        assert kept == [(1, "at the centre"), (2, "at the satellite")]
        assert arriving.execute("SELECT count(*) FROM standing_skip").fetchone() == (1,)
        assert [str(row[0]) for row in arriving.execute("SELECT report_id FROM reported_bottle")] == [client]
        arriving.rollback()


def took_cut(place: Clinic, as_of: datetime, at: datetime) -> None:
    with place.database.writing() as session:
        audit.record(
            session, actor=the_program(place.site_id), act="took cut", subject="site", subject_id=place.site_id, at=at,
            details={"as_of": as_of.isoformat(), "clients": 1},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("UPDATE dose_order SET voided_at = '{then}'", "on an order that had been set aside"),
        (
            """INSERT INTO stop_flag (id, site_id, client_id, kind, sentence, days, owner_role, set_by, set_at,
            clear_reason) SELECT gen_random_uuid(), site_id, id, 'stop_dose', 'see me', daterange('2000-01-01', NULL),
            'doctor', '{doctor}', '{then}', '' FROM client""",
            "left against a flag (stop_dose)",
        ),
    ],
)
@pytest.mark.parametrize("at_the_satellite", [False, True])
def test_what_the_centre_changed_is_no_excuse_any_more_once_a_cut_had_brought_it(
    database: Database, now: datetime, changed: str, said: str, at_the_satellite: bool
) -> None:
    place = clinic(database, now, code="KLG")
    place.give(place.client())
    other = clinic(database, now, code="HRP")
    then = now - timedelta(hours=2)
    apart = "INSERT INTO site_apart (site_id, since, known_at, whole) VALUES ('{}', '{}', '{}', {})"
    since = now - timedelta(days=1)
    whose = (other.site_id, since, since, False) if at_the_satellite else (place.site_id, since, since, True)
    damage(place, ";".join((apart.format(*whose), changed.format(then=then, doctor=place.doctor.account_id))))

    def found() -> str:
        return "\n".join(findings(database, now))

    assert said not in found(), "nobody there knew"
    took_cut(place, as_of=then - timedelta(minutes=1), at=now - timedelta(minutes=30))
    assert said not in found(), "that cut did not know either"
    took_cut(place, as_of=then + timedelta(minutes=1), at=now + timedelta(minutes=30))
    assert said not in found(), "it came after the dose"
    took_cut(place, as_of=then + timedelta(minutes=1), at=now - timedelta(minutes=10))
    assert said in found()
