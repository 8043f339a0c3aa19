"""Why a record is opened: asked where it is unusual, once a day, and never of whoever is on the day's list."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from dispensary.database import Database
from dispensary.looks.models import LookReason
from dispensary.looks.rules import Standing, Thresholds, Why, asked_why, fault_of, many
from dispensary.prescribing.service import stop_order
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.guest_place import two_sites
from tests.dispensary.visiting import text_of

NOBODY_TODAY = Standing()


@pytest.mark.parametrize(
    ("standing", "at_counter", "asked"),
    [
        (NOBODY_TODAY, False, [Why.NOT_TODAY]),
        (NOBODY_TODAY, True, [Why.NOT_TODAY]),
        (Standing(here=True), False, []),
        (Standing(due=True), False, []),
        (Standing(open=True), False, []),
        (Standing(recent=True), False, []),
        (Standing(mine=True), False, []),
        (Standing(home=False), False, [Why.OTHER_SITE]),
        (Standing(home=False, guest=True, due=True), True, []),
        (Standing(home=False, guest=True), True, []),
        (Standing(watched=True), False, [Why.NOT_TODAY, Why.WATCHED]),
        (Standing(watched=True, due=True), False, [Why.WATCHED]),
        (Standing(watched=True, due=True), True, []),
        (Standing(watched=True, recent=True), True, [Why.WATCHED]),
        (Standing(watched=True, here=True), False, []),
        (Standing(watched=True, mine=True), False, []),
        (Standing(home=False, watched=True), False, [Why.OTHER_SITE, Why.WATCHED]),
    ],
)
def test_who_is_asked(standing: Standing, at_counter: bool, asked: list[Why]) -> None:
    assert list(asked_why(standing, at_counter=at_counter)) == asked


@pytest.mark.parametrize(
    ("reason", "words", "codes"),
    [
        ("phoned", "", []),
        ("emergency", "", []),
        ("other", "a letter of a hospital", []),
        ("other", "  ", ["reason-without-words"]),
        ("curious", "", ["no-reason"]),
        ("", "", ["no-reason"]),
        ("here", "x" * 501, ["too-long"]),
    ],
)
def test_what_is_a_reason(reason: str, words: str, codes: list[str]) -> None:
    assert [fault.code for fault in fault_of(reason, words)] == codes


@pytest.mark.parametrize(
    ("charts", "own", "of_role", "is_many"),
    [
        (40, [], [], False),
        (41, [], [], True),
        (100, [90, 80, 100], [], False),
        (100, [10, 12, 11], [], True),
        (100, [10, 12, 11], [60, 70, 50], False),
        (100, [], [20, 30, 25], True),
        (60, [20, 20, 20], [5], False),
        (61, [20, 20, 20], [5], True),
    ],
)
def test_when_charts_are_many(charts: int, own: list[int], of_role: list[int], is_many: bool) -> None:
    assert many(charts, own=own, of_role=of_role, thresholds=Thresholds()) is is_many


@pytest.fixture
def clinic(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def gone(clinic: Desks) -> ClientId:
    """Somebody whose order was stopped two months ago and who has not been here since."""
    client = clinic.place.client()
    with clinic.database.writing() as session:
        stop_order(
            session,
            actor=clinic.place.doctor,
            client_id=client,
            from_day=clinic.place.ahead(1)[0],
            reason="moved away",
            today=clinic.place.today,
            at=clinic.place.now,
        )
        session.execute(text("UPDATE alert SET resolved_at = opened_at, resolution = 'x' WHERE resolved_at IS NULL"))
    clinic.days_pass(60)
    return client


def page_of(client: ClientId) -> str:
    return f"/consulting/clients/{client}"


class TestTheQuestion:
    def test_it_comes_before_the_record_and_once_a_day(self, clinic: Desks, gone: ClientId) -> None:
        doctor = clinic.doctor
        asked = doctor.get(page_of(gone) + "?months=3")
        assert asked.status_code == 303
        question = doctor.get(asked.headers["location"])
        assert "Why do you open" in question.text
        assert "no booking, dose, task or alert here today" in text_of(question)
        assert "Ahmad" not in question.text, "the record is not shown before"
        assert clinic.acts_about(gone).count("looked at") == 0

        onward = re.search(r'name="onward" value="([^"]+)"', question.text)
        assert onward is not None
        answered = doctor.post(f"/looking/{gone}", {"onward": onward[1], "reason": "phoned"})
        assert answered.headers["location"] == page_of(gone) + "?months=3"
        assert doctor.get(page_of(gone)).status_code == 200
        assert doctor.get(page_of(gone) + "/health").status_code == 200

        with clinic.database.reading() as session:
            said = [
                (entry.act, entry.details)
                for entry in session.scalars(
                    select(AuditEntry).where(AuditEntry.subject_id == gone).order_by(AuditEntry.seq.desc()).limit(3)
                )
            ]
        assert said[2] == ("said why they look", '{"asked":["not-today"],"reason":"phoned","words":false}')
        assert ("looked at", '{"page":"client","reason":"phoned"}') in said
        clinic.clock.goes_on(days=1)
        assert doctor.get(page_of(gone)).status_code == 303, "another day, another reason"

    def test_somebody_elses_reason_is_not_mine(self, clinic: Desks, gone: ClientId) -> None:
        clinic.doctor.post(f"/looking/{gone}", {"reason": "here", "onward": "/"})
        assert clinic.doctor.get(page_of(gone)).status_code == 200
        assert clinic.seat(Role.NURSE).get(page_of(gone)).status_code == 303

    def test_another_reason_needs_words_which_are_sealed(self, clinic: Desks, gone: ClientId) -> None:
        refused = clinic.doctor.post(f"/looking/{gone}", {"reason": "other", "words": " ", "onward": page_of(gone)})
        assert "Say in a few words" in text_of(refused)
        clinic.doctor.post(f"/looking/{gone}", {"reason": "other", "words": "a hospital asks", "onward": page_of(gone)})
        with clinic.database.reading() as session:
            (row,) = session.scalars(select(LookReason))
            assert session.vault.open("look_reason.words", row.id, row.words_sealed) == "a hospital asks"
            trail = session.scalars(select(AuditEntry.details)).all()
        assert not [details for details in trail if "hospital" in details]
        assert clinic.doctor.get(page_of(gone)).status_code == 200

    def test_emergency_is_one_press_and_the_first_reason_of_the_day_stays(self, clinic: Desks, gone: ClientId) -> None:
        for reason in ("emergency", "phoned"):
            assert (
                clinic.doctor.post(f"/looking/{gone}", {"reason": reason, "onward": page_of(gone)}).status_code == 303
            )
        with clinic.database.reading() as session:
            assert session.scalars(select(LookReason.reason)).all() == ["emergency"]
        assert clinic.acts_about(gone).count("said why they look") == 1

    def test_it_leads_to_no_other_house(self, clinic: Desks, gone: ClientId) -> None:
        led = clinic.doctor.post(f"/looking/{gone}", {"reason": "here", "onward": "//evil.example"})
        assert led.headers["location"] == "/"

    def test_a_program_is_refused_by_code_and_says_why_in_a_request(self, clinic: Desks, gone: ClientId) -> None:
        refused = clinic.doctor.get(f"/api/clients/{gone}")
        assert (refused.status_code, refused.json()["code"]) == (428, "reason-needed")
        assert refused.json()["evidence"]["asked"] == ["not-today"]
        bad = clinic.doctor.send("POST", f"/api/clients/{gone}/reason", {"reason": "curious"})
        assert bad.status_code in (400, 422)
        said = clinic.doctor.send("POST", f"/api/clients/{gone}/reason", {"reason": "reviewing"})
        assert said.status_code == 204
        assert clinic.doctor.get(f"/api/clients/{gone}").status_code == 200
        nobody = clinic.doctor.send("POST", f"/api/clients/{clinic.place.site_id}/reason", {"reason": "here"})
        assert nobody.status_code == 404

    def test_a_form_that_was_posted_without_a_reason_shows_nothing(self, clinic: Desks, gone: ClientId) -> None:
        refused = clinic.doctor.post(page_of(gone) + "/holds", {"from_day": "x"})
        assert refused.status_code == 428
        assert "reason-needed" in refused.text
        assert "Ahmad" not in refused.text


class TestWhoIsNeverAsked:
    def test_whoever_is_on_the_days_list_is_usual_everywhere(self, clinic: Desks) -> None:
        client = clinic.place.client()
        clinic.days_pass(60)
        pharmacist = clinic.seat(Role.PHARMACIST)
        assert pharmacist.get(f"/counter/clients/{client}").status_code == 200
        assert clinic.doctor.get(page_of(client)).status_code == 200
        with clinic.database.reading() as session:
            assert session.scalars(select(LookReason.id)).all() == []

    def test_a_client_of_another_site_is_as_unknown_as_nobody(
        self, clinic: Desks, now: datetime, tmp_path: Path
    ) -> None:
        other = desks(clinic.database, now, tmp_path, code="SAT")
        theirs = other.place.client()
        for path in (page_of(theirs), f"/api/clients/{theirs}", f"/looking/{theirs}"):
            assert clinic.doctor.get(path).status_code == 404
        assert clinic.doctor.post(f"/looking/{theirs}", {"reason": "here", "onward": "/"}).status_code == 404

    def test_the_counter_asks_the_database_once_a_minute_at_most(self, clinic: Desks) -> None:
        client = clinic.place.client()
        pharmacist = clinic.seat(Role.PHARMACIST)
        asked: list[str] = []
        glance = type(clinic.database).glance

        def counted(self: Database, look: object) -> object:
            asked.append(look.__qualname__)  # type: ignore[attr-defined]
            return glance(self, look)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(clinic.database), "glance", counted)
            for _ in range(5):
                assert pharmacist.get(f"/counter/clients/{client}").status_code == 200
        assert sum("asked_of" in name for name in asked) == 1


class TestGuests:
    def test_a_guest_whose_stay_is_over_is_opened_for_a_reason(
        self, database: Database, now: datetime, tmp_path: Path
    ) -> None:
        sites = two_sites(database, now)
        client = sites.home.client()
        stay = sites.arrange(client, 0, 2)
        app = desks(database, now, tmp_path, code="X")
        there = Desks(database, sites.guest, app.app, app.clock)
        pharmacist = there.seat(Role.PHARMACIST)
        assert pharmacist.get(f"/counter/clients/{client}").status_code == 200
        sites.end(stay)
        app.clock.goes_on(days=40)
        pharmacist.signs_in("pharmacist")
        asked = pharmacist.get(f"/guests/{stay}")
        assert asked.status_code == 303
        assert "another site" in text_of(pharmacist.get(asked.headers["location"]))
