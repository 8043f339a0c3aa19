"""Records with names leave by a doctor's signature alone, on a ground, and every client's record says so."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.cli import main
from dispensary.clients.disclosing import Ground, Told, disclose, disclosures_of, register_of
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed
from dispensary.staff.audit import broken_links
from dispensary.staff.factor_rules import Demand
from dispensary.staff.factor_setting import ask_for
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.service import keep_password
from dispensary.supplies.closing import close_day
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.factored import has_authenticator

PASSWORD = "papaya on the verandah"
TOLD = Told("Universiti Malaya, Dr. Tan", "Link with the death register", Ground.RESEARCH, "NMRR-26-01234")


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """Two clients with a closed day each, of whom one has agreed."""
    here = clinic(database, now)
    for _ in range(2):
        here.give(here.client())
    with database.writing() as session:
        close_day(session, actor=here.pharmacist, day=here.today, today=here.today, counts=None, at=here.now)
        for name, actor in (("doctor", here.doctor), ("pharmacist", here.pharmacist)):
            assert actor.account_id is not None
            session.execute(text("UPDATE account SET username = :n WHERE id = :i"), {"n": name, "i": actor.account_id})
            keep_password(session, actor.account_id, PASSWORD)
    return here


@pytest.fixture
def export(here: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Any:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("dispensary.commands.exporting.now", lambda: here.now)
    monkeypatch.setattr("dispensary.commands.parts.vault_of", lambda settings: here.database.vault)

    def run(*words: object, password: str = PASSWORD, account: str = "doctor", code: str = "") -> Result:
        asked = ["export", "dose-days", "--from", "2026-11-01", "--to", "2026-11-30", "--out", str(tmp_path / "out")]
        signed = ["--account", account] if account else []
        return CliRunner().invoke(main, [*asked, *signed, *map(str, words)], input=f"{password}\n{code}\n")

    return run


SIGNED = (
    "--identified", "--recipient", TOLD.recipient, "--reason", TOLD.reason, "--authority", TOLD.authority,
)  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


def counted(here: Clinic, sql: str) -> int:
    with here.database.reading() as session:
        return int(session.execute(text(sql)).scalar_one())


def number(here: Clinic, client_id: ClientId) -> str:
    with here.database.reading() as session:
        return session.get_one(Client, client_id).number


class TestOnTheCommandLine:
    def test_a_doctor_gives_out_names_and_every_record_says_so(self, here: Clinic, export: Any, tmp_path: Path) -> None:
        told = export(*SIGNED, "--ground", "research")
        assert told.exit_code == 0, told.output
        who = rows(tmp_path / "out" / "dose-days-who.csv")
        assert {row["number"] for row in who} == {number(here, client) for client in here.clients}
        assert all(row["name"].startswith("Ahmad Test") and row["born"] == "1985-04-03" for row in who)
        days = rows(tmp_path / "out" / "dose-days.csv")
        assert {row["client"] for row in days} == {row["client"] for row in who}
        manifest = json.loads((tmp_path / "out" / "dose-days.manifest.json").read_text())
        assert "names its clients" in manifest["deidentification"]
        with here.database.reading() as session:
            (line,) = register_of(session, site_id=here.site_id)
            assert (line.by, line.recipient, line.reason, line.authority, line.ground, line.clients) == (
                "Dr. Lim Wei", TOLD.recipient, TOLD.reason, TOLD.authority, "research", 2,
            )  # fmt: skip
            assert [disclosures_of(session, client_id=client) for client in here.clients] == [[line], [line]]
            acts = session.execute(text("SELECT act, account_id FROM audit_entry ORDER BY seq DESC LIMIT 3")).all()
            assert list(broken_links(session, site_id=here.site_id)) == []
        assert [tuple(each) for each in acts] == [
            ("exported dose-days with names", None),
            ("disclosed", here.doctor.account_id),
            ("disclosed", here.doctor.account_id),
        ]

    def test_a_second_factor_is_asked_for_where_there_is_one_or_the_site_demands_it(
        self, here: Clinic, export: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dispensary.commands.identifying.now", lambda: here.now)
        asked = (*SIGNED, "--ground", "research")
        with here.database.writing() as session:
            runs = replace(here.doctor, roles=frozenset({Role.ADMINISTRATOR}))
            ask_for(session, actor=runs, demand=Demand.ALL, grace_days=7, at=here.now)
        assert "The site demands a second factor" in export(*asked).output
        phone, codes = has_authenticator(here.database, here.doctor.account_id, here.now)
        for code, said in (("", "the password alone is not enough"), ("000000", "This code is not right")):
            told = export(*asked, code=code)
            assert (told.exit_code, said in told.output) == (2, True), told.output
        assert counted(here, "SELECT count(*) FROM disclosure") == 0
        assert counted(here, "SELECT count(*) FROM audit_entry WHERE act = 'wrong second factor'") == 1
        assert export(*asked, code=phone.shows(here.now)).exit_code == 0
        assert "This code is not right" in export(*asked, code=phone.shows(here.now)).output, "a code is heard once"
        assert export(*asked, code=codes[0]).exit_code == 0

    def test_on_consent_it_has_those_who_agreed_and_nobody_else(
        self, here: Clinic, export: Any, tmp_path: Path
    ) -> None:
        agreed = tmp_path / "agreed.txt"
        agreed.write_text(f"\n {number(here, here.clients[1]).lower()} \n")
        assert export(*SIGNED, "--ground", "consent", "--consented", agreed).exit_code == 0
        (row,) = rows(tmp_path / "out" / "dose-days-who.csv")
        assert row["number"] == number(here, here.clients[1])
        assert len(rows(tmp_path / "out" / "dose-days.csv")) == 1
        assert counted(here, "SELECT count(*) FROM disclosure") == 1
        agreed.write_text("NOBODY")
        refused = export(*SIGNED, "--ground", "consent", "--consented", agreed)
        assert (refused.exit_code, "Nobody here has the number NOBODY." in refused.output) == (2, True)

    @pytest.mark.parametrize(
        ("words", "how", "said"),
        [
            (("--identified",), {}, "The ground is missing."),
            (("--identified", "--ground", "audit"), {}, "Who receives it is missing."),
            ((*SIGNED, "--ground", "consent"), {}, "Those who agreed are named when the ground is consent"),
            ((*SIGNED, "--ground", "research"), {"account": ""}, "signs for it"),
            ((*SIGNED, "--ground", "research"), {"account": "pharmacist"}, "may not give out records"),
            ((*SIGNED, "--ground", "research"), {"password": "wrong"}, "do not belong together"),
            ((), {}, "are of an identified export"),
        ],
        ids=["no ground", "no recipient", "no list", "nobody", "not a doctor", "wrong password", "not identified"],
    )
    def test_whatever_is_missing_gives_nothing_out(
        self, here: Clinic, export: Any, tmp_path: Path, words: tuple[str, ...], how: dict[str, str], said: str
    ) -> None:
        refused = export(*words, **how)
        assert (refused.exit_code, said in refused.output) == (2, True), refused.output
        assert counted(here, "SELECT count(*) FROM release") == 0
        assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []

    def test_a_guesser_is_not_heard_after_five(self, export: Any) -> None:
        for _ in range(5):
            assert "do not belong together" in export(*SIGNED, "--ground", "research", password="no").output
        assert "Too many sign-ins" in export(*SIGNED, "--ground", "research").output

    def test_what_cannot_be_put_on_the_register_is_not_given_out(
        self, here: Clinic, export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dispensary.commands.identifying.disclose", lambda *_, **__: 1 / 0)
        assert isinstance(export(*SIGNED, "--ground", "research").exception, ZeroDivisionError)
        assert list((tmp_path / "out").iterdir()) == []
        assert counted(here, "SELECT count(*) FROM audit_entry WHERE act LIKE 'exported%'") == 0

    def test_without_it_nobody_is_named(self, export: Any, tmp_path: Path) -> None:
        assert export(account="").exit_code == 0
        assert not (tmp_path / "out" / "dose-days-who.csv").exists()


class TestTheRegister:
    @pytest.mark.parametrize("role", [None, *(role for role in Role if role is not Role.DOCTOR)])
    def test_nobody_but_a_doctor_discloses(self, here: Clinic, role: Role | None) -> None:
        actor = the_program(here.site_id)
        if role is not None:
            actor = Actor(here.doctor.account_id, here.site_id, frozenset({role}))
        with pytest.raises(NotAllowed), here.database.writing() as session:
            disclose(session, actor=actor, clients=here.clients, what="doses", told=TOLD, at=here.now)

    def test_all_that_is_missing_is_said_at_once(self, here: Clinic) -> None:
        told = Told(" ", "", Ground.AUDIT, "x" * 501)
        with pytest.raises(BadInput) as refused, here.database.writing() as session:
            disclose(session, actor=here.doctor, clients=[], what="doses", told=told, at=here.now)
        assert [each.code for each in refused.value.refusals] == [
            "recipient-missing", "reason-missing", "authority-long", "nobody",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "sql",
        ["UPDATE release SET what = 'x'", "DELETE FROM disclosure", "TRUNCATE disclosure", "DELETE FROM release"],
    )
    def test_it_is_only_ever_added_to(self, here: Clinic, sql: str) -> None:
        with here.database.writing() as session:
            disclose(session, actor=here.doctor, clients=here.clients, what="doses", told=TOLD, at=here.now)
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(text(sql))

    def test_it_names_no_recipient_to_whoever_has_the_disk(self, here: Clinic) -> None:
        with here.database.writing() as session:
            disclose(session, actor=here.doctor, clients=here.clients, what="doses", told=TOLD, at=here.now)
            (kept,) = session.execute(text("SELECT CAST(release AS text) FROM release")).scalars()
        assert "Tan" not in kept
        assert "death" not in kept
