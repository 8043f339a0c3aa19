"""The second wall stands on any server: after a backup came back, and where the program's user may make no roles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pyrage
import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError

from dispensary.backups.making import back_up
from dispensary.backups.restoring import restore
from dispensary.backups.sums import differing, sums
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.keys import Vault
from dispensary.schema import met, migrate
from dispensary.staff.service import keep_password, kept_password
from dispensary.units import AccountId, ClientId, SiteId
from dispensary.wall import DESK, behind
from tests.builders import clinic

RIGHTS = f"""SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = '{DESK}'
    ORDER BY 1, 2"""


def stands(database: Database, here: SiteId, mine: ClientId, theirs: tuple[ClientId, AccountId]) -> None:
    """Whoever works at one site sees their own client, and neither another site's nor a colleague's password there."""
    client, account = theirs
    with behind(here), database.writing() as session:
        assert session.scalar(text("SELECT current_user")) == DESK
        assert [each.id for each in session.query(Client)] == [mine]
        assert kept_password(session, account) is None
        for refused in (
            text("INSERT INTO client_goal (id, client_id, set_on) VALUES (gen_random_uuid(), :client, '2026-11-24')"),
            text("DELETE FROM audit_entry WHERE subject_id = :client"),
        ):
            with pytest.raises(DBAPIError, match=r"row-level security|permission denied"), session.begin_nested():
                session.execute(refused, {"client": client})


def test_it_stands_in_a_backup_that_came_back(
    database: Database, database_url: str, now: datetime, tmp_path: Path
) -> None:
    here, there = clinic(database, now), clinic(database, now, code="KLG")
    mine, account = here.client(), there.pharmacist.account_id
    assert account is not None
    theirs = (there.client(), account)
    with database.writing() as session:
        keep_password(session, account, "a walk to the river")
        rights = session.execute(text(RIGHTS)).all()
    pair = pyrage.x25519.Identity.generate()
    (tmp_path / "secret.txt").write_text(f"{pair}\n")
    made = back_up(
        database,
        into=tmp_path / "backups",
        sealed_to=[str(pair.to_public())],
        data=tmp_path / "data",
        at=now,
        try_out=False,
    )
    with database.engine.begin() as connection:  # what stands there now has no wall any more
        connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {DESK}"))
        connection.execute(text("ALTER TABLE client DISABLE ROW LEVEL SECURITY"))
        without = sums(connection)
    assert [line.split(":")[0] for line in differing(made.said.sums, without)] == ["(walls)"]
    assert differing({name: said for name, said in made.said.sums.items() if name != "(walls)"}, without) == []
    database.close()

    restore(
        made.file,
        keys=tmp_path / "secret.txt",
        url=database_url,
        vault=database.vault,
        data=tmp_path / "data",
        by="root",
        now=now + timedelta(hours=1),
    )

    with database.reading() as session:
        assert session.execute(text(RIGHTS)).all() == rights
    assert not met(database).needs
    stands(database, here.site_id, mine, theirs)


@contextmanager
def owned(server: str, owner: str, may: str) -> Iterator[URL]:
    """An empty database of a user that is no superuser, as a provider gives one, and the user's address of it."""
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN NOSUPERUSER {may}")
        connection.execute(f"CREATE DATABASE {owner} OWNER {owner}")
        try:
            yield make_url(server).set(username=owner, database=owner)
        finally:
            connection.execute(f"DROP DATABASE {owner} WITH (FORCE)")
            connection.execute(f"REVOKE {DESK} FROM {owner}")
            connection.execute(f"DROP ROLE {owner}")


def works(database: Database, now: datetime) -> None:
    here, there = clinic(database, now), clinic(database, now, code="KLG")
    assert there.pharmacist.account_id is not None
    stands(database, here.site_id, here.client(), (there.client(), there.pharmacist.account_id))


def test_a_user_that_may_make_no_roles_is_told_what_the_administrator_of_the_server_says(
    server: str, vault: Vault, now: datetime
) -> None:
    with owned(server, "clinic_owner", "NOCREATEROLE") as url:
        database = Database(url.render_as_string(hide_password=False), vault, pool_size=2)
        try:
            with pytest.raises(NoDatabase, match="whoever runs the server say") as refused:
                migrate(database)
            assert met(database).needs
            said = str(refused.value).split("say: ")[1].removesuffix(" and then migrate again.")
            # On this server the role is there, of its other databases: to make it anew would be refused.
            assert said == f"GRANT {DESK} TO clinic_owner;"
            admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute(said.encode())
            assert migrate(database) == []
            assert not met(database).needs
            works(database, now)
        finally:
            database.close()


def test_a_user_that_may_make_roles_needs_nobody(server: str, vault: Vault, now: datetime) -> None:
    with owned(server, "clinic_maker", "CREATEROLE") as url:
        admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
        with psycopg.connect(admin, autocommit=True) as connection:
            # As if it had made the role itself: PostgreSQL 16 and later give a maker the right to give it, and no more.
            connection.execute(f"GRANT {DESK} TO clinic_maker WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
        database = Database(url.render_as_string(hide_password=False), vault, pool_size=2)
        try:
            migrate(database)
            works(database, now)
        finally:
            database.close()
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute(f"REVOKE {DESK} FROM clinic_maker GRANTED BY clinic_maker")
