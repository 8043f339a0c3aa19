"""Outreach by a code or by nothing; how clients work and live over time; and the counts of both."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.corrections import met_of_late, take_met_back
from dispensary.care.outreach import Kind, Material, Met, Reached, note_met, reached_since
from dispensary.clients.life import life_of, note_life
from dispensary.clients.life_rules import Aspect, stands_for, words_of
from dispensary.clients.models import Client
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.measured import asked, figures
from tests.dispensary.visiting import text_of


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def met(at: Clinic, code: str = "", key: UUID | None = None, **other: object) -> None:
    said: dict[str, object] = {
        "on": at.today, "kind": Kind.OUTREACH, "place": "Jalan Chow Kit", "code": code, "services": (),
        "materials": {Material.NEEDLES: 10, Material.LEAFLETS: 1}, **other,
    }  # fmt: skip
    with at.database.writing() as session:
        note_met(
            session,
            actor=at.doctor,
            met=Met(**said),  # type: ignore[arg-type]
            key=key or uuid4(),
            today=at.today,
            at=at.now,
        )


class TestAContact:
    def test_counts_people_by_their_code_and_nobody_can_read_it(self, place: Clinic) -> None:
        key = uuid4()
        for _ in range(2):
            met(place, "ros 7", key)
        met(place, "ROS7", services=("hiv_test",), materials={Material.NEEDLES_BACK: 4})
        met(place, materials={})
        met(place, materials={})
        with place.database.reading() as session:
            reached = reached_since(session, site_id=place.site_id, since=place.today)
            assert reached == Reached(4, 3, {"needles": 10, "leaflets": 1, "needles_back": 4})
            assert not session.scalar(text("SELECT bool_or(code_digest::text LIKE '%ros%') FROM outreach_contact"))
        found = figures(asked(place, "outreach"))
        assert {key: found[key] for key in ("contacts", "people", "told", "needles", "needles_back")} == {
            "contacts": ("4", "None"), "people": ("3", "None"), "told": ("1", "3"), "needles": ("10", "None"),
            "needles_back": ("4", "None"),
        }  # fmt: skip

    def test_says_what_is_wrong_and_who_may(self, place: Clinic) -> None:
        with pytest.raises(BadInput) as refused:
            met(
                place,
                place=" ",
                on=place.today + timedelta(days=1),
                services=("dentist",),
                materials={Material.FOIL: 5001},
            )
        assert [each.field for each in refused.value.refusals] == ["place", "on_day", "services", "foil"]
        said = Met(place.today, Kind.EVENT, "Festival", "", (), {})
        with pytest.raises(NotAllowed), place.database.writing() as session:
            note_met(session, actor=place.pharmacist, met=said, key=uuid4(), today=place.today, at=place.now)
        met(place)
        for statement in ("DELETE FROM outreach_material", "UPDATE outreach_contact SET place = 'x'"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))

    def test_in_error_is_taken_back_with_what_was_handed_out_and_by_a_peer_worker_their_own(
        self, place: Clinic
    ) -> None:
        met(place)
        met(place, "ros 7", materials={Material.NEEDLES: 4})
        before = place.now
        place.now += timedelta(hours=1)
        with place.database.reading() as session:
            newest, _ = met_of_late(session, actor=place.doctor, today=place.today)
        peer = replace(place.pharmacist, roles=frozenset({Role.PEER_WORKER}))
        with place.database.reading() as session:
            assert met_of_late(session, actor=peer, today=place.today) == []
        with pytest.raises(NotThere), place.database.writing() as session:
            take_met_back(session, actor=peer, contact_id=newest.id, why=Wrong.TWICE, at=place.now)
        for _again in range(2):
            with place.database.writing() as session:
                take_met_back(session, actor=place.doctor, contact_id=newest.id, why=Wrong.TWICE, at=place.now)
        with place.database.reading() as session:
            left = 10 if newest.materials == {"needles": 4} else 4
            assert reached_since(session, site_id=place.site_id, since=place.today).materials["needles"] == left
            assert reached_since(session, site_id=place.site_id, since=place.today).contacts == 1
            marked = [each.back is not None for each in met_of_late(session, actor=place.doctor, today=place.today)]
            assert marked == [True, False]
        assert figures(asked(place, "outreach"))["needles"] == (str(left), "None")
        assert figures(asked(place, "outreach", as_of=before))["needles"] == ("14", "None")
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text("UPDATE outreach_contact SET voided_at = NULL, voided_by = NULL, void_reason = NULL"))


@given(aspect=some.sampled_from(Aspect), word=some.text(max_size=12))
def test_only_what_can_be_said_stands_for_something(aspect: Aspect, word: str) -> None:
    assert not (stands_for(aspect, word) and word not in words_of(aspect))


class TestALife:
    def said(
        self, place: Clinic, client: ClientId, aspect: Aspect, word: str, days: int, key: UUID | None = None
    ) -> None:
        with place.database.writing() as session:
            note_life(
                session,
                actor=place.doctor,
                client_id=client,
                aspect=aspect,
                word=word,
                from_day=place.today + timedelta(days=days),
                key=key or uuid4(),
                today=place.today,
                at=place.now,
            )

    def answers(self, place: Clinic, client: ClientId) -> tuple[bool | None, bool | None]:
        with place.database.reading() as session:
            row = session.get_one(Client, client)
            return row.employed, row.housing_stable

    def test_the_newest_day_answers_the_question_of_take_home(self, place: Clinic) -> None:
        client, key = place.client(), uuid4()
        assert self.answers(place, client) == (None, None)
        for _ in range(2):
            self.said(place, client, Aspect.WORK, "looking", -10, key)
        assert self.answers(place, client) == (False, None)
        self.said(place, client, Aspect.WORK, "daily", 0)
        self.said(place, client, Aspect.WORK, "none", -400)
        self.said(place, client, Aspect.HOUSING, "friends", -3)
        assert self.answers(place, client) == (True, False)
        with place.database.reading() as session:
            assert [each.word for each in life_of(session, client_id=client, aspect=Aspect.WORK)] == [
                "daily",
                "looking",
                "none",
            ]
        for word, days in (("street", 0), ("daily", 1)):
            with pytest.raises(BadInput):
                self.said(place, client, Aspect.WORK, word, days)

    def test_who_came_into_work_is_counted_once_and_not_who_worked_before(self, place: Clinic) -> None:
        begins, worked, nothing = (place.client() for _ in range(3))
        for word, days in (("looking", -300), ("studying", -5), ("employed", -2)):
            self.said(place, begins, Aspect.WORK, word, days)
        for word, days in (("own", -3000), ("employed", -4)):
            self.said(place, worked, Aspect.WORK, word, days)
        self.said(place, nothing, Aspect.WORK, "unable", -4)
        assert figures(asked(place, "employment"))["into_work"] == ("1", "None")


def test_the_pages(database: Database, now: datetime, tmp_path: Path) -> None:
    here: Desks = desks(database, now, tmp_path)
    peer, nurse = here.seat(Role.PEER_WORKER), here.seat(Role.NURSE)
    wrong = peer.post("/care/outreach", {"on_day": day(0, here), "kind": "event", "place": "", "needles": "many"})
    assert (wrong.status_code, 'value="many"' in wrong.text) == (422, True)
    right = {"on_day": day(0, here), "kind": "event", "place": "Festival", "needles": "40", "services": ["sti", "art"]}
    assert peer.post("/care/outreach", right).headers["location"] == "/care/outreach?done=noted"
    page = peer.get("/care/outreach")
    assert "40 Needles" in text_of(page)
    (back,) = re.findall(r'action="(/care/outreach/back/[^"]+)"', page.text)
    assert peer.post(back, {"why": "so"}).status_code == 422
    assert peer.post(back, {"why": "mistaken"}).headers["location"] == "/care/outreach?done=back"
    assert "Something in it is wrong" in text_of(peer.get("/care/outreach"))
    assert "40 Needles" not in text_of(peer.get("/care/outreach"))
    client = here.place.client()
    at = f"/care/life/{client}"
    refused = nurse.post(at, {"aspect": "work", "word": "", "from_day": day(-3, here)})
    assert (refused.status_code, f'value="{day(-3, here)}"' in refused.text) == (422, True)
    assert nurse.post(at, {"aspect": "work", "word": "employed", "from_day": day(-3, here)}).status_code == 303
    shown = text_of(nurse.get(at))
    assert "employed , since" in shown or "employed, since" in shown
    assert "Work and home" in text_of(nurse.get(f"/consulting/clients/{client}"))
