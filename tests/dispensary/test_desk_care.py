"""The pages of care: a morning's list, asking, what it came to, on paper, and who is let do what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from dispensary.care.screening import Substance
from dispensary.care.screening_models import ScreeningTaken
from dispensary.database import Database
from dispensary.staff.models import Account
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_consents import taken
from tests.dispensary.visiting import Visitor, text_of
from tests.paper import words_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def nurse(here: Desks) -> Visitor:
    return here.seat(Role.NURSE)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


def srq(here: Desks, *yes: int, **other: str) -> dict[str, str]:
    said = {f"q{n}": "yes" if n in yes else "no" for n in range(1, 21)}
    return {**said, "taken_on": here.today.isoformat(), **other}


SET = {"used": "yes", "roles": ["doctor", "nurse"], "risk_role": "doctor", "reason": "our own study of 2025"}


def test_a_questionnaire_is_due_asked_kept_and_printed(here: Desks, nurse: Visitor, client: ClientId) -> None:
    due = {**SET, "instrument": "srq20", "every_months": "6", "positive_from": "8"}
    assert here.doctor.post("/care/setting/instruments", due).headers["location"] == "/care/setting?done=instrument"
    assert "our own study of 2025" in here.doctor.get("/care/setting").text
    at = f"/care/clients/{client}"
    assert f"{at}/ask/srq20" in nurse.get("/care").text
    assert "Topics" not in nurse.get(f"{at}/ask/phq9").text
    asked = nurse.get(f"{at}/ask/srq20").text
    assert "topics in the order of the form" in asked

    wrong = nurse.post(f"{at}/ask/srq20", srq(here, 1, 2, q3="", q9="maybe"))
    assert wrong.status_code == 422
    assert "2 answers are missing or wrong" in wrong.text
    assert wrong.text.count('value="yes" checked') == 2, "what was chosen is kept"

    kept = nurse.post(f"{at}/ask/srq20", srq(here, *range(1, 10), taken_on=day(-40, here)))
    result = nurse.get(kept.headers["location"])
    assert "SRQ-20: 9 points, positive from 8. Assess mental health." in text_of(result)
    assert nurse.get(f"{kept.headers['location']}/paper.pdf").content.startswith(b"%PDF")
    assert f"{at}/ask/srq20" not in nurse.get("/care").text, "it is not due any more"
    nurse.post(f"{at}/ask/srq20", srq(here, 1, 2))
    page = nurse.get(at).text
    assert 'id="course-srq20-title"' in page
    assert "2 · negative" in page

    back = nurse.post(f"{kept.headers['location']}/take-back", {"void_reason": ""})
    assert back.status_code == 422
    assert nurse.post(f"{kept.headers['location']}/take-back", {"void_reason": "another's paper"}).status_code == 303
    assert 'id="course-srq20-title"' not in nurse.get(at).text, "a line has two ends"
    assert "counted nowhere" in nurse.get(kept.headers["location"]).text
    acts = here.acts_about(client)
    assert acts.count("screened") == 2
    assert "took screening back" in acts


def test_a_risk_stands_on_the_result_the_page_and_the_doctors_list(
    here: Desks, nurse: Visitor, client: ClientId
) -> None:
    at = f"/care/clients/{client}"
    answers = {f"q{n}": "0" for n in range(1, 9)} | {"q9": "2", "taken_on": here.today.isoformat()}
    result = nurse.get(nurse.post(f"{at}/ask/phq9", answers).headers["location"]).text
    record = f"/consulting/clients/{client}"
    assert f'href="{at}"' in nurse.get(record).text
    for page in (
        result,
        nurse.get(at).text,
        here.doctor.get("/consulting").text,
        here.doctor.get(f"{record}/health").text,
    ):
        assert "thoughts of death or of hurting themselves" in page
    assert "Do not leave them alone" in result
    with here.database.reading() as session:
        (act,) = session.scalars(text("SELECT details FROM audit_entry WHERE act = 'screened'"))
    assert "phq9" in act
    assert "points" not in act


def test_assist_asks_of_what_was_used_and_of_nothing_else(here: Desks, nurse: Visitor, client: ClientId) -> None:
    at = f"/care/clients/{client}"
    page = nurse.get(f"{at}/ask/assist").text
    assert "tobacco_failed" not in page
    assert "opioids_failed" in page
    said = {f"{each}_ever": "no" for each in Substance} | {"injected": "no", "taken_on": here.today.isoformat()}
    said |= {"cannabis_ever": "yes", "cannabis_use": "weekly", "cannabis_concern": "no", "cannabis_cut_down": "no"}
    said |= {f"cannabis_{each}": "never" for each in ("craving", "problems", "failed")}
    result = nurse.get(nurse.post(f"{at}/ask/assist", said).headers["location"])
    assert "Cannabis: 4 points, moderate risk. Offer a brief intervention." in text_of(result)


def test_severity_is_for_the_accredited(here: Desks, nurse: Visitor, client: ClientId) -> None:
    severe = {**SET, "instrument": "assist", "accreditation": "Severity assessment"}
    assert here.doctor.post("/care/setting/instruments", severe).status_code == 303
    at = f"/care/clients/{client}"
    assert "accredited for “severity assessment”" in nurse.get(at).text
    assert nurse.get(f"{at}/ask/assist").status_code == 403
    with here.database.reading() as session:
        who = session.scalars(select(Account.id).where(Account.username == "nurse")).one()
    office = f"/office/staff/{who}"
    lacking = here.administrator.post(f"{office}/accreditations", {"kind": "severity assessment"})
    assert lacking.status_code == 422
    assert 'value="severity assessment"' in lacking.text
    paper = {"kind": "severity assessment", "seen": "DOH 114", "from_day": here.today.isoformat()}
    assert here.administrator.post(f"{office}/accreditations", paper).status_code == 303
    assert nurse.get(f"{at}/ask/assist").status_code == 200
    page = here.administrator.get(office).text
    end = page.split('action="/office/staff/', 1)[1] and page.split("/accreditations/", 1)[1].split("/end", 1)[0]
    assert here.administrator.post(f"{office}/accreditations/{end}/end").status_code == 303
    assert nurse.get(f"{at}/ask/assist").status_code == 403


def test_every_empty_form_prints_and_names_nobody(here: Desks, nurse: Visitor) -> None:
    listed = nurse.get("/care/instruments").text
    for key in ("assist", "dast10", "srq20", "cows", "phq9", "gad7", "top"):
        assert f"/care/instruments/{key}/paper.pdf" in listed
        assert nurse.get(f"/care/instruments/{key}/paper.pdf").content.startswith(b"%PDF")
    assert nurse.get("/care/instruments/cage/paper.pdf").status_code == 404
    assert nurse.post("/care/find", {"sought": "nobody"}).status_code == 200


def test_another_sites_client_and_anothers_screening_are_not_there(
    here: Desks, nurse: Visitor, client: ClientId
) -> None:
    kept = nurse.post(f"/care/clients/{client}/ask/srq20", srq(here)).headers["location"].rsplit("/", 1)[1]
    other = here.place.client()
    assert nurse.get(f"/care/clients/{other}/screenings/{kept}").status_code == 404
    assert nurse.post(f"/care/clients/{other}/screenings/{kept}/take-back", {"void_reason": "x"}).status_code == 404
    with here.database.reading() as session:
        assert session.scalars(select(ScreeningTaken.voided_at)).all() == [None]


def test_an_offer_and_a_session_are_written_down_as_they_are_said(
    here: Desks, nurse: Visitor, client: ClientId
) -> None:
    assert here.doctor.post("/care/setting/pathway", {"pathway": "who-assist", "why": " "}).status_code == 422
    assert here.doctor.post("/care/setting/pathway", {"pathway": "who-assist", "why": "WHO"}).status_code == 303
    at = f"/care/clients/{client}"
    answers = {f"q{n}": "2" for n in range(1, 8)} | {"taken_on": here.today.isoformat()}
    kept = nurse.post(f"{at}/ask/gad7", answers).headers["location"].rsplit("/", 1)[1]
    assert "An assessment of mental health" in nurse.get(at).text
    offered = {"what": "mental_health", "screening": kept}
    assert nurse.post(f"{at}/offers", {**offered, "answer": "perhaps"}).status_code == 422
    assert nurse.post(f"{at}/offers", {**offered, "answer": "open"}).status_code == 303
    assert "1 offer that they think about" in nurse.get("/care").text
    with here.database.reading() as session:
        (open_one,) = session.scalars(text("SELECT id FROM service_offer"))
    assert nurse.post(f"{at}/offers/{open_one}/answer", {"answer": "declined"}).status_code == 303
    assert "not wanted" in nurse.get(at).text
    assert "that they think about" not in nurse.get("/care").text

    plan = {"first": here.today.isoformat(), "minutes": "45", "times_1": "3", "every_1": "12"}
    refused = nurse.post(f"{at}/begin/before-sentence", {**plan, "at_time": "09:30"})
    assert refused.status_code == 422
    assert 'value="09:30"' in refused.text
    assert nurse.post(f"{at}/begin/before-sentence", {**plan, "agreed": "yes"}).status_code == 303
    assert nurse.get(f"{at}/begin/nothing").status_code == 404
    with here.database.reading() as session:
        first, second, third = session.scalars(text("SELECT id FROM plan_session ORDER BY seq"))
        plan_id = session.scalar(text("SELECT id FROM session_plan"))
    missed = {"state": "not_attended", "back": "day"}
    assert nurse.post(f"{at}/sessions/{first}/mark", missed).headers["location"] == "/care#sessions"
    assert "ask how they are" in nurse.get("/care").text
    assert nurse.post(f"{at}/sessions/{second}/mark", {"state": "attended"}).status_code == 422
    assert nurse.post(f"{at}/sessions/{second}/move", {"to": day(-1, here)}).status_code == 422
    assert nurse.post(f"{at}/sessions/{second}/move", {"to": day(2, here), "at_time": "10:00"}).status_code == 303
    assert nurse.post(f"{at}/plans/{plan_id}/end").status_code == 303
    with here.database.reading() as session:
        states = list(session.scalars(text("SELECT state FROM plan_session ORDER BY seq")))
    assert states == ["not_attended", "called_off", "called_off"]
    assert third is not None


def test_a_report_counts_sessions_by_consent_alone(here: Desks, nurse: Visitor, client: ClientId) -> None:
    at = f"/care/clients/{client}"
    plan = {"first": here.today.isoformat(), "minutes": "45", "times_1": "3", "every_1": "12", "agreed": "yes"}
    nurse.post(f"{at}/begin/before-sentence", plan)
    with here.database.reading() as session:
        first = session.scalar(text("SELECT id FROM plan_session ORDER BY seq LIMIT 1"))
    nurse.post(f"{at}/sessions/{first}/mark", {"state": "attended"})
    nurse.post(f"{at}/ask/srq20", srq(here, *range(1, 10)))
    told = f"/consulting/clients/{client}/disclosing"
    days = {"first": here.today.isoformat(), "last": here.today.isoformat()}
    assert nurse.post(f"{told}/progress.pdf", days).status_code == 409, "without a consent there is no report"
    consent = taken(here.place, client)
    words = words_of(nurse.post(f"{told}/progress.pdf", {**days, "on": str(consent.id)}).content)
    assert "came to 1 of 1 sessions that were agreed" in words
    for never in ("SRQ", "positive", "12 days", "Questionnaire"):
        assert never not in words
    with here.database.reading() as session:
        assert session.scalar(text("SELECT kinds FROM release")) == ["attendance"]
