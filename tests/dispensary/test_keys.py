"""Keys come from a file, the environment or a command, are exchanged while people work, and fit the database."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import notifications.service
from dispensary.cli import main
from dispensary.clients.disclosing import disclose, register_of
from dispensary.clients.goals import set_goal
from dispensary.clients.legal_holds import set_hold
from dispensary.clients.models import Client
from dispensary.clients.queries import face_at
from dispensary.database import Database, WriteSession
from dispensary.key_sources import KeysFromCommand, change_file, open_vault, vault_of
from dispensary.keys import BadKeys, Ring, fresh_ring, fresh_vault, ring_from, whose, with_new_key
from dispensary.resealing.counting import count_fields, fields_by_key
from dispensary.resealing.fields import sealed_columns
from dispensary.resealing.moving import seal_anew
from dispensary.resealing.prints import must_fit
from dispensary.serving import leave_no_core
from dispensary.settings import BadSettings, settings_from
from dispensary.staff.rules import Role
from dispensary.supplies.agents import name_agent
from dispensary.supplies.agents_rules import Consented, Document, Named, Relation, Scope
from dispensary.supplies.outage_settings import downtime_of, set_downtime
from dispensary.units import ClientId
from tests.builders import Clinic, clinic, enrolled
from tests.dispensary.test_disclosing import TOLD

NAME = "Zulaikha binti Rahmat"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.json"


@pytest.fixture
def kept(database_url: str, file: Path) -> Iterator[Database]:
    """A database whose keys lie in a file, looked at again before every unit of work."""
    database = Database(database_url, open_vault(file))
    yield database
    database.close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispensary.key_sources.LOOK_EVERY", 0.0)


@pytest.fixture
def run(database_url: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    return keys_command(database_url, tmp_path, file, monkeypatch)


def keys_command(database_url: str, data: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`dispensary keys ...` on this database and this key file."""
    monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("DISPENSARY_DATA", str(data / "data"))
    monkeypatch.setenv("DISPENSARY_KEYS", str(file))

    def command(*words: object, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["keys", *(str(word) for word in words)], input=typed)

    return command


def another(file: Path) -> str:
    """Adds a key to the file, by which everything is sealed from now on."""
    named = ""

    def more(ring: Ring) -> Ring:
        nonlocal named
        ring, named = with_new_key(ring, current=True)
        return ring

    change_file(file, more)
    return named


def as_before(place: Clinic, count: int = 1) -> list[ClientId]:
    """Clients as an older program sealed them: under a key of the house, and none with a key of their own."""
    clients = [place.client() for _ in range(count)]
    vault = fresh_vault()
    vault.keyring.ring = place.database.vault.ring
    with place.database.writing() as session:
        for client_id in clients:
            client = session.get_one(Client, client_id)
            for column in ("name", "born", "second_identifier"):
                plain = session.vault.open(f"client.{column}", client_id, getattr(client, f"{column}_sealed"))
                setattr(client, f"{column}_sealed", vault.seal(f"client.{column}", client_id, plain))
        session.flush()
        session.execute(text("ALTER TABLE client_key DISABLE TRIGGER client_key_goes_once"))
        session.execute(text("DELETE FROM client_key"))
        session.execute(text("ALTER TABLE client_key ENABLE TRIGGER client_key_goes_once"))
    for client_id in clients:
        place.database.vault.kept.forget(client_id)
    return clients


def names(database: Database, place: Clinic) -> list[str]:
    with database.reading() as session:
        return [face_at(session, site_id=place.site_id, client_id=each).name for each in place.clients]


class TestWhereKeysComeFrom:
    def test_the_file_is_made_once_and_for_its_owner_alone(self, file: Path) -> None:
        first = open_vault(file).ring
        assert open_vault(file).ring == first
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_the_environment_has_them_and_hands_them_on_to_nobody(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        ring = fresh_ring()
        monkeypatch.setenv("DISPENSARY_KEYS_JSON", ring.as_json())
        monkeypatch.setattr("dispensary.settings._taken", {})
        settings = settings_from()
        assert vault_of(settings).ring == ring
        assert "DISPENSARY_KEYS_JSON" not in os.environ
        assert vault_of(settings_from()).ring == ring, "a second look at the settings finds them still"
        secret = json.loads(ring.as_json())["index"]["keys"]["i001"]
        assert secret not in repr(settings) + repr(vault_of(settings)) + repr(ring)

    @pytest.mark.parametrize(
        ("program", "says"),
        [
            ("import sys; print(open(sys.argv[1]).read())", None),
            ("import time; time.sleep(60)", "did not answer within 1 seconds"),
            ("raise SystemExit(3)", "ended with 3"),
            ("print('{}')", "cannot be read"),
            ("print('secret' * 20_000)", "printed more than keys"),
        ],
    )
    def test_a_command_prints_them_or_the_program_says_in_a_line_why_not(
        self, program: str, says: str | None, tmp_path: Path
    ) -> None:
        (tmp_path / "a service.json").write_text(fresh_ring().as_json())
        source = KeysFromCommand((sys.executable, "-c", program, str(tmp_path / "a service.json")), within=1.0)
        if says is None:
            assert source.read().current == "k001"
            return
        with pytest.raises(BadKeys, match=says) as refused:
            source.read()
        assert "secret" not in str(refused.value)

    def test_the_command_of_the_settings_is_run_without_a_shell(self, tmp_path: Path) -> None:
        hook = tmp_path / "hook; touch it"
        hook.write_text(f"#!{sys.executable}\nprint({fresh_ring().as_json()!r})\n")
        hook.chmod(0o700)
        settings = settings_from({"DISPENSARY_KEYS_COMMAND": f"'{hook}' $HOME", "DISPENSARY_DATA": str(tmp_path)})
        assert vault_of(settings).ring.current == "k001"
        with pytest.raises(BadKeys, match="cannot be run"):
            KeysFromCommand((str(tmp_path / "nothing"),)).read()
        with pytest.raises(BadSettings, match="Keep one of them"):
            settings_from({"DISPENSARY_KEYS_COMMAND": "a", "DISPENSARY_KEYS_JSON": "{}"})

    @pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"current": "k001"}', '{"current": 1, "keys": {}}'])
    def test_a_damaged_file_is_named_in_one_line_and_never_quoted(self, spoilt: str) -> None:
        with pytest.raises(BadKeys, match=r"The file cannot be read .* Restore it from its copy"):
            ring_from(spoilt, told="The file")

    def test_a_key_that_is_short_or_called_otherwise_is_none(self) -> None:
        good = json.loads(fresh_ring().as_json())
        key = good["index"]["keys"]["i001"]
        for change in (
            {"index": {"current": "i001", "keys": {"i001": "AAAA"}}},
            {"index": {"current": "i001", "keys": {"s001": key}}},
            {"index": {"current": "i256", "keys": {"i256": key}}},
            {"sealing": {"current": "k002", "keys": {"k001": key}}},
            {"signing": {"current": "s001", "keys": {}}},
            {"signing": key},
        ):
            with pytest.raises(BadKeys):
                ring_from(json.dumps({**good, **change}), told="The file")

    def test_a_file_of_before_index_and_signing_keys_could_be_exchanged_is_read(self) -> None:
        now = json.loads(fresh_ring().as_json())
        before = {
            **now["sealing"],
            "index": now["index"]["keys"]["i001"],
            "signing": now["signing"]["keys"]["s001"],
        }
        assert ring_from(json.dumps(before), told="The file") == ring_from(json.dumps(now), told="The file")


class TestExchangingKeys:
    def test_programs_on_the_old_key_and_on_the_new_one_read_each_other(
        self, kept: Database, file: Path, now: datetime, database_url: str
    ) -> None:
        place = clinic(kept, now)
        beside = Database(database_url, open_vault(file))
        slow = Database(database_url, open_vault(file))
        slow.vault.keyring.source.changed = lambda: False  # type: ignore[union-attr, method-assign]
        place.client()
        made = another(file)
        place.client()
        with beside.writing() as session:
            sealed = session.vault.seal("site.x", place.site_id, NAME)
        assert sealed[1:5].decode() == made, "the next unit seals by the new key"
        assert slow.vault.ring.current == "k001"
        with slow.writing() as session:
            assert session.vault.seal("site.x", place.site_id, NAME)[1:5] == b"k001", "it has not looked yet"
            assert session.vault.open("site.x", place.site_id, sealed) == NAME, "and finds the new key when it meets it"
        for each in (kept, beside, slow):
            assert len(names(each, place)) == 2
        beside.close()
        slow.close()

    def test_a_file_that_is_half_copied_leaves_the_keys_in_hand(
        self, kept: Database, file: Path, now: datetime
    ) -> None:
        place = clinic(kept, now)
        place.client()
        whole = file.read_text()
        file.write_text(whole[: len(whole) // 2])
        assert len(names(kept, place)) == 1
        file.write_text(fresh_ring().as_json())
        assert len(names(kept, place)) == 1, "nor does a file of other keys under the same id replace them"
        file.unlink()
        assert len(names(kept, place)) == 1

    def test_every_sealed_field_comes_under_the_new_key_or_its_clients_own(
        self, kept: Database, file: Path, now: datetime, run: Callable[..., Result]
    ) -> None:
        place = clinic(kept, now)
        (client,) = as_before(place)
        fill_every_room(place, client)
        before = everything(kept)
        assert len(before) >= 12
        assert {name.split(".")[0] for name, _ in before} >= {
            *(
                "client",
                "contact",
                "agent",
                "client_goal",
                "message",
                "release",
                "legal_hold",
                "downtime_setting",
                "client_key",
            ),
        }
        added = run("add")
        assert "has the key k002, which seals from now on" in added.output, added.output
        refused = run("drop", "k001")
        assert (refused.exit_code, "lie under k001" in refused.output) == (2, True)
        done = run("reseal")
        assert done.exit_code == 0, done.output
        after = everything(kept)
        assert {key: plain for key, (plain, _) in after.items() if not key[0].startswith("client_key")} == {
            key: plain for key, (plain, _) in before.items() if not key[0].startswith("client_key")
        }
        for (column, row), (_, sealed) in after.items():
            of_client = column.split(".")[0] not in ("client_key", "downtime_setting")
            assert (whose(sealed) == client) if of_client else sealed[1:5] == b"k002", (column, row)
        told = run("status")
        assert [name for name in ("k001", "k002", "seals from now on") if name not in told.output] == []
        assert run("drop", "k002").exit_code == 2, "the one that seals stays"
        dropped = run("drop", "k001")
        assert dropped.exit_code == 0, dropped.output
        assert "Backups that were made before" in dropped.output
        assert list(open_vault(file).ring.keys) == ["k002"]
        assert everything(kept).keys() == after.keys()
        assert run("reseal").output.startswith("0 fields were sealed anew")
        with kept.reading() as session:
            assert register_of(session, site_id=place.site_id)[0].recipient == TOLD.recipient

    def test_a_key_can_be_brought_to_every_machine_before_it_seals(
        self, kept: Database, file: Path, now: datetime, run: Callable[..., Result]
    ) -> None:
        clinic(kept, now).client()
        assert "not in use yet" in run("add", "--not-yet").output
        assert open_vault(file).ring.current == "k001"
        assert run("use", "k009").exit_code == 2
        assert run("use", "k002").exit_code == 0
        assert open_vault(file).ring.current == "k002"

    def test_what_people_write_meanwhile_stays_what_they_wrote(self, kept: Database, file: Path, now: datetime) -> None:
        place = clinic(kept, now)
        clients = as_before(place, 12)
        another(file)
        last: dict[ClientId, str] = {}
        stop = threading.Event()

        def writes(own: list[ClientId]) -> None:
            turn = 0
            while not stop.is_set():
                client_id = own[turn % len(own)]
                turn += 1
                with kept.writing() as session:
                    client = session.get_one(Client, client_id, with_for_update={"key_share": True})
                    name = f"{NAME} {turn}"
                    client.name_sealed = session.vault.seal("client.name", client_id, name, of=client_id)
                last[client_id] = name

        threads = [threading.Thread(target=writes, args=(clients[start::3],)) for start in range(3)]
        for thread in threads:
            thread.start()
        runs = [seal_anew(kept, at_once=5) for _ in range(6)]
        stop.set()
        for thread in threads:
            thread.join()
        assert not any(run.unread for run in runs)
        with kept.reading() as session:
            for client_id in clients:
                face = face_at(session, site_id=place.site_id, client_id=client_id)
                assert face.name == last.get(client_id, face.name)
                assert face.born == date(1985, 4, 3)
            assert sum(count.stale for count in count_fields(session)) == 0

    def test_two_runs_at_once_do_everything_once(self, kept: Database, file: Path, now: datetime) -> None:
        place = clinic(kept, now)
        as_before(place, 20)
        another(file)
        with kept.reading() as session:
            stale = sum(count.stale for count in count_fields(session))
        runs = []
        threads = [threading.Thread(target=lambda: runs.append(seal_anew(kept, at_once=7))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Each client's new key is sealed under today's by itself; nothing is exchanged a second time.
        assert sum(run.fields for run in runs) == stale
        with kept.reading() as session:
            assert fields_by_key(session).keys() == {"own", "k002"}

    def test_a_field_that_does_not_open_is_told_and_left(self, kept: Database, file: Path, now: datetime) -> None:
        place = clinic(kept, now)
        (client,) = as_before(place)
        with kept.writing() as session:
            spoilt = fresh_vault().seal("client.born", client, "1985-04-03")
            session.execute(text("UPDATE client SET born_sealed = :s"), {"s": spoilt})
        another(file)
        moved = seal_anew(kept)
        assert [line.split(" of ")[0] for line in moved.unread] == ["client.born"]
        with kept.reading() as session:
            assert session.scalar(text("SELECT born_sealed FROM client")) == spoilt


class TestTheNarrowDoor:
    """What is only ever added to is sealed anew, and changed in no other way."""

    @pytest.fixture
    def released(self, kept: Database, now: datetime) -> Clinic:
        place = clinic(kept, now)
        client = place.client()
        with kept.writing() as session:
            both = [client, enrolled(session, place, mg="60", began=place.today)]
            disclose(session, actor=place.doctor, clients=both, what="x", told=TOLD, at=now)
        return place

    @pytest.mark.parametrize(
        "change",
        [
            "what = 'something else'",
            "reason_sealed = reason_sealed || '\\x00'",
            "reason_sealed = ''",
            "reason_sealed = overlay(reason_sealed PLACING '\\xff' FROM 40)",
            "reason_sealed = overlay(reason_sealed PLACING '\\x02' FROM 1)",
            "reason_sealed = '\\x02' || decode(repeat('00', 16), 'hex') || substring(reason_sealed FROM 6)",
            "account_id = (SELECT id FROM account WHERE id <> account_id LIMIT 1)",
            "reason_sealed = overlay(reason_sealed PLACING 'k002' FROM 2), what = 'x and y'",
            "at = at + interval '1 day'",
        ],
    )
    def test_nothing_else_passes_it(self, released: Clinic, change: str) -> None:
        for opened in ("on", "off"):
            with pytest.raises(IntegrityError, match=r"only ever added"):
                with_the_door(released.database, opened, f"UPDATE release SET {change}")

    def test_every_guard_of_a_table_with_sealed_fields_has_it_or_lets_them_be(self, kept: Database) -> None:
        """Where a guard refuses every change, say WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW)))."""
        look_at_nothing_sealed = {
            *("agent_is_kept", "result_file_is_kept", "tr_message_goes_forward", "tr_contact_takes_its_pin"),
            *("client_key_goes_once", "held_text_is_kept", "factor_goes_forward", "client_moves_by_history"),
            *("goal_stays_closed", "consent_to_follows", "nobody_of_the_site_before"),
        }
        with kept.reading() as session:
            guards = session.execute(
                text("""SELECT t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t
                    WHERE NOT t.tgisinternal AND t.tgrelid::regclass::text = ANY(:tables)
                    AND t.tgtype & 16 <> 0 AND t.tgtype & 1 <> 0"""),  # on update, for each row
                {"tables": [column.table for column in sealed_columns()]},
            ).all()
        assert len(guards) > 6
        door = ("only_sealed_anew", "EXECUTE FUNCTION never_changed()")
        without = {name for name, said in guards if not any(words in said for words in door)}
        assert without - look_at_nothing_sealed == set()

    def test_it_is_shut_when_the_unit_ends(self, released: Clinic) -> None:
        sealed_as_another = "reason_sealed = overlay(reason_sealed PLACING convert_to('k002', 'UTF8') FROM 2)"
        with released.database.engine.connect() as connection:
            connection.execute(text("SET LOCAL takehome.sealing_anew = 'on'"))
            connection.execute(text(f"UPDATE release SET {sealed_as_another}"))
            connection.rollback()
            with pytest.raises(IntegrityError):
                connection.execute(text(f"UPDATE release SET {sealed_as_another}"))
        for whole in ("DELETE FROM release", "TRUNCATE release CASCADE"):
            with pytest.raises(IntegrityError):
                with_the_door(released.database, "on", whole)


class TestTheRightKeys:
    def test_a_start_with_other_keys_says_so_at_once(
        self, kept: Database, file: Path, now: datetime, run: Callable[..., Result], database_url: str
    ) -> None:
        place = clinic(kept, now)
        place.client()
        other = Database(database_url, fresh_vault())
        with pytest.raises(BadKeys, match="does not open with them"):
            must_fit(other, at=now)  # nothing is noted yet: a name is tried
        must_fit(kept, at=now)
        with pytest.raises(
            BadKeys, match=r"not the keys of this database: the index key i001 is .* should be"
        ) as wrong:
            must_fit(other, at=now)
        assert "\n" not in str(wrong.value)
        other.close()
        old = file.read_text()
        another(file)
        kept.vault.keyring.look()
        must_fit(kept, at=now)
        file.write_text(old)
        refused = run("status")
        assert (refused.exit_code, refused.output.count("\n")) == (2, 1), refused.output
        assert "the key k002" in refused.output

    def test_a_lost_key_file_comes_back_from_the_envelope(
        self, kept: Database, file: Path, now: datetime, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        place = clinic(kept, now)
        place.client()
        words = "mango ladder seven rivers"
        short = run("copy", "--to", tmp_path / "copy.txt", "--words", typed="short\nshort\n")
        assert (short.exit_code, "guess at leisure" in short.output) == (2, True)
        done = run("copy", "--to", tmp_path / "copy.txt", "--words", typed=f"{words}\n{words}\n")
        assert done.exit_code == 0, done.output
        printed = (tmp_path / "copy.txt").read_text()
        assert printed.startswith("-----BEGIN AGE ENCRYPTED FILE-----")
        assert max(map(len, printed.splitlines())) <= 64, "it can be printed, and typed again"
        assert run("copy", "--to", tmp_path / "copy.txt", "--words", typed=f"{words}\n{words}\n").exit_code == 2
        assert "They open this database." in run("check", tmp_path / "copy.txt", typed=f"{words}\n").output
        assert run("check", tmp_path / "copy.txt", typed="mango ladder seven lakes\n").exit_code == 2

        lost = file.read_text()
        file.unlink()
        missing = run("status")
        assert (missing.exit_code, "is missing, and the database needs it" in missing.output) == (2, True)
        assert not file.exists(), "the one that this start has made is gone again"
        back = run("check", tmp_path / "copy.txt", "--to", file, typed=f"{words}\n")
        assert back.exit_code == 0, back.output
        assert json.loads(file.read_text()) == json.loads(lost)
        assert run("status").exit_code == 0
        other = tmp_path / "other.json"
        other.write_text(fresh_ring().as_json())
        assert "These are not the keys of this database" in run("check", other).output

    def test_a_copy_can_be_sealed_to_the_key_that_opens_backups(
        self, kept: Database, now: datetime, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        clinic(kept, now).client()
        pair = CliRunner().invoke(main, ["backup-key", str(tmp_path / "secret.txt")])
        public = next(word for word in pair.output.split() if word.startswith("age1"))
        assert run("copy", "--to", tmp_path / "copy.age", "--key", public).exit_code == 0
        assert run("copy", "--to", tmp_path / "both.age").exit_code == 2, "neither words nor a key"
        assert "Name the file with the secret one" in run("check", tmp_path / "copy.age").output
        opened = run("check", tmp_path / "copy.age", "--key", tmp_path / "secret.txt")
        assert "They open this database." in opened.output, opened.output

    def test_no_picture_of_the_memory_is_left_behind(self) -> None:
        import resource

        before = resource.getrlimit(resource.RLIMIT_CORE)
        leave_no_core()
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        if before[1] != 0:
            assert before != (0, 0)


class TestOwnKeys:
    def test_what_one_client_has_opens_under_their_own_key_alone(self, kept: Database, now: datetime) -> None:
        place = clinic(kept, now)
        one, other = place.client(), place.client()
        with kept.reading() as session:
            sealed = session.get_one(Client, one).name_sealed
            assert whose(sealed) == one
            with pytest.raises(BadKeys):
                session.vault.open("client.name", other, sealed)
            moved = sealed[:1] + other.bytes + sealed[17:]
            with pytest.raises(BadKeys):
                session.vault.open("client.name", one, moved)

    def test_a_list_of_names_asks_for_the_keys_once(self, kept: Database, now: datetime) -> None:
        place = clinic(kept, now)
        for _ in range(6):
            place.client()
        fresh = Database(kept.url, fresh_vault())
        fresh.vault.keyring.ring = kept.vault.ring
        asked: list[str] = []
        with fresh.reading() as session:
            ask = session._ask
            session.vault._ask = lambda statement, values: asked.append(statement) or ask(statement, values)  # type: ignore[func-returns-value]
            session.vault.know(place.clients)
            assert len({face_at(session, site_id=place.site_id, client_id=each).name for each in place.clients}) == 6
        assert len(asked) == 1
        fresh.close()

    def test_a_key_that_was_undone_keeps_nothing_of_its_unit(self, kept: Database, now: datetime) -> None:
        place = clinic(kept, now)
        (client,) = as_before(place)
        before = names(kept, place)

        def undoes(session: WriteSession) -> None:
            undone = session.begin_nested()
            sealed = session.vault.seal("client.name", client, NAME, of=client)
            undone.rollback()
            session.execute(text("UPDATE client SET name_sealed = :s"), {"s": sealed})

        with pytest.raises(RuntimeError, match="a client's own key was undone"):
            kept.write(undoes)
        assert names(kept, place) == before

    def test_two_units_make_one_key_for_a_client(self, kept: Database, now: datetime) -> None:
        place = clinic(kept, now)
        (client,) = as_before(place)
        ready = threading.Barrier(4)
        sealed: list[bytes] = []

        def seals() -> None:
            with kept.writing() as session:
                session.execute(text("SELECT 1"))
                ready.wait()
                sealed.append(session.vault.seal("client.x", client, NAME, of=client))

        threads = [threading.Thread(target=seals) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with kept.reading() as session:
            assert [session.vault.open("client.x", client, each) for each in sealed] == [NAME] * 4


def with_the_door(database: Database, opened: str, statement: str) -> None:
    with database.writing() as session:
        session.execute(text(f"SET LOCAL takehome.sealing_anew = '{opened}'"))
        session.execute(text(statement))


def fill_every_room(place: Clinic, client: ClientId) -> None:
    """Something in every column that an older clinic has sealed."""
    today = place.today
    with place.database.writing() as session:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=client,
            phone="+60123456789",
            language="en",
            region="MY",
            now=place.now,
        )
        name_agent(
            session,
            actor=place.pharmacist,
            client_id=client,
            named=Named("Siti Agent", Relation.SIBLING, Document.IDENTITY_CARD, "800101-14-5566", date(1980, 1, 1)),
            consented=Consented(Scope.ONCE, today, today + timedelta(days=6), 6),
            today=today,
            at=place.now,
        )
        set_goal(session, actor=place.doctor, client_id=client, words="A job at the harbour", today=today, at=place.now)
        disclose(session, actor=place.doctor, clients=[client], what="x", told=TOLD, at=place.now)
        set_hold(session, actor=place.doctor, client_id=client, reason="A case", authority="Court 7", at=place.now)
        administrator = type(place.doctor)(place.doctor.account_id, place.site_id, frozenset({Role.ADMINISTRATOR}))
        set_downtime(
            session, actor=administrator, password="five words that open it", days_ahead=2, copy_to="", at=place.now
        )
        message = uuid4()
        session.execute(
            text("""INSERT INTO message (id, recipient_id, phone_sealed, phone_index, kind, reason_key, language,
                body_sealed, segments, state, attempts, valid_until, created_at, changed_at, zone, is_reply)
                VALUES (:id, :who, :phone, 'x', 'reminder', 'x', 'en', :body, 1, 'failed', 0, :at, :at, :at, 'UTC',
                false)"""),
            {
                "id": message,
                "who": client,
                "phone": session.vault.seal("message.phone_sealed", message, "+60123456789"),
                "body": session.vault.seal("message.body_sealed", message, "A text"),
                "at": place.now,
            },
        )
    with place.database.reading() as session:
        assert downtime_of(session, site_id=place.site_id).password == "five words that open it"


def everything(database: Database) -> dict[tuple[str, object], tuple[bytes, bytes]]:
    """Every sealed field there is, opened, by column and row."""
    found = {}
    with database.reading() as session:
        for column in sealed_columns():
            rows = session.execute(text(f'SELECT "{column.row}", "{column.column}" FROM "{column.table}"'))
            for row, sealed in rows:
                if sealed:
                    opened = session.vault.open_bytes(column.bound_by, row, bytes(sealed))
                    found[column.name, row] = opened, bytes(sealed)
    return found
