"""Who stopped coming: on the list by the site's days, texted once, called, visited by consent alone; welcome back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contact_rules import CameOf, FollowUp, How, Step, Why, step_due, text_due
from dispensary.clients.contacts import contacts_of, follow_up_of, set_follow_up, write_contact
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import Database
from dispensary.phone.caring import tell_stopped
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.stopped import without_dose
from dispensary.units import ClientId
from dispensary.web.dosing_acts import hold
from notifications.texts import CATALOGUES, render
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.phones import KL, Line, line
from tests.dispensary.visiting import text_of

ALL = FollowUp()


@pytest.mark.parametrize(
    ("days", "called", "visited", "reached", "wants", "due"),
    [
        (1, False, False, False, True, None),
        (3, False, False, False, True, Step.CALL),
        (6, True, False, False, True, None),
        (7, True, False, False, True, Step.VISIT),
        (7, True, False, False, False, None),
        (7, False, False, False, False, Step.CALL),
        (7, True, False, True, True, None),
        (30, True, True, False, True, None),
    ],
)
def test_what_is_due(days: int, called: bool, visited: bool, reached: bool, wants: bool, due: Step | None) -> None:
    assert step_due(ALL, days=days, called=called, visited=visited, reached=reached, wants_visits=wants) is due


@given(
    days=some.integers(1, 200),
    called=some.booleans(),
    reached=some.booleans(),
    figures=some.tuples(*[some.none() | some.integers(1, 60)] * 3),
)
def test_nobody_who_did_not_agree_is_visited_and_nobody_is_written_to_late(
    days: int, called: bool, reached: bool, figures: tuple[int | None, int | None, int | None]
) -> None:
    follow_up = FollowUp(*figures)
    due = step_due(follow_up, days=days, called=called, visited=False, reached=reached, wants_visits=False)
    assert due in (None, Step.CALL)
    if text_due(follow_up, days=days):
        assert follow_up.text_day is not None
        assert follow_up.text_day <= days


def test_the_text_is_short_and_names_nothing_in_any_language() -> None:
    for tag in CATALOGUES:
        body = render("caring", tag, {}, zone=KL)
        assert "1" in body
        assert len(body) <= 160


class TestAText:
    @pytest.fixture
    def here(self, database: Database, now: datetime) -> Line:
        return line(database, now)

    def away(self, here: Line, *, wants: bool = True) -> ClientId:
        client = here.client()
        here.clinic.give(client)
        with here.database.writing() as session:
            set_wishes(session, actor=here.clinic.pharmacist, client_id=client, wishes=Wishes(missed=wants), at=here.at)
        return client

    def told(self, here: Line, days: float) -> int:
        with here.database.writing() as session:
            return tell_stopped(session, site=here.site, now=here.at + timedelta(days=days))

    def test_goes_once_in_an_absence_to_whoever_wants_to_hear_it(self, here: Line) -> None:
        self.away(here)
        self.away(here, wants=False)
        assert self.told(here, 1.1) == 0, "today is not over"
        assert self.told(here, 1.99) == 0, "before the site opens, at seven"
        assert self.told(here, 2.1) == 1
        assert [self.told(here, days) for days in (2.2, 3.1, 6.1)] == [0, 0, 0]

    def test_is_answered_by_a_digit_that_asks_for_a_talk(self, here: Line) -> None:
        client = self.away(here)
        assert self.told(here, 2.1) == 1
        here.at += timedelta(days=2.2)
        assert "talk with you soon" in here.says(client, "1")

    def test_goes_again_in_the_next_absence_and_never_to_whoever_was_reached_or_is_withheld(self, here: Line) -> None:
        client, reached, held = self.away(here), self.away(here), self.away(here)
        with here.database.writing() as session:
            write_contact(
                session,
                actor=here.clinic.doctor,
                client_id=reached,
                reached=True,
                words="on the way",
                key=uuid4(),
                at=here.at + timedelta(days=1.5),
            )
            hold(
                session,
                actor=here.clinic.doctor,
                client_id=held,
                from_day=here.clinic.today + timedelta(days=1),
                until_day=None,
                reason="sleepy",
                today=here.clinic.today,
                at=here.at,
            )
        assert self.told(here, 2.1) == 1
        here.clinic.move_on(2)
        here.clinic.give(client)
        assert self.told(here, 2.2) == 0
        assert self.told(here, 4.1) == 1
        with here.database.reading() as session:
            assert session.scalars(text("SELECT recipient_id FROM message WHERE kind = 'caring'")).all() == [client] * 2

    def test_does_not_go_to_whoever_left_long_ago_nor_where_the_site_wants_none(self, here: Line) -> None:
        self.away(here)
        assert self.told(here, 20.1) == 0
        boss = Actor(here.clinic.doctor.account_id, here.site.id, frozenset({Role.ADMINISTRATOR}))
        with here.database.writing() as session:
            set_follow_up(session, actor=boss, days=FollowUp(None, 3, None), at=here.at)
        assert self.told(here, 2.1) == 0
        with here.database.writing() as session, pytest.raises(NotAllowed):
            set_follow_up(session, actor=here.clinic.doctor, days=FollowUp(), at=here.at)
        with here.database.reading() as session:
            assert follow_up_of(session, here.site.id) == FollowUp(None, 3, None)


class TestThePages:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    @pytest.fixture
    def away(self, here: Desks) -> ClientId:
        client = here.place.client()
        here.place.give(client)
        here.days_pass(5)
        return client

    def test_list_whom_nobody_has_called_until_somebody_has(self, here: Desks, away: ClientId) -> None:
        nurse = here.seat(Role.NURSE)
        shown = text_of(nurse.get("/care/stopped?show=uncalled"))
        assert "4 days without a dose" in shown
        assert "nobody has called" in shown
        at = f"/care/stopped/{away}"
        form = {"how": "call", "reached": "yes", "came_of": "comes_back", "why": "way", "words": "the bus fare"}
        assert nurse.post(f"{at}/contacts", form).headers["location"] == f"{at}?done=noted"
        assert "Everybody for whom it is time was called." in text_of(nurse.get("/care/stopped?show=uncalled"))
        page = text_of(nurse.get(at))
        assert "comes back; the way, or what it costs" in page
        assert "the bus fare" in page
        with here.database.reading() as session:
            (note,) = session.scalars(select(ContactNote))
            assert (note.how, note.came_of, note.why) == (How.CALL, CameOf.COMES_BACK, Why.WAY)
            assert b"bus" not in note.words_sealed
            assert contacts_of(session, client_id=away)[0].words == "the bus fare"
        assert here.acts_about(away)[-2:] == ["noted contact", "looked at"]
        with pytest.raises(IntegrityError, match="only ever added to"), here.database.writing() as session:
            session.execute(text("UPDATE contact_note SET why = ''"))

    def test_keep_what_was_typed_and_visit_nobody_who_did_not_agree(self, here: Desks, away: ClientId) -> None:
        nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}"
        refused = nurse.post(f"{at}/contacts", {"how": "visit", "reached": "no", "words": "rang twice"})
        assert refused.status_code == 409
        assert "They have not agreed to visits." in text_of(refused)
        assert 'value="rang twice"' in refused.text
        assert nurse.post(f"{at}/visits", {"agreed": "yes", "where": " "}).status_code == 422
        assert nurse.post(f"{at}/visits", {"agreed": "yes", "where": "Blue door, no uniform"}).status_code == 303
        assert nurse.post(f"{at}/contacts", {"how": "visit", "reached": "no", "words": ""}).status_code == 303
        assert nurse.post(f"{at}/visits", {"agreed": "no"}).status_code == 303
        page = text_of(nurse.get(at))
        assert "no visits" in page
        assert "Blue door" not in page

    def test_say_how_they_come_back_and_text_once(self, here: Desks, away: ClientId) -> None:
        doctor, at = here.doctor, f"/care/stopped/{away}"
        page = text_of(doctor.get(at))
        assert "They are welcome, today or any day." in page
        assert "Order again" in page
        assert "They get no texts" in text_of(doctor.post(f"{at}/text"))
        other = here.place.client()
        here.place.give(other)
        assert "They come" in text_of(doctor.get(f"/care/stopped/{other}"))
        assert doctor.post(f"/care/stopped/{other}/text").status_code == 404

    def test_the_office_sets_the_days(self, here: Desks, away: ClientId) -> None:
        boss = here.administrator
        assert boss.post("/office/care/follow-up", {"text_day": "0", "call_day": "3"}).status_code == 422
        form = {"text_day": "", "call_day": "10", "visit_day": ""}
        assert boss.post("/office/care/follow-up", form).headers["location"] == "/office/care?done=changed"
        assert 'value="10"' in boss.get("/office/care").text
        assert "Nobody has stopped coming." in text_of(here.doctor.get("/care/stopped"))


def test_an_order_that_ran_out_takes_nobody_off_the_list(database: Database, now: datetime, tmp_path: Path) -> None:
    here = desks(database, now, tmp_path)
    client = here.enrolled("K1")
    here.ordered(client, "40", until=here.today + timedelta(days=2))
    here.place.give(client)
    here.days_pass(6)
    with database.reading() as session:
        (away,) = without_dose(session, site_id=here.place.site_id, today=here.today, least=1)
    assert (away.days, away.mg, away.ruling(None)) == (5, None, None)
    assert "No order is in force" in text_of(here.doctor.get(f"/care/stopped/{client}"))


def test_somebody_who_was_not_reached_has_said_nothing(database: Database, now: datetime, tmp_path: Path) -> None:
    here = desks(database, now, tmp_path)
    client = here.place.client()
    for wrong in ({"reached": False, "came_of": CameOf.UNDECIDED, "words": ""}, {"reached": True, "words": " "}):
        with pytest.raises(BadInput), database.writing() as session:
            write_contact(
                session,
                actor=here.place.doctor,
                client_id=client,
                key=uuid4(),
                at=now,
                **wrong,  # type: ignore[arg-type]
            )
    with pytest.raises(Refused), database.writing() as session:
        write_contact(
            session,
            actor=here.place.doctor,
            client_id=client,
            reached=False,
            words="",
            key=uuid4(),
            at=now,
            how=How.VISIT,
        )
