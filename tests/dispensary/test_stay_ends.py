"""What the end of a stay calls off, each on the trail, and that its page says so before and after."""

from __future__ import annotations

import io
import re
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import select

import scheduling.service
from dispensary.care.session_models import PlanBegun
from dispensary.care.sessions import plans_of, sessions_until
from dispensary.care.visit_models import HomeVisit
from dispensary.clients.models import Client
from dispensary.clients.rules import ExitReason
from dispensary.database import Database
from dispensary.phone import offers
from dispensary.staff.models import AuditEntry
from dispensary.staff.queries import place as site_place
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from scheduling.models import Booking, BookingState
from scheduling.waiting_models import Standing, Wait
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.phones import KL, Line, line, week
from tests.dispensary.stays import back, days_go_by, done, left, met, queued, texts_to, waiting_texts
from tests.dispensary.visiting import text_of

ALIVE = [each for each in ExitReason if not each.comes_no_more]
GONE = [each for each in ExitReason if each.comes_no_more]


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    return line(database, now)


class TestTheEndOfAStay:
    @pytest.mark.parametrize("reason", list(ExitReason))
    def test_calls_off_visits_bookings_and_weekly_times_each_on_the_trail(self, here: Line, reason: ExitReason) -> None:
        client = met(here)
        full = here.clinic.today + timedelta(days=6)
        for hour in range(7, 10):
            for minute in (0, 15, 30, 45):
                here.fill(datetime.combine(full, time(hour, minute), tzinfo=KL))
        done(here, lambda s: offers.ask_for(
            s, day=full, actor=here.clinic.doctor, site=here.site, client_id=client, at=here.at
        ))  # fmt: skip
        left(here, client, reason)
        with here.database.reading() as session:
            assert set(session.scalars(select(HomeVisit.state))) == {"called_off"}
            booked = select(Booking.state).where(Booking.holder_id == client)
            assert set(session.scalars(booked)) == {BookingState.DROPPED}
            assert session.scalars(select(Standing.until_day)).all() == [here.clinic.today]
            assert session.scalars(select(Wait.state)).all() == ["withdrawn"]
            acts = session.scalars(
                select(AuditEntry.act).where(AuditEntry.subject_id == client).order_by(AuditEntry.seq)
            ).all()
        since = acts[acts.index("ended episode") :]
        assert since.count("called off visit") == 3
        for act in ("ended sessions", "ended weekly times", "dropped", "left the waiting list"):
            assert since.count(act) == 1, act
        told = {"regular_ended", "booking_dropped"} & waiting_texts(here, client)
        assert told == (set() if reason.comes_no_more else {"regular_ended", "booking_dropped"})
        had = texts_to(here, client)
        days_go_by(here, 30)
        assert texts_to(here, client) == had, "nothing is left to remind of"

    def test_leaves_a_visit_of_a_day_that_is_over_to_be_written_down(self, here: Line) -> None:
        """Also where the stay ended before that day: somebody may have been there."""
        client = met(here)
        here.clinic.move_on(5)
        left(here, client, ExitReason.DROPPED_OUT, ended_on=here.clinic.today - timedelta(days=2))
        with here.database.reading() as session:
            states = session.scalars(select(HomeVisit.state).order_by(HomeVisit.on_day)).all()
        assert states == ["planned", "planned", "called_off"]

    @pytest.mark.parametrize("reason", ALIVE)
    def test_lets_sessions_go_on_where_they_want_them(self, here: Line, reason: ExitReason) -> None:
        client = met(here)
        left(here, client, reason, sessions_go_on=True)
        days_go_by(here, 2)
        with here.database.reading() as session:
            assert session.scalars(select(PlanBegun.ended_at)).one() is None
            assert not plans_of(session, client_id=client)[0].over
            tomorrow = here.clinic.today + timedelta(days=1)
            (meets,) = sessions_until(session, site_id=here.clinic.site_id, until=tomorrow)
            assert meets.client_id == client
        found = waiting_texts(here, client)
        assert "meeting_reminder" in found
        assert not found & {"booking_reminder", "missed_today", "caring", "review_due"}

    @pytest.mark.parametrize("reason", GONE)
    def test_ends_them_at_death_and_in_prison_whatever_was_ticked(self, here: Line, reason: ExitReason) -> None:
        client = met(here)
        left(here, client, reason, sessions_go_on=True)
        with here.database.reading() as session:
            assert session.scalars(select(PlanBegun.ended_at)).one() == here.clinic.now
        days_go_by(here, 2)
        assert "meeting_reminder" not in waiting_texts(here, client)

    def test_takes_back_what_waits_of_treatment_and_leaves_what_is_theirs_to_know(self, here: Line) -> None:
        client = met(here)
        for kind in ("booking_reminder", "meeting_reminder", "review_due", "closure", "collected"):
            assert queued(here, client, kind, kind)
        left(here, client, ExitReason.COMPLETED, sessions_go_on=True)
        found = waiting_texts(here, client)
        assert {"meeting_reminder", "closure", "collected"} <= found
        assert not {"booking_reminder", "review_due"} & found

    def test_reminds_nobody_of_a_booking_who_is_not_in_treatment(self, here: Line) -> None:
        client = here.client()
        left(here, client, ExitReason.DROPPED_OUT)
        tomorrow = here.clinic.today + timedelta(days=1)
        here.book(client, datetime.combine(tomorrow, time(8), tzinfo=KL))
        days_go_by(here, 0)
        assert "booking_reminder" not in waiting_texts(here, client)
        back(here, client)
        days_go_by(here, 0)
        assert "booking_reminder" in waiting_texts(here, client)

    def test_keeps_a_visit_of_a_day_before_it_to_be_written_down(self, here: Line) -> None:
        client = met(here)
        here.clinic.move_on(1)
        left(here, client, ExitReason.DIED)
        with here.database.reading() as session:
            states = dict(session.execute(select(HomeVisit.on_day, HomeVisit.state)).all())
        assert states.pop(here.clinic.today - timedelta(days=1)) == "planned"
        assert set(states.values()) == {"called_off"}


class TestThePage:
    @pytest.fixture
    def at(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        found = desks(database, now, tmp_path)
        with database.writing() as session:
            scheduling.service.set_hours(session, place_id=found.place.site_id, hours=week(), from_day=date(2026, 1, 1))
        return found

    def test_says_before_and_after_what_is_called_off_and_keeps_it_in_sight_when_it_was_an_error(
        self, at: Desks, database: Database
    ) -> None:
        with database.reading() as session:
            here = Line(at.place, site_place(session, at.place.site_id), at.place.now)
        client = met(here)
        page = f"/consulting/clients/{client}"
        before = text_of(at.doctor.get(page))
        called = (
            "Visit at home", "3 sessions from Wed 25 Nov on", "Every week Thu 09:00", "Booking",
        )  # fmt: skip
        asked = before.split("This will be called off:")[1]
        for each in (*called, "let them write down first", "The sessions go on"):
            assert each in asked, each
        assert "Called off when the stay ended" not in before
        ends = {"ended_on": day(0, at), "exit_reason": "died"}
        kept = at.doctor.post(f"{page}/end", {**ends, "exit_reason": "", "sessions_go_on": "yes"})
        assert kept.status_code == 422
        assert re.search(r'name="sessions_go_on" value="yes" checked', kept.text), "what was ticked stays ticked"
        assert at.doctor.post(f"{page}/end", ends).headers["location"] == f"{page}?done=ended"

        nurse = at.seat(Role.NURSE)
        for reader in (at.doctor, nurse):
            after = text_of(reader.get(page)).split("Called off when the stay ended")[1]
            for each in called:
                assert each in after, each
        assert client_number(at, client) not in text_of(nurse.get("/care"))
        for days in range(31):
            assert "Nobody is visited on this day." in text_of(nurse.get(f"/care/visits?on={day(days, at)}"))
        paper = nurse.get(f"/care/visits/route.pdf?on={day(0, at)}")
        words = "".join(each.extract_text() for each in PdfReader(io.BytesIO(paper.content)).pages)
        assert client_number(at, client) not in words
        refused = nurse.post(
            "/care/visits",
            {
                "number": client_number(at, client),
                "visitor_id": str(at.place.pharmacist.account_id),
                "on_day": day(4, at),
                "purpose": "look",
            },
        )
        assert "On record they have died." in text_of(refused)

        assert nurse.post(f"{page}/begin", {"began_on": day(0, at), "route": ""}).status_code == 303
        again = text_of(nurse.get(page))
        for each in called:
            assert each in again.split("Called off when the stay ended")[1], each
        planned = nurse.post(
            "/care/visits",
            {
                "number": client_number(at, client),
                "visitor_id": str(at.place.pharmacist.account_id),
                "on_day": day(4, at),
                "purpose": "look",
            },
        )
        assert planned.headers["location"].endswith("done=planned")
        assert client_number(at, client) in text_of(nurse.get(f"/care/visits?on={day(4, at)}"))
        at.days_pass(31)
        assert nurse.signs_in("nurse").status_code == 303
        assert "Called off when the stay ended" not in text_of(nurse.get(page))

    def test_asks_nothing_where_nothing_is_planned(self, at: Desks) -> None:
        client = at.place.client()
        page = f"/consulting/clients/{client}"
        assert "This will be called off" not in text_of(at.doctor.get(page))
        at.doctor.post(f"{page}/end", {"ended_on": day(0, at), "exit_reason": "completed"})
        assert "Called off" not in text_of(at.doctor.get(page))


def client_number(at: Desks, client: ClientId) -> str:
    with at.database.reading() as session:
        return session.get_one(Client, client).number
