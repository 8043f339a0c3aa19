"""Who stopped coming without ever having had a dose: by the first one that was ordered, or by what they missed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

import scheduling.queries
import scheduling.service
from dispensary.care.meetings import About, note_meeting
from dispensary.care.plans import plans, usual
from dispensary.care.session_models import PlanSession, SessionState
from dispensary.care.sessions import begin_plan, mark_session
from dispensary.clients.models import Episode
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import begin_episode, end_episode
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import Database
from dispensary.phone.caring import tell_stopped
from dispensary.staff.rules import Role
from dispensary.supplies.away import Away, Missed, who_is_away
from dispensary.units import ClientId
from dispensary.web.dosing_acts import hold
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.phones import line, week
from tests.dispensary.visiting import text_of


def later(here: Desks, days: int) -> None:
    """Days pass, and whoever has a seat signs in again."""
    here.days_pass(days)
    for name, visitor in here.seated.items():
        assert visitor.signs_in(name).status_code == 303


class TestWhoHasHadNoDose:
    """They stopped coming too: by what was ordered for them, and without an order by what they missed."""

    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    def away(self, here: Desks, least: int = 1) -> dict[ClientId, Away]:
        with here.database.reading() as session:
            found = who_is_away(session, site_id=here.place.site_id, today=here.today, least=least)
        return {each.client_id: each for each in found}

    def with_session(self, here: Desks, number: str) -> ClientId:
        client = here.enrolled(number)
        with here.database.writing() as session:
            begin_plan(
                session, actor=here.place.doctor, client_id=client, plan="before-sentence", first=here.today,
                at_time=None, minutes=45, chosen=usual(plans()["before-sentence"]), agreed=True, key=uuid4(),
                today=here.today, at=here.place.now,
            )  # fmt: skip
        return client

    def marked(self, here: Desks, client: ClientId, state: SessionState, seq: int = 1) -> None:
        with here.database.writing() as session:
            row = session.scalars(
                select(PlanSession).where(PlanSession.client_id == client, PlanSession.seq == seq)
            ).one()
            mark_session(
                session, actor=here.place.doctor, client_id=client, session_id=row.id, state=state, today=here.today,
                at=here.place.now,
            )  # fmt: skip

    def test_the_first_dose_that_they_never_had(self, here: Desks) -> None:
        never, tomorrow, dosed, withheld = (here.enrolled(f"F{no}") for no in range(4))
        nobody = here.enrolled("F9")
        for client in (never, dosed, withheld):
            here.ordered(client, "30")
        here.place.give(dosed)
        with here.database.writing() as session:
            hold(
                session, actor=here.place.doctor, client_id=withheld, from_day=here.today, until_day=None,
                reason="sleepy", today=here.today, at=here.place.now,
            )  # fmt: skip
        assert self.away(here) == {}
        here.days_pass(3)
        here.ordered(tomorrow, "30")
        found = self.away(here)
        assert set(found) == {never, dosed, withheld}
        assert nobody not in found, "who has nothing ordered and missed nothing is expected at nothing"
        first, later = found[never], found[dosed]
        assert (first.missed, first.days, first.ordered, first.held) == (Missed.FIRST_DOSE, 3, True, False)
        assert (later.missed, later.days) == (Missed.DOSE, 2)
        assert found[withheld].held
        here.place.give(never)
        assert never not in self.away(here)

    def test_of_a_new_stay_the_days_count_from_its_own_order(self, here: Desks) -> None:
        client = here.place.client()
        here.place.give(client)
        here.days_pass(1)
        with here.database.writing() as session:
            stay = session.scalars(select(Episode).where(Episode.client_id == client)).one()
            end_episode(
                session, actor=here.place.doctor, episode_id=stay.id, ended_on=here.today,
                reason=ExitReason.DROPPED_OUT, at=here.place.now,
            )  # fmt: skip
        here.days_pass(100)
        with here.database.writing() as session:
            begin_episode(
                session, actor=here.place.doctor, client_id=client, began_on=here.today, today=here.today,
                at=here.place.now,
            )  # fmt: skip
        assert self.away(here)[client].days == 100, "nothing is ordered yet"
        here.ordered(client, "30")
        assert client not in self.away(here)
        here.days_pass(4)
        assert (self.away(here)[client].missed, self.away(here)[client].days) == (Missed.FIRST_DOSE, 4)

    def test_a_session_until_they_come_to_anything(self, here: Desks) -> None:
        missed, moved_on, came, methadone = (self.with_session(here, f"S{no}") for no in range(4))
        for client in (missed, moved_on, methadone):
            self.marked(here, client, SessionState.NOT_ATTENDED)
        self.marked(here, came, SessionState.ATTENDED)
        here.ordered(methadone, "30")
        here.place.give(methadone)
        assert self.away(here) == {}, "today is not over"
        here.days_pass(1)
        here.place.give(methadone)
        found = self.away(here)
        assert {client: each.missed for client, each in found.items()} == {
            missed: Missed.SESSION, moved_on: Missed.SESSION,
        }, "who comes for their dose is not away"  # fmt: skip
        assert found[missed].days == 1
        with here.database.writing() as session:
            note_meeting(
                session, actor=here.place.doctor, about=About.SUPPORT, on=here.today, others=0, clients=[moved_on],
                key=uuid4(), today=here.today, at=here.place.now,
            )  # fmt: skip
        assert set(self.away(here)) == {missed}
        self.marked(here, missed, SessionState.CALLED_OFF)
        assert self.away(here) == {}, "it was corrected"

    def test_the_appointment_that_they_missed(self, here: Desks) -> None:
        client = here.enrolled("B1")
        with here.database.writing() as session:
            scheduling.service.set_hours(session, place_id=here.place.site_id, hours=week(), from_day=date(2026, 1, 1))
            starts_at = scheduling.queries.next_free(session, here.place.site_id, here.place.now, 1)[0].starts_at
            booking = scheduling.service.book(
                session, place_id=here.place.site_id, holder_id=client, starts_at=starts_at, now=here.place.now,
                channel="desk",
            )  # fmt: skip
            day = booking.day
            session.flush()
            session.execute(text("UPDATE booking SET state = 'missed' WHERE id = :id"), {"id": booking.id})
        here.days_pass((day - here.today).days + 3)
        found = self.away(here)[client]
        assert (found.missed, found.first_missed, found.days) == (Missed.APPOINTMENT, day, 3)

    def test_stand_on_the_list_told_apart_and_are_called_as_the_others(self, here: Desks) -> None:
        nurse = here.seat(Role.NURSE)
        client = self.with_session(here, "S1")
        never = here.enrolled("F1", "Mariam")
        here.ordered(never, "30")
        self.marked(here, client, SessionState.NOT_ATTENDED)
        later(here, 3)
        shown = text_of(nurse.get("/care/stopped?show=due"))
        assert "3 days, did not come to the session of" in shown
        assert "3 days, first dose ordered for" in shown
        page = text_of(nurse.get(f"/care/stopped/{client}"))
        assert "did not come to the session of" in page
        assert "order" not in page.split("Note a contact")[0].lower()
        assert "only the dose begins where it is safe" in text_of(nurse.get(f"/care/stopped/{never}"))
        form = {"how": "call", "reached": "yes", "came_of": "comes_back", "why": "work", "words": ""}
        assert nurse.post(f"/care/stopped/{client}/contacts", form).status_code == 303
        shown = text_of(nurse.get("/care/stopped?show=due"))
        assert "session of" not in shown
        assert "Mariam" in shown

    def test_are_written_to_by_their_wishes_alone(self, database: Database, now: datetime) -> None:
        here = line(database, now)
        clients = [here.client(), here.client()]
        with database.writing() as session:
            for client, wants in zip(clients, (True, False), strict=True):
                set_wishes(
                    session, actor=here.clinic.pharmacist, client_id=client, wishes=Wishes(missed=wants), at=here.at
                )
        for days, told in ((1.1, 1), (1.2, 0), (2.1, 0)):
            with database.writing() as session:
                assert tell_stopped(session, site=here.site, now=here.at + timedelta(days=days)) == told
