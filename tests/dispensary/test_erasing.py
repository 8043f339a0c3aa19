"""Somebody who has left is erased for good: no backup opens their name, and every figure says what it said before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from sqlalchemy import create_engine, text

import notifications.service
from dispensary.backups.files import BadBackup
from dispensary.backups.making import back_up
from dispensary.backups.own_keys import forget_erased_keys, in_folder, newest
from dispensary.backups.restoring import drill, restore
from dispensary.clients.legal_holds import lift_hold, set_hold
from dispensary.clients.models import Client, Episode
from dispensary.clients.queries import face_at, find
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import begin_episode, end_episode
from dispensary.database import Database
from dispensary.erasing.rules import Ground, kept_until, may_erase
from dispensary.erasing.service import erase, erasures_at
from dispensary.keys import BadKeys, Erased
from dispensary.refusals import Refused
from dispensary.staff.audit import broken_links
from dispensary.staff.retention import set_period
from dispensary.staff.retention_rules import Kind
from dispensary.staff.rules import Actor, Role
from dispensary.staff.service import keep_password
from dispensary.supplies.agents import agents_of
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from notifications.models import Contact, Message
from notifications.queries import contact_details
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import desks
from tests.dispensary.test_keys import fill_every_room
from tests.dispensary.visiting import PASSWORD as VISITORS

PASSWORD = "papaya on the verandah"
LAW = "Act 709, section 10"
PHONE = "+60123456789"


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """Two clients who were dosed, with all that can name them; the first has left."""
    place = clinic(database, now)
    left, stays = place.client(), place.client()
    place.give(left)
    place.give(stays)
    fill_every_room(place, left)
    with database.writing() as session:
        assert place.pharmacist.account_id is not None
        keep_password(session, place.pharmacist.account_id, PASSWORD)
        notifications.service.set_contact(
            session, vault=session.vault, recipient_id=stays, phone="+60198765432", language="en", region="MY", now=now
        )
        episode = session.query(Episode).filter_by(client_id=left).one()
        end_episode(
            session,
            actor=place.doctor,
            episode_id=episode.id,
            ended_on=place.today,
            reason=next(iter(ExitReason)),
            at=now,
        )
        (hold,) = session.execute(text("SELECT id FROM legal_hold")).scalars()
        lift_hold(session, actor=place.doctor, hold_id=hold, reason="Closed", at=now)
    return place


def erased(place: Clinic, client: ClientId, **changes: Any) -> object:
    asked = {
        "actor": place.doctor,
        "client_id": client,
        "ground": Ground.REQUEST,
        "authority": LAW,
        "second_id": place.pharmacist.account_id,
        "pin": PASSWORD,
        "today": place.today,
        "at": place.now,
        **changes,
    }
    return place.database.write(lambda session: erase(session, **asked))


def codes(act: Callable[[], object]) -> set[str]:
    with pytest.raises(Refused) as refused:
        act()
    return {refusal.code for refusal in refused.value.refusals}


def figures(database: Database) -> dict[str, object]:
    """What stays to the last bit: doses, register, days, audit, counts."""
    kept = ("dose", "supply", "register_line", "register_book", "lot", "episode", "dose_order", "fact_client")
    with database.reading() as session:
        return {
            table: session.execute(text(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t")).one()
            for table in kept
        } | {"people": session.execute(text("SELECT id, number, sex, birth_year FROM client ORDER BY id")).all()}


class TestWhoMayBeErased:
    @pytest.mark.parametrize(
        ("changes", "refused"),
        [
            ({}, set()),
            ({"in_treatment": True}, {"still-in-treatment"}),
            ({"authority": " "}, {"erasing-authority"}),
            ({"keep_years": None}, {"no-period"}),
            ({"keep_years": None, "ground": Ground.ORDER}, set()),
            ({"today": date(2026, 11, 23)}, {"within-period"}),
            ({"today": date(2026, 11, 23), "ground": Ground.REQUEST}, set()),
            (
                {"in_treatment": True, "ground": Ground.ORDER, "authority": ""},
                {"still-in-treatment", "erasing-authority"},
            ),
        ],
    )
    def test_each_reason(self, changes: dict[str, Any], refused: set[str]) -> None:
        usual = {
            "in_treatment": False,
            "last_day": date(2019, 11, 24),
            "keep_years": 7,
            "ground": Ground.PERIOD_ENDED,
            "authority": LAW,
            "today": date(2026, 11, 24),
        }
        assert {refusal.code for refusal in may_erase(**{**usual, **changes})} == refused

    def test_a_period_from_the_29th_of_february_ends_on_the_first_of_march(self) -> None:
        assert kept_until(date(2024, 2, 29), 7) == date(2031, 3, 1)
        assert kept_until(date(2024, 2, 29), 4) == date(2028, 2, 29)

    def test_nobody_in_treatment_under_a_hold_or_by_one_person_alone(self, here: Clinic) -> None:
        left, stays = here.clients
        before = figures(here.database)
        assert codes(lambda: erased(here, stays)) == {"still-in-treatment"}
        assert codes(lambda: erased(here, left, second_id=None)) == {"no-second"}
        assert codes(lambda: erased(here, left, second_id=here.doctor.account_id)) == {"not-a-second"}
        assert codes(lambda: erased(here, left, pin="another one entirely")) == {"wrong-password"}
        assert codes(lambda: erased(here, left, actor=here.pharmacist)) == {"may-not-erase"}
        assert codes(lambda: erased(here, left, ground=Ground.PERIOD_ENDED)) == {"no-period"}
        administrator = replace(here.doctor, roles=frozenset({Role.ADMINISTRATOR}))
        with here.database.writing() as session:
            set_period(session, actor=administrator, kind=Kind.CLIENTS, figure=7, source=LAW, at=here.now)
            hold = set_hold(session, actor=here.doctor, client_id=left, reason="x", authority="y", at=here.now)
        assert codes(lambda: erased(here, left)) == {"legal-hold"}
        with here.database.writing() as session:
            lift_hold(session, actor=here.doctor, hold_id=hold.id, reason="z", at=here.now)
        assert codes(lambda: erased(here, left, ground=Ground.PERIOD_ENDED)) == {"within-period"}
        assert codes(lambda: administrator_sets(here, administrator, 0)) == {"bad-period"}
        assert codes(lambda: administrator_sets(here, here.doctor, 7)) == {"not-administrator"}
        assert figures(here.database) == before
        with here.database.reading() as session:
            assert face_at(session, site_id=here.site_id, client_id=left).name.startswith("Ahmad Test")

    def test_a_text_in_a_senders_hand_is_waited_for(self, here: Clinic) -> None:
        left = here.clients[0]
        with here.database.writing() as session:
            session.execute(text("ALTER TABLE message DISABLE TRIGGER USER"))
            session.execute(
                text("UPDATE message SET state = 'sending', next_attempt_at = :at, recipient_id = :c"),
                {"at": here.now, "c": left},
            )
            session.execute(text("ALTER TABLE message ENABLE TRIGGER USER"))
        assert codes(lambda: erased(here, left)) == {"text-on-its-way"}


def administrator_sets(place: Clinic, actor: Actor, years: int) -> None:
    with place.database.writing() as session:
        set_period(session, actor=actor, kind=Kind.CLIENTS, figure=years, source=LAW, at=place.now)


class TestErased:
    def test_nothing_names_them_and_every_figure_stays(self, here: Clinic) -> None:
        left, stays = here.clients
        before = figures(here.database)
        with here.database.reading() as session:
            old = session.get_one(Client, left).name_sealed
            number = session.get_one(Client, left).number
            stayed = face_at(session, site_id=here.site_id, client_id=stays)
        assert erased(here, left) is not None
        assert figures(here.database) == before
        with here.database.reading() as session:
            face = face_at(session, site_id=here.site_id, client_id=left)
            assert (face.name, face.born, face.second_identifier) == (f"erased on {here.today}", None, "")
            assert find(session, site_id=here.site_id, text="Ahmad")[0].client_id == stays
            assert [each.client_id for each in find(session, site_id=here.site_id, text=number)] == [left]
            with pytest.raises(Erased, match="which is gone"):
                session.vault.open("client.name", left, old)
            with pytest.raises(Erased):
                here.database.vault.open("client.name", left, old)
            assert contact_details(session, vault=session.vault, recipient_id=left) is None
            assert session.get(Contact, stays) is not None
            assert session.query(Message).filter_by(recipient_id=left).count() == 0
            assert all(message.wiped_at for message in session.query(Message))
            (agent,) = agents_of(session, client_id=left, today=here.today)
            assert (agent.name, agent.born) == (f"erased on {here.today}", date(1980, 1, 1))
            assert face_at(session, site_id=here.site_id, client_id=stays) == stayed
            assert list(verify(session, now=here.now)) == []
            assert list(broken_links(session, site_id=here.site_id)) == []
            (line,) = erasures_at(session, site_id=here.site_id)
            assert (line.number, line.ground, line.authority) == (number, Ground.REQUEST, LAW)
            told = session.execute(
                text("SELECT act, details FROM audit_entry WHERE subject_id = :c ORDER BY seq DESC LIMIT 1"),
                {"c": left},
            ).one()
            assert told.act == "erased"
            assert LAW not in told.details

    def test_twice_is_once_and_nothing_more_is_sealed_for_them(self, here: Clinic) -> None:
        left = here.clients[0]
        erased(here, left)
        erased(here, left)
        with here.database.reading() as session:
            assert len(erasures_at(session, site_id=here.site_id)) == 1
        with pytest.raises(BadKeys, match="nothing more is sealed"), here.database.writing() as session:
            session.vault.seal("client.name", left, "Somebody", of=left)
        assert codes(
            lambda: here.database.write(
                lambda session: begin_episode(
                    session,
                    actor=here.doctor,
                    client_id=left,
                    began_on=here.today,
                    today=here.today,
                    at=here.now,
                )
            )
        ) == {"erased"}

    def test_sealing_anew_goes_on_past_them(self, here: Clinic) -> None:
        from dispensary.resealing.counting import count_fields
        from dispensary.resealing.moving import seal_anew

        erased(here, here.clients[0])
        assert seal_anew(here.database).unread == []
        with here.database.reading() as session:
            assert sum(count.stale for count in count_fields(session)) == 0


class TestBackups:
    @pytest.fixture
    def pair(self, tmp_path: Path) -> pyrage.x25519.Identity:
        pair = pyrage.x25519.Identity.generate()
        (tmp_path / "secret.txt").write_text(f"{pair}\n")
        return pair

    def test_an_old_backup_does_not_undo_an_erasure(
        self, here: Clinic, tmp_path: Path, pair: pyrage.x25519.Identity, server: str
    ) -> None:
        left, stays = here.clients
        folders = [tmp_path / "backups", tmp_path / "elsewhere"]
        made = back_up(
            here.database,
            into=folders[0],
            copy_to=folders[1],
            sealed_to=[str(pair.to_public())],
            data=tmp_path / "data",
            at=here.now - timedelta(hours=2),
            try_out=False,
        )
        with here.database.reading() as session:
            old = {
                client: (session.get_one(Client, client).name_sealed, session.get_one(Client, client).born_sealed)
                for client in here.clients
            }
            name = face_at(session, site_id=here.site_id, client_id=stays).name
        recipients = [pair.to_public()]
        assert not forget_erased_keys(here.database, folders=folders, sealed_to=recipients, at=here.now)
        erased(here, left)
        later = here.now + timedelta(minutes=1)
        assert forget_erased_keys(here.database, folders=folders, sealed_to=recipients, at=later)
        assert not forget_erased_keys(here.database, folders=folders, sealed_to=recipients, at=later)
        assert [len(in_folder(folder)) for folder in folders] == [1, 1], "what was written before is gone"

        drilled = drill(
            made.file, keys=tmp_path / "secret.txt", vault=here.database.vault, data=tmp_path / "data", now=later
        )
        assert drilled.findings == ()
        url = here.database.url.replace("/test_", "/back_test_")
        admin = create_engine(server.replace("/takehome?", "/postgres?"), isolation_level="AUTOCOMMIT")
        back = url.split("?")[0].rsplit("/", 1)[1]
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {back}"))
        try:
            restore(
                made.file,
                keys=tmp_path / "secret.txt",
                url=url,
                vault=here.database.vault,
                data=tmp_path / "data",
                by="test",
                now=later,
            )
            restored = Database(url, here.database.vault, pool_size=2)
            with restored.reading() as session:
                assert face_at(session, site_id=here.site_id, client_id=left).name == f"erased on {here.today}"
                assert face_at(session, site_id=here.site_id, client_id=stays).name == name
                for sealed, column in zip(old[left], ("name", "born"), strict=True):
                    with pytest.raises(Erased):
                        session.vault.open(f"client.{column}", left, sealed)
                assert session.vault.open("client.name", stays, old[stays][0]) == name
                assert len(erasures_at(session, site_id=here.site_id)) == 1
            restored.close()
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {back} WITH (FORCE)"))
            admin.dispose()

    def test_a_backup_without_a_file_of_own_keys_says_which_is_missing(
        self, here: Clinic, tmp_path: Path, pair: pyrage.x25519.Identity
    ) -> None:
        made = back_up(
            here.database,
            into=tmp_path / "backups",
            sealed_to=[str(pair.to_public())],
            data=tmp_path / "data",
            at=here.now,
            try_out=False,
        )
        keys = newest(tmp_path / "backups")
        assert keys is not None
        content = keys.read_bytes()
        keys.unlink()
        asked = {
            "keys": tmp_path / "secret.txt",
            "vault": here.database.vault,
            "data": tmp_path / "data",
            "now": here.now,
        }
        with pytest.raises(BadBackup, match="No takehome-own-keys file"):
            drill(made.file, **asked)
        keys.write_bytes(content[:-20])
        with pytest.raises(BadBackup, match=r"does not open|is damaged"):
            drill(made.file, **asked)


class TestThePage:
    def test_somebody_is_erased_at_the_desk_and_their_pages_say_so(
        self, database: Database, now: datetime, tmp_path: Path
    ) -> None:
        at = desks(database, now, tmp_path)
        client = at.enrolled("H-7", "Zulaikha binti Rahmat")
        page = "/disclosure/erasing"
        typed = {"number": "H-7", "again": "H-8", "ground": "request", "authority": LAW}
        doctor, nurse = at.doctor, at.seat(Role.NURSE)
        assert nurse.get(page).status_code == 403
        assert "The two numbers are not the same." in doctor.post(page, typed).text
        refused = doctor.post(page, {**typed, "again": "H-7"})
        assert "This client is in treatment." in refused.text
        with database.writing() as session:
            session.execute(
                text("UPDATE episode SET began_on = began_on - 9, ended_on = :d, exit_reason = 'completed'"),
                {"d": at.today},
            )
            second = session.execute(text("SELECT id, username FROM account WHERE username LIKE 'nurse%'")).one()
        proven = {"again": "H-7", "second_id": str(second.id), "second_pin": VISITORS}
        done = doctor.post(page, {**typed, **proven})
        assert done.status_code == 303, done.text
        shown = doctor.get(page).text
        assert "H-7" in shown
        assert LAW in shown
        record = doctor.get(f"/consulting/clients/{client}").text
        assert f"erased on {at.today}" in record
        assert "Zulaikha" not in record
        kept = {"kind": "clients", "figure clients": "7", "source clients": LAW}
        assert at.administrator.post("/office/keeping", kept).status_code == 303
        assert "7 years after the last day of treatment." in at.administrator.get(page).text
        assert doctor.post("/office/keeping", kept).status_code == 403
