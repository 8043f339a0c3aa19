"""Nobody is written to, visited, reminded or called who has died, and they are told of on no list."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.rounds import planned_ahead, round_of
from dispensary.care.sessions import sessions_until
from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import Purpose, plan_visit
from dispensary.clients.rules import ExitReason
from dispensary.clients.wishes import set_wishes
from dispensary.database import Database
from dispensary.phone import front_desk, offers, regulars, tasks
from dispensary.refusals import Refused
from notifications.texts import KINDS
from tests.dispensary.phones import KL, Line, line, listed, with_pin
from tests.dispensary.stays import EVERY_WISH, back, days_go_by, done, left, met, queued, texts_to, waiting_texts


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    return line(database, now)


class TestWhoHasDied:
    def test_is_written_to_no_more_whatever_the_text_would_be(self, here: Line) -> None:
        dead, living = here.client(), here.client()
        for client in (dead, living):
            done(here, lambda s, c=client: set_wishes(
                s, actor=here.clinic.doctor, client_id=c, wishes=EVERY_WISH, at=here.at
            ))  # fmt: skip
        before = {kind for kind in KINDS if queued(here, dead, kind, f"before:{kind}")}
        assert before == set(KINDS), "nothing but their death is in the way"
        left(here, dead, ExitReason.DIED)
        assert waiting_texts(here, dead) == set(), "what waited is taken back"
        assert {kind for kind in KINDS if queued(here, dead, kind, f"after:{kind}")} == set()
        assert {kind for kind in KINDS if queued(here, living, kind, f"after:{kind}:2")} == set(KINDS)
        with pytest.raises(IntegrityError, match="has not asked"), here.database.writing() as session:
            session.execute(
                text(
                    "INSERT INTO message SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(),"
                    " 'reason_key', 'behind', 'state', 'queued', 'recipient_id', CAST(:dead AS text)))).*"
                    " FROM message m LIMIT 1"
                ),
                {"dead": str(dead)},
            )
        back(here, dead)
        assert queued(here, dead, "news", "again"), "a death that was written down in error ends nothing for good"

    def test_gets_none_in_the_month_after_and_is_on_no_list_and_no_round(self, here: Line) -> None:
        dead, living = met(here), met(here)
        left(here, dead, ExitReason.DIED)
        had = {client: texts_to(here, client) for client in (dead, living)}
        days_go_by(here, 30)
        assert texts_to(here, dead) == had[dead]
        assert texts_to(here, living) > had[living] + 5, "whoever lives is reminded of all of it"
        today = here.clinic.today
        with here.database.reading() as session:
            site = here.clinic.site_id
            ahead = planned_ahead(session, site_id=site, after=today)
            assert [count for _, count in ahead] == [1, 1], "of the other alone"
            for days in range(31):
                day = today + timedelta(days=days)
                assert dead not in {row.visit.client_id for row in round_of(session, site_id=site, on=day)}
                assert dead not in {row.client_id for row in sessions_until(session, site_id=site, until=day)}
        for act in (
            lambda s: front_desk.book_for(s, starts_at=datetime.combine(today + timedelta(days=6), time(8), tzinfo=KL),
                actor=here.clinic.doctor, site=here.site, client_id=dead, at=here.at),
            lambda s: regulars.begin_for(s, weekdays=[1], clock=time(9), actor=here.clinic.doctor, site=here.site,
                client_id=dead, at=here.at),
            lambda s: offers.ask_for(s, day=today + timedelta(days=6), actor=here.clinic.doctor, site=here.site,
                client_id=dead, at=here.at),
            lambda s: plan_visit(s, actor=here.clinic.doctor, client_id=dead,
                visitor_id=here.clinic.pharmacist.account_id, on=today, purpose=Purpose.LOOK, today=today, at=here.at),
        ):  # fmt: skip
            with pytest.raises(Refused, match="have died"):
                done(here, act)

    def test_is_told_nothing_even_of_what_an_older_program_left_planned(self, here: Line) -> None:
        """Whoever died before this was called off with the stay: plans, visits and bookings still stand."""
        dead = met(here)
        with here.database.writing() as session:
            session.execute(
                text("UPDATE episode SET ended_on = :today, exit_reason = 'died' WHERE client_id = :dead"),
                {"today": here.clinic.today, "dead": dead},
            )
        had = texts_to(here, dead)
        days_go_by(here, 30)
        assert texts_to(here, dead) == had
        with here.database.reading() as session:
            assert session.scalar(select(func.count()).where(HomeVisit.state == "planned")) == 3, "as they stood"
            assert planned_ahead(session, site_id=here.clinic.site_id, after=here.clinic.today) == []
            for days in range(31):
                day = here.clinic.today + timedelta(days=days)
                assert round_of(session, site_id=here.clinic.site_id, on=day) == []
                assert sessions_until(session, site_id=here.clinic.site_id, until=day) == []

    def test_leaves_a_phone_that_is_a_strangers_or_the_others_who_share_it(self, here: Line) -> None:
        alone, shares = with_pin(here, here.client(), "4907"), here.client("+60123456789")
        other = here.client("+60123456789")
        assert "PIN" in here.says(alone, "WHEN")
        unknown = here.body(here.receives("+60199999999", "WHEN"))
        for dead in (alone, shares):
            left(here, dead, ExitReason.DIED)
        assert here.says(alone, "WHEN") == unknown != ""
        assert here.says(alone, "WHEN 4907") == unknown, "nor does their PIN open anything"
        assert "nothing booked" in here.says(other, "WHEN"), "the other is not asked for whom they write"

    def test_is_nobodys_call_at_reception(self, here: Line) -> None:
        client = here.client()
        done(here, lambda s: tasks.leave_task(
            s, cause=tasks.ASKS, client_id=client, site_id=here.clinic.site_id, at=here.at
        ))  # fmt: skip
        assert listed(here) == [(tasks.ASKS, client)]
        left(here, client, ExitReason.DIED)
        assert listed(here) == []
