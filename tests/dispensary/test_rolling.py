"""An upgrade while the clinic works: what yesterday's program writes is still taken, and nobody is refused.

docs/architecture.md has the rule (expand, migrate, contract). Whatever a migration takes away or asks for newly is
named here, with the reason why a program that does not know of it yet goes on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary import schema
from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.schema import Met, _config, met, migrate, raise_wall
from dispensary.units import SiteId, new_id
from dispensary.wall import DESK, behind
from tests.builders import clinic
from tests.dispensary.tomorrow import Tomorrow

SINCE = "0058g_outreach"
"""The rule holds for what came after it."""
_FROM_AFAR = "fires for rows that come from another server alone, and older programs lend no site"
_FOR_ROWS_FROM_AFAR = "works for such a trigger alone"
_UNTIL_THEY_MOVE = "answers as before until a client moves, which an older program does not do"
_REASONS: dict[str, tuple[str, ...]] = {
    "takes all that it took, and kits of one unit as well": (
        "0061_kits_together: function naloxone_lot_adds_up() is otherwise",
    ),
    "writes down the home of whom an older program enrols, and refuses nobody": (
        "0059_homes: trigger client.client_has_a_home is new",
    ),
    "takes a number that an older program changes into the history; an older program changes nobody's site": (
        "0059_homes: trigger client.client_moves_by_history is new",
    ),
    _UNTIL_THEY_MOVE: (
        "0059_homes: function agent_consent_within_bounds() is otherwise",
        "0059_homes: function site_of_day(uuid,date) is otherwise",
        "0059_homes: function stop_flag_is_cleared() is otherwise",
        "0059_homes: function supply_collector_may() is otherwise",
    ),
    _FROM_AFAR: (
        *(
            f"0062_alone: trigger {name} is new"
            for name in (
                *("alert.alert_arrives", "audit_entry.audit_entry_arrives", "audit_entry.stays_as_it_came"),
                *("day_correction.facts_are_touched_from_afar", "day_outcome.day_outcome_arrives"),
                *("day_outcome.facts_are_touched_from_afar", "dose.dose_arrives", "dose.facts_are_touched_from_afar"),
                *("dose_exception.dose_exception_arrives", "dose_part.dose_part_arrives"),
                *("fact_site_day.fact_site_day_arrives", "refill.refill_arrives", "register_line.stays_as_it_came"),
                *("stock_count.stays_as_it_came", "supply.supply_void_arrives", "task.task_arrives"),
            )
        ),
        *(
            f"0066_apart: trigger {name} is new"
            for name in (
                *("audit_entry.site_is_heard", "day_correction.day_correction_arrives", "dose.dose_stays_void"),
                *(
                    "flag_answer.flag_answer_arrives",
                    "pickup.pickup_arrives",
                    "reported_bottle.reported_bottle_arrives",
                ),
                "standing_skip.standing_skip_arrives",
            )
        ),
    ),
    _FOR_ROWS_FROM_AFAR: (
        "0066_apart: function alert_of_arrival(dose,text,text,jsonb) is otherwise",
        "0066_apart: function dose_arrives() is otherwise",
        "0066_apart: function dose_exception_arrives() is otherwise",
        "0066_apart: function dose_part_arrives() is otherwise",
        "0069_told_anew: function alert_of_arrival(dose,text,text,jsonb) is otherwise",
    ),
    "writes at home as before, but where home is lent to a server of its own": (
        "0062_alone: function audit_entry_at_home() is otherwise",
    ),
    "refuses what was refused before, but for taking back, which an older program does not do": (
        *(
            f"0070_taken_back: trigger {table}.{trigger}"
            for table in ("naloxone_kit", "naloxone_use", "outreach_contact")
            for trigger in ("never_changed is no more", "taken_back_once is new")
        ),
    ),
    "refuses what was refused before, but for taking back and opening again, which an older program does not do": (
        *(
            f"0079_open_again: trigger {table}.{trigger}"
            for table in ("life_status", "group_meeting", "group_attendance", "contact_note", "legal_status")
            for trigger in ("never_changed is no more", "taken_back_once is new", "never_removed is new")
            if (table, trigger) != ("legal_status", "never_removed is new")
        ),
        *(
            f"0079_open_again: function {table}_is_kept() is otherwise"
            for table in ("referral", "session_plan", "plan_session", "home_visit")
        ),
        "0081_place_stays: function referral_is_kept() is otherwise",
        "0079_open_again: trigger client_goal.goal_stays_closed is new",
    ),
    "refuses as before, and lets a consent name somebody else, by which an older program tells nobody": (
        "0080_told_to: function intake_is_kept() is otherwise",
        "0080_told_to: function intake_is_told_with_consent() is otherwise",
        "0080_told_to: trigger intake.consent_to_follows is new",
    ),
    "takes the reasons of before, and one more": tuple(
        f"0079_open_again: {table}.ck_{table}_void_reason is asked for now"
        for table in ("naloxone_kit", "naloxone_use", "outreach_contact")
    ),
    "counts kits as before until one is taken back": (
        "0070_taken_back: function naloxone_lot_adds_up() is otherwise",
        "0070_taken_back: trigger naloxone_kit.naloxone_lot_adds_up is new",
    ),
    "gives and takes the same roles by one look at the tree": (
        "0072_roles_at_once: function roles_follow_the_tree() is otherwise",
    ),
    "lets a planned visit be moved, which an older program does not do": (
        "0073_leaving: function home_visit_is_kept() is otherwise",
        "0073_leaving: trigger home_visit.visit_is_still_wanted is new",
    ),
    "refuses who has died, as an older program is refused who does not want it": (
        "0073_leaving: function visit_is_wanted() is otherwise",
        "0073_leaving: function wants_text(uuid,text) is otherwise",
    ),
    "closes an entry from outside as before, and leaves its name and consent alone": (
        "0076_intake_consents: function intake_is_kept() is otherwise",
    ),
    "is refused what nobody may be told any more, once they took it back with a newer program": (
        "0076_intake_consents: function intake_is_told_with_consent() is otherwise",
    ),
    "writes a consent with whom it names, and nothing else": (
        "0076_intake_consents: intake.ck_intake_consent_names_whom is asked for now",
        "0076_intake_consents: trigger intake.consent_of_before is new",
    ),
    "closes by a person, and as nothing new": (
        "0077_intakes_wait: intake.ck_intake_closed_by_somebody is asked for now",
        "0077_intakes_wait: intake.ck_intake_outcome is asked for now",
    ),
    "writes whom it gave a client to, which counts for newer programs too": (
        "0082_looked_after: trigger client_assignment.assigned_by_one_before is new",
    ),
    "answers an offer once as before, and settles none": ("0078_wanted: function offer_is_kept() is otherwise",),
    "ends one of those who look after whoever moves, and PostgreSQL ends the others": (
        "0089_moved_on: trigger client.nobody_of_the_site_before is new",
    ),
    "names the same of a safe, only slower": ("0086_safe_by_site: view stock_discrepancy is otherwise",),
    "knows a kind of text more": ("0061b_surveys: function text_group(text) is otherwise",),
    "tells whoever listens, and refuses nothing": ("0064_calls_heard: trigger visit.tr_visit_call_is_heard is new",),
}
NAMED = {what: reason for reason, each in _REASONS.items() for what in each}
"""What a migration after that takes away, newly asks for or does otherwise, and why the program before is not hurt."""

_COLUMNS = """
SELECT table_name || '.' || column_name, data_type, is_nullable = 'YES' OR column_default IS NOT NULL
    OR is_generated = 'ALWAYS' OR is_identity = 'YES'
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
AND table_name NOT IN (SELECT table_name FROM information_schema.views WHERE table_schema = 'public')
"""
_RULES = """
SELECT t.relname || '.' || c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid WHERE t.relnamespace = 'public'::regnamespace AND c.contype NOT IN ('n', 't')
UNION ALL SELECT t.relname || '.' || i.relname, pg_get_indexdef(i.oid) FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = 'public'::regnamespace AND x.indisunique AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conindid = i.oid)
"""


_GUARDS = f"""
SELECT 'trigger ' || c.relname || '.' || t.tgname, c.relname::text, pg_get_triggerdef(t.oid) || t.tgenabled::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
UNION ALL SELECT 'policy ' || tablename || '.' || policyname, tablename,
    concat_ws('; ', permissive, roles::text, cmd, qual, with_check) FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT 'wall of ' || relname, relname, concat(relrowsecurity, relforcerowsecurity) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
UNION ALL SELECT 'function ' || p.oid::regprocedure, '', pg_get_functiondef(p.oid) FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT 'view ' || viewname, '', definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'right to ' || lower(privilege_type) || ' ' || table_name, '', ''
FROM information_schema.role_table_grants WHERE grantee = '{DESK}'
"""
"""What stands between a program and the columns: each by name, the table that it is about, and what it says."""


class Shape:
    """The columns and the constraints that a program meets, what guards them, and with which programs they work."""

    def __init__(self, database: Database) -> None:
        with database.engine.connect() as connection:
            self.columns = {row[0]: (row[1], row[2]) for row in connection.execute(text(_COLUMNS))}
            self.rules = {row[0]: row[1] for row in connection.execute(text(_RULES))}
            self.guards = {row[0]: (row[1], row[2]) for row in connection.exec_driver_sql(_GUARDS)}
            kept = "works_with" in self.tables
            self.works = set(connection.scalars(text("SELECT revision FROM works_with"))) if kept else set[str]()

    @property
    def tables(self) -> set[str]:
        return {name.split(".")[0] for name in self.columns}

    def asks_more_than(self, before: Shape) -> Iterator[str]:
        """What a program that knows the shape before would stumble over."""
        for name, (kind, _) in before.columns.items():
            if name not in self.columns:
                yield f"{name} is gone"
            elif self.columns[name][0] != kind:
                yield f"{name} has another type"
            elif before.columns[name][1] and not self.columns[name][1]:
                yield f"{name} must be given now"
        for name, (_, may_be_left_out) in self.columns.items():
            if name not in before.columns and name.split(".")[0] in before.tables and not may_be_left_out:
                yield f"{name} is new and must be given"
        for name, rule in self.rules.items():
            known = name.split(".")[0] in before.tables
            if known and before.rules.get(name) != rule and not self._about_new(name, before):
                yield f"{name} is asked for now"
        yield from self._guards_otherwise(before)
        if not before.columns.keys() <= self.columns.keys() and before.works <= self.works:
            yield "something is gone, and programs that need it are let in"

    def _guards_otherwise(self, before: Shape) -> Iterator[str]:
        for name, (about, says) in self.guards.items():
            if name in before.guards and before.guards[name][1] != says:
                yield f"{name} is otherwise"
            elif name not in before.guards and about in before.tables:
                yield f"{name} is new"
        for name, (about, _) in before.guards.items():
            if name not in self.guards and (not about or about in self.tables):
                yield f"{name} is no more"

    def _about_new(self, rule: str, before: Shape) -> bool:
        """Whether a constraint is about a new column that may be left out: then it holds for rows without it."""
        table = rule.split(".")[0]
        columns = {
            each.split(".")[1] for each in self.columns.keys() - before.columns.keys() if each.startswith(f"{table}.")
        }
        return bool(columns & set(re.findall(r"\w+", self.rules[rule])))


@pytest.fixture
def older(server: str, vault: Vault) -> Iterator[Database]:
    """An empty database as the last migration left it for which the rule did not hold yet."""
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE older")
    database = Database(server.replace("/takehome?", "/older?"), vault, pool_size=2)
    to(database, SINCE)
    with database.engine.begin() as connection:
        raise_wall(connection)  # from here on each step raises it anew
    yield database
    database.close()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE older WITH (FORCE)")


def to(database: Database, revision: str) -> None:
    with database.engine.connect() as connection:
        command.upgrade(_config(connection), revision)
        connection.commit()


def test_no_migration_takes_away_or_asks_for_what_the_program_before_it_does_not_know(older: Database) -> None:
    with older.engine.connect() as connection:
        script = ScriptDirectory.from_config(_config(connection))
    steps = [step.revision for step in script.walk_revisions(base=SINCE, head="head")][::-1][1:]
    assert steps
    found, before = set(), Shape(older)
    for step in steps:
        to(older, step)
        after = Shape(older)
        found |= {f"{step}: {trouble}" for trouble in after.asks_more_than(before)}
        before = after
    assert sorted(found - NAMED.keys()) == [], "say in NAMED why an older program is not hurt"
    assert sorted(NAMED.keys() - found) == []


def test_what_would_hurt_the_program_before_is_found(database: Database) -> None:
    before = Shape(database)
    with database.engine.begin() as connection:
        view = str(connection.scalar(text("SELECT pg_get_viewdef('stock_discrepancy'::regclass)"))).removesuffix(";")
        for change in (
            "ALTER TABLE dose RENAME COLUMN closed_day TO closed",
            "ALTER TABLE client ADD COLUMN needed text NOT NULL",
            "ALTER TABLE client ADD COLUMN harmless text CHECK (harmless <> '')",
            "ALTER TABLE supply ALTER COLUMN dispensed_by SET NOT NULL",
            "ALTER TABLE visit ADD CONSTRAINT ck_visit_few CHECK (calls < 10)",
            "ALTER TABLE job_run ALTER COLUMN failure TYPE varchar(90)",
            "CREATE UNIQUE INDEX uq_alert_one ON alert (client_id)",
            "CREATE TABLE quite_new (id uuid PRIMARY KEY, needed text NOT NULL)",
            "CREATE TRIGGER refuses BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION never_changed()",
            "CREATE TRIGGER refuses BEFORE INSERT ON quite_new FOR EACH ROW EXECUTE FUNCTION never_changed()",
            "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_at_home",
            "CREATE OR REPLACE FUNCTION desk_sites() RETURNS uuid[] LANGUAGE sql STABLE RETURN '{}'::uuid[]",
            "CREATE FUNCTION quite_new() RETURNS text LANGUAGE sql RETURN ''",
            "ALTER POLICY wall ON client USING (false)",
            "CREATE POLICY few ON visit AS RESTRICTIVE FOR INSERT WITH CHECK (ticket < 100)",
            "DROP POLICY change ON alert",
            "ALTER TABLE site FORCE ROW LEVEL SECURITY",
            f"CREATE OR REPLACE VIEW stock_discrepancy AS SELECT * FROM ({view}) AS as_before WHERE false",
            f"REVOKE INSERT ON dose FROM {DESK}",
        ):
            connection.exec_driver_sql(change)
    assert sorted(Shape(database).asks_more_than(before)) == [
        "alert.uq_alert_one is asked for now",
        "client.needed is new and must be given",
        "dose.closed is new and must be given",
        "dose.closed_day is gone",
        "function desk_sites() is otherwise",
        "job_run.failure has another type",
        "policy alert.change is no more",
        "policy client.wall is otherwise",
        "policy visit.few is new",
        "right to insert dose is no more",
        "something is gone, and programs that need it are let in",
        "supply.dispensed_by must be given now",
        "trigger audit_entry.audit_entry_at_home is otherwise",
        "trigger dose.refuses is new",
        "view stock_discrepancy is otherwise",
        "visit.ck_visit_few is asked for now",
        "wall of site is otherwise",
    ]


class TestAColumnTakesTheOldOnesPlace:
    """Expand, migrate, contract, each in a version of its own: a laboratory's `name` becomes `known_as`."""

    def test_and_each_program_works_until_its_time(
        self, database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        today, site = schema._steps()[0], clinic(database, now).site_id
        tomorrow = Tomorrow(tmp_path / "tomorrow")

        tomorrow.says("0901_expand", "ALTER TABLE laboratory ADD COLUMN known_as text CHECK (known_as <> '')")
        assert hurts(database, tomorrow) == []
        assert met(database) == Met(ahead="0901_expand")
        writes(database, site, name="of today")

        tomorrow.says("0902_migrate", "UPDATE laboratory SET known_as = name WHERE known_as IS NULL")
        assert hurts(database, tomorrow) == []
        writes(database, site, name="of today, while both work")
        writes(database, site, name="of 0902", known_as="of 0902")
        assert met(database) == Met(ahead="0902_migrate")

        rest = "UPDATE laboratory SET known_as = name WHERE known_as IS NULL"
        taken = "ALTER TABLE laboratory DROP COLUMN name, ALTER COLUMN known_as SET NOT NULL"
        tomorrow.adds(
            "0903_contract",
            f"op.execute({rest!r})",
            f"op.execute({taken!r})",
            'op.execute(works_since("0902_migrate"))',
        )
        assert hurts(database, tomorrow) == ["laboratory.known_as must be given now", "laboratory.name is gone"]
        assert f"programs since 0902_migrate, and this one is of {today}." in met(database).needs
        with pytest.raises(DBAPIError, match="name"):
            writes(database, site, name="of today, against the rule")

        tomorrow.runs(monkeypatch, of="0902_migrate")
        assert met(database) == Met(ahead="0903_contract")
        writes(database, site, known_as="of 0903")
        with database.reading() as session:
            names = session.scalars(text("SELECT known_as FROM laboratory ORDER BY 1"))
            assert list(names) == ["of 0902", "of 0903", "of today", "of today, while both work"]

    def test_and_a_step_that_does_not_say_whose_time_is_over_is_found(self, database: Database, tmp_path: Path) -> None:
        tomorrow = Tomorrow(tmp_path / "tomorrow")
        tomorrow.says("0901_takes", "DROP TABLE laboratory_limit")
        assert "something is gone, and programs that need it are let in" in hurts(database, tomorrow)


def hurts(database: Database, tomorrow: Tomorrow) -> list[str]:
    """What the next step takes from the programs before it."""
    before = Shape(database)
    tomorrow.brings(database)
    return sorted(Shape(database).asks_more_than(before))


def writes(database: Database, site: SiteId, **columns: str) -> None:
    given = {"id": new_id(), "site_id": site, **columns}
    with database.engine.begin() as connection:
        row = ", ".join(f":{name}" for name in given)
        connection.execute(text(f"INSERT INTO laboratory ({', '.join(given)}) VALUES ({row})"), given)


def test_a_counter_goes_on_while_the_database_is_migrated(database: Database, now: datetime) -> None:
    """The first half of an upgrade: columns come, the wall is raised anew, and doses are given all the while."""
    place = clinic(database, now)
    clients = [place.client() for _ in range(24)]
    begun = threading.Event()

    def counter(number: int) -> int:
        with behind(place.site_id):
            for client in clients[number::4]:
                place.give(client, key=f"dose of {client}")
                begun.set()
        return 1

    migrations = Database(database.url, database.vault, pool_size=2)
    with ThreadPoolExecutor(4) as pool:
        doses = [pool.submit(counter, number) for number in range(4)]
        begun.wait(30)
        for number in range(3):
            with migrations.engine.begin() as connection:
                for table in ("client", "dose", "supply", "register_line", "audit_entry"):
                    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN next_{number} text")
            assert migrate(migrations) == []
        assert sum(each.result(60) for each in doses) == 4
    migrations.close()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM dose WHERE next_2 IS NULL")) == len(clients)
