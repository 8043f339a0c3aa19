"""A programme's own schedules, offers and pathways: read as strictly as the shipped ones, published once, followed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.instrument_setting import set_instrument
from dispensary.care.offers import follow_pathway, opens
from dispensary.care.own_documents import pathways_there, plans_there, read_own
from dispensary.care.pathways import shipped
from dispensary.care.plans import plans, usual
from dispensary.care.screenings import screen, screening_of
from dispensary.care.sessions import begin_plan, plans_of
from dispensary.database import Database
from dispensary.documents import BadDocument
from dispensary.programmes.own_care import publish_care
from dispensary.refusals import BadInput, Refused
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic

SOURCED = {"source": "a test", "confidence": "source", "status": "active"}
PLAN = {"key": "four", "name": "Four talks", **SOURCED, "part": [{"times": [4, 4], "every_days": [7, 7]}]}
OFFER = {"key": "talks", "says": "Four talks", "kind": "session", "plans": ["four"]}
STEP = {"instrument": "srq20", "bands": ["positive"], "roles": ["doctor"], "offers": ["result", "talks"]}
PATHWAY = {"key": "own", "name": "Our own", **SOURCED, "step": [STEP]}
OWN: dict[str, list[dict[str, Any]]] = {"plan": [PLAN], "offer": [OFFER], "pathway": [PATHWAY]}


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"offer": [{**OFFER, "plans": ["five"]}]}, "begins by what there is"),
        ({"pathway": [{**PATHWAY, "step": [{**STEP, "bands": ["negative"]}]}]}, "information alone"),
        ({"pathway": [{**PATHWAY, "step": [{**STEP, "instrument": "ours"}]}]}, "no such instrument"),
        ({"pathway": [{**PATHWAY, "step": [{**STEP, "must": True}]}]}, "unknown field"),
        ({"plan": [{**PLAN, "key": "once"}]}, "plan once: the program has one of this key"),
        ({"plan": [PLAN, PLAN]}, "plan four: the key is there twice"),
        ({"plan": [{**PLAN, "minutes": "long"}]}, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(BadDocument, match=told):
        read_own({**OWN, **changed})


def test_they_stand_beside_those_that_come_with_the_program() -> None:
    schedules, pathways = read_own(OWN)
    assert set(schedules) == {*plans(), "four"}
    assert set(pathways.offers) == {*shipped().offers, "talks"}
    assert set(pathways.pathways) == {*shipped().pathways, "own"}


def test_one_that_was_published_is_never_edited(place: Clinic) -> None:
    for _ in range(2):
        with place.database.writing() as session:
            publish_care(session, tables=OWN, at=place.now)
    with place.database.writing() as session, pytest.raises(Refused, match="Another plan was published as “four”"):
        publish_care(session, tables={**OWN, "plan": [{**PLAN, "name": "Four walks"}]}, at=place.now)
    for statement in ("UPDATE care_document SET words = '{}'", "DELETE FROM care_document"):
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text(statement))
    with place.database.reading() as session:
        assert plans_there(session)["four"].name == "Four talks"
        assert pathways_there(session).offers["talks"].plans == ("four",)


def test_one_that_was_published_before_the_program_had_one_of_its_key_reads_as_it_did(place: Clinic) -> None:
    publish = text("INSERT INTO care_document (kind, key, words, published_at) VALUES ('plan', 'once', :words, now())")
    assert plans()["once"].name != "Our once"
    with place.database.writing() as session:
        session.execute(publish, {"words": json.dumps({**PLAN, "key": "once", "name": "Our once"})})
    with place.database.reading() as session:
        assert plans_there(session)["once"].name == "Our once"
        assert pathways_there(session).offers.keys() == shipped().offers.keys()


def test_a_site_follows_its_pathway_and_begins_its_schedule(place: Clinic) -> None:
    client = place.client()
    follow = {"actor": place.doctor, "pathway": "own", "reason": "ours", "at": place.now}
    with place.database.writing() as session, pytest.raises(BadInput, match="no such pathway"):
        follow_pathway(session, **follow)  # type: ignore[arg-type]
    with place.database.writing() as session:
        publish_care(session, tables=OWN, at=place.now)
        follow_pathway(session, **follow)  # type: ignore[arg-type]
        set_instrument(
            session, actor=place.doctor, key="srq20", used=True, every_months=None, positive_from=8,
            roles=[Role.DOCTOR], accreditation="", risk_role=Role.DOCTOR, reason="a test", at=place.now,
        )  # fmt: skip
        taken = screen(
            session, actor=place.doctor, client_id=client, instrument="srq20", taken_on=place.today, key=uuid4(),
            answers={f"q{n}": "yes" if n != 17 else "no" for n in range(1, 21)}, today=place.today, at=place.now,
        )  # fmt: skip
        found = screening_of(session, client_id=client, screening_id=taken.id).taken
        assert [each.key for each in opens(session, actor=place.doctor, taken=found)] == ["result", "talks"]
        begun = begin_plan(
            session, actor=place.doctor, client_id=client, plan="four", first=place.today, at_time=None, minutes=30,
            chosen=usual(plans_there(session)["four"]), agreed=True, key=uuid4(), today=place.today, at=place.now,
        )  # fmt: skip
        (running,) = plans_of(session, client_id=client)
    assert (begun.plan, running.plan and running.plan.name, len(running.sessions)) == ("four", "Four talks", 4)
