"""The second wall: behind it PostgreSQL shows another site's rows to nobody, whatever a query forgot to ask for."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from dispensary.api import clients as api
from dispensary.clients.models import Client
from dispensary.clients.queries import Face, face_of, find
from dispensary.database import Database, ReadSession
from dispensary.looks.asking import WHOSE
from dispensary.reporting.beside import Exports
from dispensary.staff.queries import sites
from dispensary.staff.rules import Role
from dispensary.staff.service import keep_password, kept_password, password_is_right
from dispensary.staff.sessions import SignedIn
from dispensary.units import AccountId, SiteId
from dispensary.wall import DESK, Door, behind, in_view
from dispensary.web.asking_why import asked_of
from tests.builders import clinic
from tests.dispensary.desk_place import desks
from tests.dispensary.visiting import PASSWORD, demo_settings

ROOT = Path(__file__).parents[2]
OPEN = {
    "account": "who works where is known across sites: who acted stands on shared records; a name is no client's, and"
    " the password is in a table of its own",
    "alembic_version": "what the migrations keep; the role has no right to it at all",
    "area": "provinces and districts by name; written by whoever has every site of them in view",
    "branch_grant": "who works in which branch; written by whoever has every site of it in view",
    "care_document": "published schedules, offers and pathways, word for word",
    "client_key": "a random key, sealed, of a number that names nobody; it is made before its client is there",
    "gateway_pace": "the gateway's, and one for the programme",
    "guideline_adoption": "names nobody: a guest's counter follows the guideline of the client's home",
    "job_run": "what ran when, for the programme; nobody but the jobs writes it",
    "number_exchange": "has no rows: what is put in moves a number's digest in every table, whoever's site they are",
    "pin_gate": "a telephone number's, by its keyed digest; a number may be shared by clients of two sites",
    "policy_version": "published policies, word for word",
    "programme_setting": "four figures of the programme by which stores are run; written by whoever runs every site",
    "role_grant": "who works where; written for one's own site alone",
    "sign_in_attempt": "nobody's yet: counted before anybody is known",
    "site_apart": "which sites have a server of their own, and since when; the command line alone writes it",
    "site": "the programme's sites by name; changed by the site itself alone",
    "station": "a browser, at whichever sites its people work",
    "works_with": "what the migrations keep; the role has no right to it at all",
    "vault_key": "which keys seal, for the whole database; read to find out whether they are this database's",
}
"""Tables that are open to all sites, and why. Whoever adds one here says it to whoever reviews it."""
SECRETS_IN_THE_OPEN = {
    "client_key.wrapped_sealed": "sealed by a key of the house, which is in no database",
    "guideline_adoption.sha256": "of a text that is published",
    "number_exchange.becomes": "never has a row",
    "number_exchange.was": "never has a row",
    "pin_gate.phone_index": "of a telephone number, keyed; the PINs are in `phone_pin`",
    "policy_version.sha256": "of a text that is published",
    "sign_in_attempt.subject": "of a name or an address that was typed, keyed; what was typed beside it is not kept",
    "vault_key.print": "eight bytes of a digest of 32 random ones",
}
"""What is a digest, a hash or sealed in a table that every site reads, and why nobody enters by it."""


def scalars(session: ReadSession, sql: str) -> list[object]:
    return list(session.scalars(text(sql)))


class TestEveryTable:
    def test_is_walled_or_open_with_a_reason(self, database: Database) -> None:
        with database.reading() as session:
            every = scalars(session, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            walled = scalars(
                session,
                """SELECT tablename FROM pg_policies JOIN pg_class c ON c.relname = tablename AND c.relrowsecurity
                WHERE policyname = 'wall' AND cmd = 'SELECT' AND qual <> 'true'""",
            )
        assert sorted(set(every) - set(walled)) == sorted(OPEN)

    def test_that_is_only_added_to_can_only_be_added_to(self, database: Database) -> None:
        with database.reading() as session:
            may = {
                (table, right)
                for table, right in session.execute(
                    text(
                        "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
                        f" WHERE grantee = '{DESK}'"
                    )
                )
            }
        for table in ("audit_entry", "register_line", "release", "disclosure", "day_outcome", "health_result"):
            assert {right for name, right in may if name == table} == {"SELECT", "INSERT"}, table
        assert {right for name, right in may if name in ("alembic_version", "works_with", "job_run")} == {"SELECT"}
        assert {right for _, right in may} == {"SELECT", "INSERT", "UPDATE", "DELETE"}

    def test_that_every_site_reads_holds_nothing_by_which_somebody_enters(self, database: Database) -> None:
        with database.reading() as session:
            columns = scalars(
                session,
                """SELECT table_name || '.' || column_name FROM information_schema.columns
                WHERE table_schema = 'public' AND table_name = ANY (:open)
                AND (data_type = 'bytea' OR column_name ~ '(secret|password|pin_|token|sealed|hash$)')""".replace(
                    ":open", f"'{{{','.join(OPEN)}}}'"
                ),
            )
        assert sorted(map(str, columns)) == sorted(SECRETS_IN_THE_OPEN)

    def test_is_judged_by_guards_that_see_all_sites_and_shown_by_views_that_do_not(self, database: Database) -> None:
        with database.reading() as session:
            blind = scalars(
                session,
                """SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                AND prorettype = 'trigger'::regtype
                AND (NOT prosecdef OR NOT 'search_path=pg_catalog, public, pg_temp' = ANY (proconfig))""",
            )
            others = scalars(
                session,
                """SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                AND prorettype <> 'trigger'::regtype AND prosecdef""",
            )
            seers = scalars(
                session,
                """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
                AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)""",
            )
        assert (blind, others, seers) == ([], [], [])


@pytest.fixture
def two_sites(database: Database, now: datetime) -> tuple[SiteId, SiteId]:
    here, other = clinic(database, now), clinic(database, now, code="KLG")
    here.client()
    other.client()
    return here.site_id, other.site_id


def test_a_unit_sees_the_clients_of_the_sites_in_view(database: Database, two_sites: tuple[SiteId, SiteId]) -> None:
    here, there = two_sites
    with behind(here), database.reading() as session:
        assert {client.site_id for client in session.query(Client)} == {here}
    with behind(here, there), database.reading() as session:
        assert {client.site_id for client in session.query(Client)} == {here, there}
    with behind(), database.reading() as session:
        assert session.query(Client).count() == 0
    assert in_view() is None
    with database.reading() as session:
        assert session.query(Client).count() == 2


def test_the_role_has_no_way_to_change_tables(database: Database, two_sites: tuple[SiteId, SiteId]) -> None:
    for statement in (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE client DISABLE ROW LEVEL SECURITY",
        "DROP POLICY wall ON client",
        "TRUNCATE audit_entry",
        "UPDATE audit_entry SET act = ''",
        "DELETE FROM register_line",
        "SELECT * FROM alembic_version",
    ):
        with (
            pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
            behind(two_sites[0]),
            database.writing() as session,
        ):
            session.execute(text(statement))


def who_and_where(session: ReadSession) -> tuple[object, ...]:
    asked = "SELECT current_user = session_user, coalesce(current_setting('takehome.sites', true), '')"
    return tuple(session.execute(text(asked)).one())


OWNER = (True, "")


class TestAConnection:
    """There is one connection, so that each unit has the one of the unit before."""

    @pytest.fixture
    def narrow(self, database: Database) -> Iterator[Database]:
        narrow = Database(database.url, database.vault, pool_size=1)
        yield narrow
        narrow.close()

    def test_carries_nothing_to_the_next_unit(self, narrow: Database, two_sites: tuple[SiteId, SiteId]) -> None:
        here, there = two_sites
        with behind(here), narrow.writing() as session:
            assert who_and_where(session) == (False, f"{{{here}}}")
        with narrow.reading() as session:
            assert who_and_where(session) == OWNER
        with behind(there), narrow.reading() as session:
            assert {client.site_id for client in session.query(Client)} == {there}

    def test_nor_after_a_failure_of_ours_or_of_postgresql(
        self, narrow: Database, two_sites: tuple[SiteId, SiteId]
    ) -> None:
        here, _ = two_sites
        with pytest.raises(KeyError), behind(here), narrow.writing() as session:
            raise KeyError(who_and_where(session))
        with narrow.reading() as session:
            assert who_and_where(session) == OWNER
        with pytest.raises(DBAPIError), behind(here), narrow.writing() as session:
            session.execute(text("SELECT 1 / 0"))
        with narrow.reading() as session:
            assert who_and_where(session) == OWNER

    def test_of_a_unit_beside_stands_where_its_unit_does(
        self, narrow: Database, two_sites: tuple[SiteId, SiteId]
    ) -> None:
        here, _ = two_sites
        for _again in range(3):
            with behind(here), narrow.writing() as session, session.aside() as beside:
                assert who_and_where(beside) == who_and_where(session) == (False, f"{{{here}}}")
                assert beside.query(Client).count() == 1
            with narrow.writing() as session, session.aside() as beside:
                assert who_and_where(beside) == OWNER

    def test_is_told_again_after_a_savepoint_was_undone(
        self, narrow: Database, two_sites: tuple[SiteId, SiteId]
    ) -> None:
        here, _ = two_sites
        with behind(here), narrow.writing() as session:
            with pytest.raises(KeyError), session.begin_nested(), session.before_the_wall(Door.FOUND_BOTTLE):
                raise KeyError(session.query(Client).count())
            assert who_and_where(session) == (False, f"{{{here}}}")
            with pytest.raises(DBAPIError), session.begin_nested(), session.before_the_wall(Door.FOUND_BOTTLE):
                session.execute(text("SELECT 1 / 0"))
            assert who_and_where(session) == (False, f"{{{here}}}")
            assert session.query(Client).count() == 1

    def test_of_two_sites_at_once_never_shows_the_others(
        self, database: Database, two_sites: tuple[SiteId, SiteId]
    ) -> None:
        def seen(number: int) -> bool:
            site = two_sites[number % 2]
            with behind(site), database.reading() as session:
                return {client.site_id for client in session.query(Client)} == {site}

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(seen, range(400)))


def test_text_that_reads_like_a_statement_leaves_the_role_where_it_is(
    database: Database, two_sites: tuple[SiteId, SiteId]
) -> None:
    here, there = two_sites
    for typed in (
        "x'; RESET ROLE; SELECT '",
        f"x' || set_config('takehome.sites', '{{{there}}}', true) || '",
        "'}', true); SET LOCAL ROLE NONE; --",
    ):
        with behind(here), database.reading() as session:
            assert find(session, site_id=here, text=typed) == []
            assert session.scalar(text("SELECT :typed || ''"), {"typed": typed}) == typed
            session.run("SELECT %(typed)s::text", {"typed": typed})
            assert who_and_where(session) == (False, f"{{{here}}}")


class TestADoor:
    def test_is_open_for_its_block_and_then_shut(self, database: Database, two_sites: tuple[SiteId, SiteId]) -> None:
        here, _ = two_sites
        with behind(here), database.writing() as session:
            with session.before_the_wall(Door.FOUND_BOTTLE):
                assert session.query(Client).count() == 2
            assert session.query(Client).count() == 1

    def test_is_used_where_it_says_and_nowhere_else(self) -> None:
        used: dict[str, set[str]] = {}
        for path in sorted((ROOT / "dispensary").rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Door":
                    used.setdefault(node.attr, set()).add(str(path.relative_to(ROOT)))
        assert used == {
            "GUEST_STAYS": {
                "dispensary/supplies/far_away.py",
                "dispensary/supplies/guests.py",
                "dispensary/supplies/satellites.py",
                "dispensary/clients/guests.py",
            },
            "DOUBLES": {"dispensary/monitoring/doubles.py"},
            "FOUND_BOTTLE": {"dispensary/supplies/scanned.py"},
            "TWO_SITES": {"dispensary/staff/presence.py"},
            "SHREDDING": {"dispensary/erasing/service.py"},
            "OWN_PAPERS": {
                "dispensary/supplies/printing/reading.py",
                "dispensary/supplies/printing/register_rows.py",
                "dispensary/supplies/unusual.py",
                "dispensary/looks/unusual.py",
                "dispensary/clients/queries.py",
            },
            "OWN_ACTS": {"dispensary/supplies/voiding.py", "dispensary/supplies/full_bottles.py"},
            "FIGURES": {
                "dispensary/evaluation/exports.py",
                "dispensary/evaluation/fhir.py",
                "dispensary/evaluation/tracker.py",
                "dispensary/evaluation/retention.py",
                "dispensary/evaluation/answering.py",
            },
            "MOVES": {
                "dispensary/homes/asking.py",
                "dispensary/homes/going.py",
                "dispensary/homes/queries.py",
            },
            "TOLD": {"dispensary/looks/told.py"},
            "OPENING": {"dispensary/takehome/opening.py"},
            "BRANCH": {"dispensary/staff/branch_permissions.py"},
            "NIGHT": {"dispensary/desks/night.py"},
        }
        assert set(used) == set(Door.__members__)

    def test_nothing_else_leaves_the_role(self) -> None:
        words = ("session_user", "RESET ROLE", "SET ROLE", "'role'", "takehome.sites")
        found = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "dispensary").rglob("*.py")
            if any(word in path.read_text() for word in words)
        }
        assert found == {"dispensary/wall.py", "dispensary/schema.py", "dispensary/migrations/walls.py"}


def test_a_query_that_forgot_its_site_shows_nothing_of_another_one(
    database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = desks(database, now, tmp_path), desks(database, now, tmp_path, code="KLG")
    mine, theirs = here.place.client(), there.place.client()

    def forgot(session: ReadSession, **_: object) -> list[Face]:
        return [face_of(session, client) for client in session.query(Client).order_by(Client.number)]

    monkeypatch.setattr(api, "find_clients", forgot)
    answer = here.seat(Role.PHARMACIST).send("POST", "/api/clients/search", {"find": "Ahmad"})
    assert answer.status_code == 200
    assert str(mine) in answer.text
    assert str(theirs) not in answer.text


def test_a_password_is_kept_where_its_person_works_and_no_other_site_reads_or_changes_it(
    database: Database, now: datetime
) -> None:
    here, there = clinic(database, now), clinic(database, now, code="KLG")
    mine, theirs = here.pharmacist.account_id, there.pharmacist.account_id
    assert mine is not None
    assert theirs is not None
    with database.writing() as session:
        for account_id in (mine, theirs):
            keep_password(session, account_id, PASSWORD)
    with behind(here.site_id), database.writing() as session:
        assert password_is_right(kept_password(session, mine), PASSWORD)
        assert scalars(session, "SELECT account_id FROM account_password") == [mine]
        keep_password(session, mine, "a boat on the lake")
        with pytest.raises(DBAPIError, match="row-level security"), session.begin_nested():
            keep_password(session, theirs, "a boat on the lake")
        with pytest.raises(DBAPIError, match="row-level security"), session.begin_nested():
            session.execute(text("UPDATE account SET left_at = now() WHERE id = :id"), {"id": theirs})
    with database.reading() as session:
        assert password_is_right(kept_password(session, mine), "a boat on the lake")
        assert password_is_right(kept_password(session, theirs), PASSWORD)


GLANCES = {
    "dispensary/database.py": "a client's key, which opens nothing but what was read",
    "dispensary/desks/locking.py": "who comes back, by their token",
    "dispensary/web/alarm.py": "the sealed code of the site where the person is signed in",
    "dispensary/web/apart.py": "which sites have a server of their own, and the first review that is due: no client",
    "dispensary/web/asking_why.py": "whether a reason is asked first; of another site's client, as of nobody",
    "dispensary/web/bearer.py": "for whom a program asks, by its token",
    "dispensary/web/board.py": "tickets of the places whose screens are bound; a screen is shown its own",
    "dispensary/web/overseeing.py": "when somebody was last at work at the sites that the person sees to",
    "dispensary/web/signed_in.py": "who is signed in, by their token; and what their site's night left undone",
}
"""Where something is read at a glance, in no transaction and so before the wall, and why nothing leaks there."""


class TestAGlance:
    def test_is_taken_in_few_places_and_each_says_why(self) -> None:
        found = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "dispensary").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and node.attr in ("glance", "glancing")
        }
        assert found == set(GLANCES)

    def test_tells_nothing_of_another_site(self, database: Database, now: datetime, tmp_path: Path) -> None:
        here, there = desks(database, now, tmp_path), desks(database, now, tmp_path, code="KLG")
        mine, theirs = here.place.client(), there.place.client()
        with database.reading() as session:
            place = next(each for each in sites(session) if each.id == here.place.site_id)
        who = SignedIn(here.place.doctor, place, works_elsewhere=False, seen_at=now, token_digest=b"", forms=uuid4())
        path = "/consulting/clients/"
        asked = [asked_of(database, who, "client_id", client, f"{path}{client}", now) for client in (mine, theirs)]
        assert asked[0] is not None
        assert asked[1] is None
        # For every part of an address, of another site's client as of nobody.
        for part in WHOSE:
            value = "0000000000" if part == "serial" else uuid4()
            assert asked_of(database, who, part, value, path, now) is None
        answers = [here.doctor.get(f"/consulting/clients/{client}") for client in (theirs, uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert len({answer.text.split("<main")[1].split("</main>")[0] for answer in answers}) == 1


def test_a_file_that_is_written_beside_is_written_behind_the_wall_of_whoever_asked(
    database: Database, two_sites: tuple[SiteId, SiteId], now: datetime, tmp_path: Path
) -> None:
    here, _ = two_sites
    exports, written = Exports(demo_settings(tmp_path), database, lambda: now), threading.Event()
    seen: list[object] = []

    def write(session: ReadSession, _: Path) -> None:
        seen.extend((who_and_where(session), session.query(Client).count()))
        written.set()

    try:
        with behind(here):
            exports.order(owner=AccountId(uuid4()), name="rows", asked={}, write=write)
        assert written.wait(20)
    finally:
        exports.close()
    assert seen == [(False, f"{{{here}}}"), 1]
