"""Results by file: looked at before anything is kept, taken once, and judged for all whom they concern."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from dispensary.cli import main
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.monitoring.comparing import Line, Verdict
from dispensary.monitoring.importing import Taken, lines_of, put_away, receive, set_mapping, take, the_file
from dispensary.monitoring.incoming import Format, Mapped, Named
from dispensary.monitoring.incoming_models import ResultFile
from dispensary.monitoring.models import Alert
from dispensary.monitoring.results import Measurement, enter_results, laboratory, results_of
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.rules import Role
from dispensary.units import ClientId, plain
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks

HEADER = "client,test,value,unit,range,day,result id"


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def number(here: Clinic, client: ClientId) -> str:
    with here.database.reading() as session:
        return session.get_one(Client, client).number


def csv(*lines: str) -> bytes:
    return "\n".join((HEADER, *lines)).encode()


def received(here: Clinic, content: bytes, format: Format = Format.CSV, lab: str = "Hospital") -> Any:
    with here.database.writing() as session:
        place = laboratory(session, actor=here.doctor, name=lab).id
        return receive(
            session, actor=here.doctor, laboratory_id=place, format=format, name="f", content=content, at=here.now
        ).id


def looked(here: Clinic, content: bytes, format: Format = Format.CSV, **more: Any) -> list[Line]:
    file_id = received(here, content, format)
    with here.database.reading() as session:
        file = the_file(session, actor=here.doctor, file_id=file_id)
        return lines_of(session, actor=here.doctor, file=file, today=here.today, **more)


def verdicts(lines: list[Line]) -> list[Verdict]:
    return [line.verdict for line in lines]


def taken(here: Clinic, content: bytes, format: Format = Format.CSV, **more: Any) -> Taken:
    file_id = received(here, content, format)
    with here.database.writing() as session:
        return take(session, actor=here.doctor, file_id=file_id, today=here.today, at=here.now, **more)


def kept(here: Clinic, client: ClientId) -> list[tuple[str, str]]:
    with here.database.reading() as session:
        rows = results_of(session, client_id=client)
        return sorted(
            (row.analyte, row.choice or f"{row.comparator}{plain(row.number)}")
            for row in rows
            if row.number or row.choice
        )


def test_what_is_good_is_entered_once_and_judged(here: Clinic) -> None:
    first, second = here.client(), here.client()
    content = csv(
        f"{number(here, first)},ALT,260,U/L,10-40,{here.today},1",
        f"{number(here, second)},1742-6,30,U/L,<41,{here.today},2",
        f"{number(here, second)},HIV viral load,4.5,log10 copies/mL,,{here.today},3",
    )
    done = taken(here, content)
    assert (done.entered, done.already, done.clients) == (3, 0, 2)
    assert kept(here, first) == [("alt", "260")]
    assert kept(here, second) == [("alt", "30"), ("viral_load", "31623")]
    with here.database.reading() as session:
        opened = session.execute(select(Alert.client_id, Alert.severity).where(Alert.rule != "")).all()
    assert (first, "urgent") in [tuple(each) for each in opened]
    again = taken(here, content)
    assert (again.entered, again.already) == (0, 3)
    assert kept(here, first) == [("alt", "260")]


def test_each_line_says_what_speaks_against_it_and_nothing_is_half_done(here: Clinic) -> None:
    client = here.client()
    mine = number(here, client)
    tomorrow = here.today + timedelta(days=1)
    lines = (
        f"{mine},ALT,30,U/L,,{here.today},1",
        f"NOBODY,ALT,30,U/L,,{here.today},2",
        f"{mine},Moon,30,U/L,,{here.today},3",
        f"{mine},ALT,30,furlong,,{here.today},4",
        f"{mine},ALT,30,,,{here.today},5",
        f"{mine},AST,29000,U/L,,{here.today},6",
        f"{mine},AST,30,U/L,,{tomorrow},7",
        f"{mine},Albumin,many,g/L,,{here.today},8",
        f"{mine},ALT,30,U/L,,{here.today},9",
        f"{mine},INR,1.1,,,{here.today},10",
        f"{mine},Platelets,200,10^9/L,400-150,{here.today},11",
    )
    found = looked(here, csv(*lines))
    assert verdicts(found) == [
        Verdict.NEW,
        Verdict.FAULT,
        Verdict.UNKNOWN,
        Verdict.FAULT,
        Verdict.FAULT,
        Verdict.QUESTION,
        Verdict.FAULT,
        Verdict.FAULT,
        Verdict.ALREADY,
        Verdict.NEW,
        Verdict.FAULT,
    ]
    assert "NOBODY" in found[1].why
    with pytest.raises(BadInput) as refused:
        taken(here, csv(*lines))
    assert {each.field for each in refused.value.refusals} == {f"line.{place}" for place in (2, 4, 5, 6, 7, 8, 11)}
    assert kept(here, client) == []

    done = taken(here, csv(*lines), keep_good=True, sure=[6])
    assert (done.entered, len(done.left_out)) == (3, 7)
    assert kept(here, client) == [("alt", "30"), ("ast", "29000"), ("inr", "1.1")]
    with here.database.reading() as session:
        file = session.scalars(select(ResultFile)).one()
        assert (file.content_sealed, file.taken) == (None, 3)
        assert {"test": "Moon", "value": "30"}.items() <= file.left_out[1].items()


def test_another_value_of_the_day_is_asked_and_a_typed_one_is_known(here: Clinic) -> None:
    client = here.client()
    with here.database.writing() as session:
        enter_results(
            session,
            actor=here.doctor,
            client_id=client,
            taken_on=here.today,
            measurements=[Measurement("alt", "30"), Measurement("bilirubin", "1", "mg/dL")],
            key="k",
            today=here.today,
            at=here.now,
        )
    mine = number(here, client)
    found = looked(
        here,
        csv(
            f"{mine},ALT,31,U/L,,{here.today},1",
            f"{mine},ALT,0.5,ukat/L,,{here.today},2",
            f"{mine},Bilirubin total,17.1,umol/L,,{here.today},3",
            f"{mine},14631-6,17.1,umol/L,,{here.today},4",
        ),
    )
    assert verdicts(found) == [Verdict.QUESTION, Verdict.ALREADY, Verdict.UNKNOWN, Verdict.ALREADY]


def observation(here: Clinic, client: ClientId, value: int, status: str = "final") -> bytes:
    return json.dumps(
        {
            "resourceType": "Observation",
            "status": status,
            "identifier": [{"value": "L-1"}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "1742-6"}]},
            "subject": {"identifier": {"value": number(here, client)}},
            "effectiveDateTime": here.today.isoformat(),
            "valueQuantity": {"value": value, "unit": "U/L"},
        }
    ).encode()


def test_a_laboratory_corrects_and_takes_back_what_it_sent(here: Clinic) -> None:
    client = here.client()
    assert taken(here, observation(here, client, 240), Format.FHIR).entered == 1
    assert verdicts(looked(here, observation(here, client, 24), Format.FHIR)) == [Verdict.FAULT]
    for count in (1, 0):  # sent twice, it corrects once
        assert taken(here, observation(here, client, 24, "corrected"), Format.FHIR).corrected == count
    assert kept(here, client) == [("alt", "24")]
    assert verdicts(looked(here, observation(here, client, 240), Format.FHIR)) == [Verdict.ALREADY]
    for count in (1, 0):
        assert taken(here, observation(here, client, 24, "entered-in-error"), Format.FHIR).corrected == count
    assert kept(here, client) == []
    assert verdicts(looked(here, observation(here, client, 3, "preliminary"), Format.FHIR)) == [Verdict.UNKNOWN]


def test_a_message_by_hl7_is_entered_with_its_panel(here: Clinic) -> None:
    client = here.client()
    day = f"{here.today:%Y%m%d}"
    message = "\r".join(
        (
            f"MSH|^~\\&|LAB|H|TH|C|{day}||ORU^R01|M1|P|2.5",
            f"PID|1||{number(here, client)}^^^H",
            f"OBR|1||A77|ECG|||{day}",
            "OBX|1|NM|8634-8^QT^LN||440|ms|||||F",
            "OBX|2|NM|8867-4^Rate^LN||90|/min|||||F",
        )
    ).encode()
    assert taken(here, message, Format.HL7).entered == 2
    with here.database.reading() as session:
        rows = results_of(session, client_id=client)
        assert len({row.panel for row in rows}) == 1
        assert {row.source for row in rows} == {"hl7"}
        assert session.scalars(select(Alert.severity).where(Alert.rule != "")).all() == ["urgent"]
    assert taken(here, message, Format.HL7).already == 2


def test_a_laboratory_has_its_own_names_and_units(here: Clinic) -> None:
    client = here.client()
    with here.database.writing() as session:
        place = laboratory(session, actor=here.doctor, name="Hospital").id
        mapped = Mapped({"client": "No"}, {"GPT ": Named("alt", "U/L")})
        set_mapping(session, actor=here.doctor, laboratory_id=place, mapped=mapped, at=here.now)
        wrong = Mapped(tests={"GPT": Named("moon")})
        with pytest.raises(BadInput):
            set_mapping(session, actor=here.doctor, laboratory_id=place, mapped=wrong, at=here.now)
    content = f"no,test,value,day\n{number(here, client)},gpt,30,{here.today}\n".encode()
    assert taken(here, content).entered == 1
    assert kept(here, client) == [("alt", "30")]


def test_a_file_is_closed_once_and_its_content_is_forgotten(here: Clinic, database: Database, now: datetime) -> None:
    client = here.client()
    content = csv(f"{number(here, client)},ALT,30,U/L,,{here.today},1")
    file_id = received(here, content)
    assert received(here, content) == file_id
    there = clinic(database, now, code="KLG")
    with database.writing() as session, pytest.raises(NotThere):
        take(session, actor=there.doctor, file_id=file_id, today=here.today, at=now)
    with database.writing() as session:
        put_away(session, actor=here.doctor, file_id=file_id, at=now)
    with database.writing() as session, pytest.raises(Refused):
        take(session, actor=here.doctor, file_id=file_id, today=here.today, at=now)
    for sql in ("UPDATE result_file SET taken = 3", "DELETE FROM result_file", "TRUNCATE result_file"):
        with pytest.raises(DBAPIError), database.writing() as session:
            session.execute(text(sql))


class TestAtTheDesk:
    @pytest.fixture
    def desk(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    def send(self, desk: Desks, content: bytes, laboratory: str = "Hospital") -> Any:
        form = {"laboratory": laboratory, "format": "csv"}
        return desk.doctor.post("/consulting/results/import", form, files={"file": ("lab.csv", content)})

    def test_a_file_is_uploaded_looked_at_and_taken(self, desk: Desks) -> None:
        client = desk.place.client()
        lines = (
            f"{number(desk.place, client)},ALT,30,U/L,10-40,{desk.today},1",
            f"{number(desk.place, client)},AST,29000,U/L,,{desk.today},2",
            f"NOBODY,ALT,30,U/L,,{desk.today},3",
        )
        answer = self.send(desk, csv(*lines))
        assert answer.status_code == 303, answer.text
        path = answer.headers["location"]
        shown = desk.doctor.get(path).text
        assert "1 result would be taken" in shown
        assert "NOBODY" in shown
        again = desk.doctor.post(path, {"sure": "2"})
        assert "Nothing was taken" in again.text
        assert kept(desk.place, client) == []
        assert desk.doctor.post(path, {"sure": "2", "keep_good": "yes"}).status_code == 303
        assert kept(desk.place, client) == [("alt", "30"), ("ast", "29000")]
        assert "NOBODY" in desk.doctor.get(path).text
        assert "1 left out" in desk.doctor.get("/consulting/results/import").text

    def test_a_file_that_cannot_be_read_names_its_headers_and_can_be_mapped(self, desk: Desks) -> None:
        client = desk.place.client()
        content = f"Nr,Was,Wert,Tag\n{number(desk.place, client)},GPT,30,{desk.today}\n".encode()
        refused = self.send(desk, content)
        assert "Nr, Was, Wert, Tag" in refused.text
        with desk.database.writing() as session:
            place = laboratory(session, actor=desk.place.doctor, name="Hospital").id
        mapping = f"/consulting/results/import/laboratory/{place}"
        wrong = desk.doctor.post(mapping, {"tests": "GPT", "day": "iso"})
        assert "does not say what it means" in wrong.text
        form = {"column_client": "Nr", "column_test": "Was", "column_value": "Wert", "column_day": "Tag", "day": "iso"}
        assert desk.doctor.post(mapping, {**form, "tests": "GPT = alt, U/L"}).status_code == 303
        assert "GPT".casefold() in desk.doctor.get(mapping).text
        assert self.send(desk, content).status_code == 303
        assert "No file was chosen" in self.send(desk, b"").text

    def test_only_those_who_treat_may(self, desk: Desks) -> None:
        answers = {role: desk.seat(role).get("/consulting/results/import").status_code for role in Role}
        treat = {Role.DOCTOR, Role.NURSE, Role.PHARMACIST}
        assert answers == {role: 200 if role in treat else 403 for role in Role}


def test_the_command_takes_a_file(
    here: Clinic, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path))
    monkeypatch.setenv("DISPENSARY_KEYS", str(tmp_path / "keys.json"))
    (tmp_path / "keys.json").write_text(here.database.vault.ring.as_json())
    client = here.client()
    # The program's own clock is years from the test's: a day long ago is right by both.
    (tmp_path / "lab.csv").write_bytes(csv(f"{number(here, client)},ALT,30,U/L,,2026-01-05,1"))
    words = ["import", "results", str(tmp_path / "lab.csv"), "--format", "csv", "--site", "HRP", "--laboratory", "H"]
    tried = CliRunner().invoke(main, [*words, "--dry-run"])
    assert (tried.exit_code, tried.output.splitlines()) == (0, ["line 2: new", "Dry run: nothing was changed."])
    assert kept(here, client) == []
    done = CliRunner().invoke(main, words)
    assert "1 results entered, 0 corrected, 0 here already, 0 left out; 1 clients judged." in done.output, done.output
    assert kept(here, client) == [("alt", "30")]
