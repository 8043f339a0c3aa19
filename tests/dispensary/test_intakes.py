"""Entry from outside: heard before they are a client, told of to nobody without consent, wiped when it is closed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.intake_closing import Outcome, close_intake
from dispensary.care.intake_consents import tell_referrer
from dispensary.care.intake_models import Intake, IntakePart
from dispensary.care.intakes import (
    Heard,
    Part,
    assess_part,
    intakes_open,
    parts_of,
    take_in,
    the_intake,
)
from dispensary.clients.disclosing import register_of
from dispensary.clients.rules import EntryRoute
from dispensary.database import Database
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

SENT = Heard("Minh", EntryRoute.POLICE, "his aunt's shop", "a place to sleep", "Ward police, Sgt. Hoa", "folder 12")


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def came(place: Clinic, heard: Heard = SENT) -> UUID:
    with place.database.writing() as session:
        return take_in(session, actor=place.doctor, heard=heard, today=place.today, at=place.now).id


def assessed(place: Clinic, intake_id: UUID, part: Part = Part.LEGAL, words: str = "no papers") -> None:
    with place.database.writing() as session:
        assess_part(
            session,
            actor=place.doctor,
            intake_id=intake_id,
            part=part,
            words=words,
            services=["legal_aid"],
            key=uuid4(),
            today=place.today,
            at=place.now,
        )


def told(place: Clinic, intake_id: UUID, key: UUID | None = None, days: bool = False) -> None:
    with place.database.writing() as session:
        tell_referrer(
            session, actor=place.doctor, intake_id=intake_id, days=days, key=key or uuid4(), today=place.today,
            at=place.now,
        )  # fmt: skip


def closed(place: Clinic, intake_id: UUID, outcome: Outcome, client: UUID | None = None) -> None:
    with place.database.writing() as session:
        close_intake(
            session,
            actor=place.doctor,
            intake_id=intake_id,
            outcome=outcome,
            client_id=client,  # type: ignore[arg-type]
            at=place.now,
        )


class TestSomebodyWhoCame:
    def test_is_written_down_once_sealed_and_counted(self, place: Clinic) -> None:
        with ThreadPoolExecutor(6) as hands:
            assert len(set(hands.map(lambda _: came(place), range(6)))) == 1
        came(place, Heard("Lan", EntryRoute.SELF))
        with place.database.reading() as session:
            rows = intakes_open(session, site_id=place.site_id)
            assert [(row.number, name) for row, name, _ in rows] == [(1, "Minh"), (2, "Lan")]
            (first, _) = session.scalars(select(Intake).order_by(Intake.number)).all()
            for sealed in (first.name_sealed, first.reach_sealed, first.words_sealed, first.referrer_sealed):
                assert sealed is not None
                assert not any(word in sealed for word in (b"Minh", b"shop", b"sleep", b"Hoa"))

    def test_says_what_is_missing(self, place: Clinic) -> None:
        with pytest.raises(BadInput) as refused:
            came(place, Heard(" ", EntryRoute.COURT, words="x" * 1001, consent="folder 3"))
        assert [each.field for each in refused.value.refusals] == ["name", "words", "referrer"]
        intake = came(place)
        with pytest.raises(BadInput, match="Say what was found"):
            assessed(place, intake, words=" ")
        with pytest.raises(NotThere):
            assessed(place, uuid4())


class TestWhoeverSentThem:
    def test_hears_nothing_without_consent_whoever_asks(self, place: Clinic) -> None:
        intake = came(place, Heard("Minh", EntryRoute.POLICE, referrer="Ward police"))
        with pytest.raises(Refused, match="told nothing"):
            told(place, intake)
        with place.database.writing() as session, pytest.raises(NotAllowed):
            tell_referrer(
                session, actor=place.pharmacist, intake_id=intake, days=False, key=uuid4(), today=place.today,
                at=place.now,
            )  # fmt: skip
        other = came(place, Heard("Lan", EntryRoute.COURT, referrer="Court 3", consent="folder 9"))
        told(place, other)
        moved = "INSERT INTO intake_release SELECT r.id, :intake FROM release r"
        with place.database.writing() as session:
            session.execute(text("ALTER TABLE intake_release DISABLE TRIGGER never_changed"))
            session.execute(text("DELETE FROM intake_release"))
        with pytest.raises(IntegrityError, match="nothing without their consent"), place.database.writing() as session:
            session.execute(text(moved), {"intake": intake})

    def test_hears_that_they_came_by_a_line_of_the_register(self, place: Clinic) -> None:
        intake, key = came(place), uuid4()
        assessed(place, intake)
        for _ in range(2):
            told(place, intake, key)
        told(place, intake, days=True)
        with place.database.reading() as session:
            lines = register_of(session, site_id=place.site_id)
            assert [(line.what, line.recipient, line.authority, line.clients) for line in lines] == [
                ("intake 1: that they came, and on which days", "Ward police, Sgt. Hoa", "folder 12", 0),
                ("intake 1: that they came", "Ward police, Sgt. Hoa", "folder 12", 0),
            ]
            assert not any("papers" in line.what or "Minh" in line.what for line in lines)
            assert the_intake(session, site_id=place.site_id, intake_id=intake).told == 2


class TestClosed:
    def test_nothing_names_anybody_who_did_not_become_a_client(self, place: Clinic) -> None:
        intake = came(place)
        assessed(place, intake)
        for _ in range(2):
            closed(place, intake, Outcome.NOT_WANTED)
        with place.database.reading() as session:
            row = session.get_one(Intake, intake)
            assert (row.name_sealed, row.reach_sealed, row.referrer_sealed, row.consent_sealed) == (None,) * 4
            assert session.scalars(select(IntakePart.words_sealed)).all() == [None]
            shown = the_intake(session, site_id=place.site_id, intake_id=intake)
            assert (shown.heard.name, [words for _, words in shown.parts]) == ("", [""])
        for late in (lambda: told(place, intake), lambda: assessed(place, intake)):
            with pytest.raises(NotThere):
                late()
        for statement in ("UPDATE intake SET outcome = 'elsewhere'", "DELETE FROM intake_part", "DELETE FROM intake"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))

    def test_whoever_became_a_client_has_the_assessments_under_their_own_key(self, place: Clinic) -> None:
        intake, client = came(place), place.client()
        assessed(place, intake, Part.HEALTH, "sleeps badly")
        with pytest.raises(BadInput, match="which client"):
            closed(place, intake, Outcome.ENROLLED)
        closed(place, intake, Outcome.ENROLLED, client)
        with place.database.reading() as session:
            assert [words for _, words in parts_of(session, client_id=client)] == ["sleeps badly"]
        with place.database.writing() as session:
            session.execute(
                text("UPDATE client_key SET wrapped_sealed = NULL, erased_at = now() WHERE client_id = :client"),
                {"client": client},
            )
            session.vault.forget(client)
        with place.database.reading() as session:
            assert [words for _, words in parts_of(session, client_id=client)] == [ERASED]


def test_the_pages(database: Database, now: datetime, tmp_path: Path) -> None:
    here: Desks = desks(database, now, tmp_path)
    nurse = here.seat(Role.NURSE)
    wrong = nurse.post("/care/intakes", {"name": "", "route": "court", "words": "rest", "referrer": "Court 3"})
    assert (wrong.status_code, 'value="Court 3"' in wrong.text) == (422, True)
    at = (
        nurse.post("/care/intakes", {"name": "Minh", "route": "court", "referrer": "Court 3", "consent": "folder 2"})
        .headers["location"]
        .split("?")[0]
    )
    assert "Minh" in text_of(nurse.get("/care/intakes"))
    refused = nurse.post(f"{at}/parts", {"part": "social", "part_words": "", "services": ["vocational", "art"]})
    assert refused.status_code == 422
    assert len(re.findall(r'name="services" value="\w+" checked', refused.text)) == 2
    assert (
        nurse.post(f"{at}/parts", {"part": "social", "part_words": "no roof", "services": "vocational"}).status_code
        == 303
    )
    given, key = f"{at}/services", str(uuid4())
    for form in ({"given": "referral", "service": ""}, {"given": "leaflet", "service": "legal_aid"}, {"given": "gold"}):
        assert nurse.post(given, form).status_code == 422
    for _ in range(2):
        assert nurse.post(given, {"given": "referral", "service": "legal_aid", "key": key}).status_code == 303
    assert nurse.post(given, {"given": "leaflet"}).headers["location"] == f"{at}?done=given"
    shown = nurse.get(at)
    assert "a referral · Legal aid" in text_of(shown)
    (back,) = [path for path in re.findall(rf'action="({at}/services/[^"]+)"', shown.text) if key in path]
    assert nurse.post(back, {"why": "never"}).headers["location"] == f"{at}?done=back"
    assert "taken back" in text_of(nurse.get(at))
    with database.reading() as session:
        left = text("SELECT given, service FROM intake_service WHERE voided_at IS NULL")
        assert [tuple(row) for row in session.execute(left)] == [("leaflet", "")]
    said = nurse.post(f"{at}/tell", {"days": "yes"}).headers["location"]
    assert "They were here on" in text_of(nurse.get(said))
    assert "intake 1: that they came" in text_of(here.doctor.get("/disclosure"))
    number = nurse.post(f"{at}/close", {"outcome": "enrolled", "number": "H9999"})
    assert (number.status_code, "No client of this site" in text_of(number)) == (422, True)
    client = here.enrolled("H9999", "Minh Tran")
    shown = nurse.post(f"{at}/close", {"outcome": "enrolled", "number": "h9999"})
    assert (shown.status_code, "Minh Tran" in text_of(shown)) == (200, True)
    sure = {"outcome": "enrolled", "number": "h9999", "meant": str(client)}
    assert nurse.post(f"{at}/close", sure).status_code == 303
    assert "no roof" in text_of(nurse.get(f"/care/intakes/of/{client}"))
    assert "no roof" not in text_of(nurse.get(at))
    assert nurse.get(f"/care/intakes/{uuid4()}").status_code == 404
    assert here.acts_about(client)[-2:] == ["came by intake", "looked at"]
