"""What is asked of a country whose plans are read: the pages of one client, the forms of a day, rows to read over."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text

from dispensary.database import Database
from tests.dispensary.visiting import Visitor

BESIDE = (
    *("contact_note", "referral", "referral_word", "session_plan", "plan_session", "home_visit", "visit_wish"),
    *("naloxone_kit", "naloxone_use", "naloxone_answer", "client_goal", "goal_step", "goal_word", "task", "alert"),
    *(
        "screening",
        "screening_score",
        "service_offer",
        "linkage_step",
        "life_status",
        "legal_status",
        "group_attendance",
    ),
    *(
        "health_result",
        "treatment",
        "medication",
        "test_due",
        "assessment",
        "decision",
        "dose_plan",
        "hold",
        "stop_flag",
    ),
    *("bottle", "bottle_event", "pickup", "pickup_pass", "carrying", "refill", "guest_stay", "release", "consent"),
    *("intake", "intake_part", "offer", "wait", "standing", "client_assignment", "client_group", "dose_exception"),
)
"""Tables that grow with clients and acts and are empty in this country: they get rows of no sense, to be read over."""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull, a.atthasdef, nullif(a.atttypmod, -1) - 4
FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
"""
_OWN = {
    "client_id": "c.id",
    "holder_id": "c.id",
    "recipient_id": "c.id",
    "site_id": "c.site_id",
    "place_id": "c.site_id",
}
_MADE = dict.fromkeys(("smallint", "integer", "bigint"), "row_number() OVER ()") | {
    "numeric": "1",
    "uuid": "gen_random_uuid()",
    "date": "current_date - 20",
    "boolean": "false",
    "bytea": "sha256(convert_to(c.id::text, 'UTF8'))",
    "jsonb": "'{}'",
    "daterange": "daterange(current_date - 20, current_date - 10)",
    "time without time zone": "'09:00'",
    "timestamp with time zone": "now() - interval '20 days'",
}


def fill(address: str, spared: UUID) -> dict[str, int]:
    """A row for each client of another site than this in each of the tables, of no sense but to be read over.

    Nothing that a row must be is asked of it: no page shows one, and every index has it.
    """
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        counts = {}
        for name in BESIDE:
            for (check,) in connection.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", [name]
            ).fetchall():
                connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT {check}")
            made = {}
            for column, kind, needed, has_default, most in connection.execute(_COLUMNS, [name]).fetchall():
                if column in _OWN and (needed or column in ("client_id", "site_id")):
                    made[column] = _OWN[column]
                elif needed and not has_default:
                    letters = f"left(md5(c.id::text || '{column}'), {most or 32})"
                    made[column] = _MADE.get(kind, "'{}'" if kind.endswith("[]") else letters)
            connection.execute(
                f"INSERT INTO {name} ({', '.join(made)}) SELECT {', '.join(made.values())} FROM client c"
                " WHERE c.site_id <> %s",
                [spared],
            )
            connection.execute(f"ANALYZE {name}")
            (counts[name],) = connection.execute(f"SELECT count(*) FROM {name}").fetchone() or (0,)
    return counts


def papers(visitor: Visitor, client_id: UUID) -> dict[str, Callable[[], Any]]:
    """Every page and paper of one client, by the address alone."""
    table = Path(__file__).with_name("permissions.csv").read_text("utf-8").splitlines()
    rows = [row[1] for row in csv.reader(table) if row and row[0] == "GET"]
    ours = [path for path in rows if path.count("{") == 1 and "{client_id}" in path and not path.endswith("/photo")]
    skipped = ("/peers/",)
    return {
        path: lambda path=path: visitor.get(path.replace("{client_id}", str(client_id)))
        for path in ours
        if not path.startswith(skipped)
    }


def forms(visitor: Visitor, database: Database, client_id: UUID, starts_at: str) -> dict[str, Callable[[], Any]]:
    """What is written down about a client by the forms of a day, in the order in which one follows from the other."""
    whose = """SELECT c.number, a.id, current_date, c.site_id FROM client c JOIN site s ON s.id = c.site_id
        CROSS JOIN account a WHERE c.id = :client AND a.username = lower('at-' || s.code)"""
    number, me, today, site = one_row(database, whose, client=client_id)
    soon, client = (today + timedelta(days=3)).isoformat(), str(client_id)

    def session() -> str:
        return str(
            one_row(database, "SELECT id FROM plan_session WHERE client_id = :client LIMIT 1", client=client_id)[0]
        )

    def lot() -> str:
        return str(one_row(database, "SELECT id FROM naloxone_lot WHERE site_id = :site", site=site)[0])

    sent: dict[str, tuple[Callable[[], str], dict[str, Any] | Callable[[], dict[str, Any]]]] = {
        "a booking by form": (lambda: f"/reception/clients/{client}/book", {"starts_at": starts_at}),
        "a contact": (
            lambda: f"/care/stopped/{client}/contacts",
            {"how": "call", "reached": "yes", "words": "Comes tomorrow."},
        ),
        "a wish for visits": (lambda: f"/care/stopped/{client}/visits", {"agreed": "yes", "where": "The blue house."}),
        "a visit": (
            lambda: "/care/visits",
            {"number": number, "visitor_id": str(me), "on_day": soon, "purpose": "look"},
        ),
        "agreed sessions": (
            lambda: f"/care/clients/{client}/begin/before-sentence",
            {"first": today.isoformat(), "minutes": "45", "times_1": "3", "every_1": "12", "agreed": "yes"},
        ),
        "who came to a session": (lambda: f"/care/clients/{client}/sessions/{session()}/mark", {"state": "attended"}),
        "kits that came": (
            lambda: "/care/naloxone/lots",
            {"batch": "N1", "product": "nasal", "expires_on": (today + timedelta(days=400)).isoformat(), "came": "9"},
        ),
        "a kit for a client": (
            lambda: f"/care/naloxone/{client}/kits",
            lambda: {"lot": lot(), "to_whom": "client", "kits": "1"},
        ),
        "a referral": (
            lambda: f"/consulting/clients/{client}/referrals",
            {"service": "tuberculosis", "place": "Klinik", "ask_on": soon, "agreed": "yes"},
        ),
        "a goal": (lambda: f"/consulting/clients/{client}/goals", {"goal": "See my brother."}),
        "a step from test to treatment": (
            lambda: f"/care/linkage/{client}/steps",
            {"disease": "hiv", "step": "offered", "on_day": today.isoformat()},
        ),
        "somebody who came from outside": (lambda: "/care/intakes", {"name": "Hafiz", "route": "self"}),
    }
    return {
        about: lambda where=where, typed=typed: visitor.post(where(), typed() if callable(typed) else typed)
        for about, (where, typed) in sent.items()
    }


def one_row(database: Database, sql: str, **asked: object) -> Any:
    with database.reading() as session:
        return session.execute(text(sql), asked).one()
