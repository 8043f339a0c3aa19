"""A policy that uses every word is followed from the office to the counter: asked, answered, decided, obeyed."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff.rules import Role
from dispensary.takehome.publishing import publish
from dispensary.takehome.queries import decisions_of, last_assessment
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.policy_documents import EVERYTHING
from tests.dispensary.visiting import text_of

ASKED = ("judged:ruled out", "judged:weighed", "judged:tests")


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    place = desks(database, now, tmp_path)
    with database.writing() as session:
        publish(session, document=EVERYTHING.replace("months_of_treatment = 1", "months_of_treatment = 0"), at=now)
    place.follow("EVERYTHING")
    return place


@pytest.fixture
def client(here: Desks) -> ClientId:
    """Somebody who came each day for a week and a day."""
    client = here.place.client()
    for _ in range(8):
        here.place.give(client)
        here.days_pass(1)
    return client


def page_of(here: Desks, client: ClientId, below: str = "/take-home") -> str:
    return here.doctor.get(f"/consulting/clients/{client}{below}").text


def assess(here: Desks, client: ClientId, **answers: str) -> str:
    form = {"circumstances": "asked", "lockbox": "yes", "housing_stable": "yes", "health_stable": "yes"}
    form |= {"judged:ruled out": "no", "judged:weighed": "yes", "judged:tests": "yes", **answers}
    assert here.doctor.post(f"/consulting/clients/{client}/assess", form).status_code == 303
    return text_of(here.doctor.get(f"/consulting/clients/{client}/take-home"))


def decide(here: Desks, client: ClientId, **typed: str) -> int:
    with here.database.reading() as session:
        assessed = last_assessment(session, client)
    assert assessed is not None
    form = {"assessment_id": str(assessed.id), "days_from": str(here.today), "naloxone": "given", **typed}
    return here.doctor.post(f"/consulting/clients/{client}/decide", form).status_code


def test_what_rules_out_is_asked_as_such_and_told_in_its_own_words(here: Desks, client: ClientId) -> None:
    page = page_of(here, client)
    assert all(f'name="{name}"' in page for name in ASKED)

    said = assess(here, client, **{"judged:ruled out": "yes"})

    assert "✕ holds Something rules the client out. rules out" in said
    assert "Once “ruled out” no longer holds: up to 2 a week, 1 in a row." in said
    assert "✓ does not hold" in assess(here, client)


def test_what_is_asked_at_most_is_shown_with_what_there_is(here: Desks, client: ClientId) -> None:
    said = assess(here, client)

    assert "Days on which a dose was withheld for intoxication, at most 2" in said


def test_days_in_a_row_are_proposed_by_the_policy_decided_and_obeyed_at_the_counter(
    here: Desks, client: ClientId
) -> None:
    assess(here, client)
    page = page_of(here, client)
    assert re.search(r'name="consecutive"[^>]*value="1"', page)
    assert decide(here, client, per_supply="2", per_week="2", consecutive="1", reason="tests say nothing else") == 303
    with here.database.reading() as session:
        (kept,) = decisions_of(session, client)
    assert (kept.consecutive, kept.closed_days_in_a_row, kept.differs) == (1, 2, False)

    counter = here.seat(Role.PHARMACIST).get(f"/counter/clients/{client}").text
    proposed = re.findall(r'name="take_home_days" value="([\d-]+)"', counter)
    assert proposed == [str(here.place.ahead(1)[0])]
    with pytest.raises(Refused) as refused:
        here.place.give(client, take_home_days=here.place.ahead(1, 2))
    assert refused.value.first.code == "take-home-consecutive"
    here.place.give(client, take_home_days=here.place.ahead(1))


@pytest.mark.parametrize(("per_week", "consecutive"), [("7", "5"), ("", "5"), ("6", "7"), ("6", "")])
def test_no_reason_lifts_what_the_law_that_a_policy_names_sets(
    here: Desks, client: ClientId, per_week: str, consecutive: str
) -> None:
    assess(here, client)

    typed = {"per_supply": "5", "per_week": per_week, "consecutive": consecutive, "reason": "works offshore"}

    assert decide(here, client, **typed) == 422
    assert decide(here, client, **{**typed, "per_week": "6", "consecutive": "6"}) == 303


def test_the_assessment_of_it_is_replayed_with_all_that_it_was_judged_by(here: Desks, client: ClientId) -> None:
    assess(here, client, children_at_home="yes", guardian="no", distance_km="12")
    with here.database.reading() as session:
        assessed = last_assessment(session, client)
    assert assessed is not None

    said = text_of(here.doctor.get(f"/consulting/clients/{client}/take-home/assessments/{assessed.id}"))

    assert "Judged again, it gives the same answer." in said
    assert "Children at home yes" in said
    assert "Kilometres from home 12" in said


def test_the_counter_reads_days_in_a_row_and_the_weekly_pattern(here: Desks, client: ClientId) -> None:
    assess(here, client)
    typed = {"per_supply": "2", "per_week": "2", "consecutive": "1", "weekdays": "5", "reason": "works on Saturdays"}
    assert decide(here, client, **typed) == 303

    pharmacist = here.seat(Role.PHARMACIST)

    assert "1 day in a row. Sat." in text_of(pharmacist.get(f"/counter/clients/{client}"))
    limits = pharmacist.get(f"/api/clients/{client}").json()["take_home"]
    assert (limits["consecutive"], limits["weekdays"]) == (1, [5])
