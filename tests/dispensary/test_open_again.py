"""What was entered in error about care is taken back once, with a reason; it is open again and counts nowhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.linkage import steps_of
from dispensary.care.referral_models import Outcome, Referral
from dispensary.care.referrals import waiting_referrals
from dispensary.care.reopening import reopen_plan, reopen_referral, reopen_visit, take_mark_back
from dispensary.care.rounds import called_off_on, not_written_down, round_of
from dispensary.care.session_models import PlanBegun, PlanSession, SessionState
from dispensary.care.sessions import end_plan
from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import call_visit_off
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contacts import contacts_of
from dispensary.clients.taken_back import taken_back_of
from dispensary.clients.taken_back_models import EntryTakenBack
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, WriteSession
from dispensary.refusals import NotAllowed, NotThere, Refused
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures
from tests.dispensary.test_referrals import closed, open_tasks, sent
from tests.dispensary.test_sessions import begun, marked, sessions
from tests.dispensary.test_visits import agreed, ended, planned


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return place.client()


def does(place: Clinic, act: Callable[[WriteSession], object]) -> None:
    with place.database.writing() as session:
        act(session)


def together(place: Clinic, act: Callable[[WriteSession], object], hands: int = 6) -> None:
    """Many press in the same moment, and nobody is refused."""
    with ThreadPoolExecutor(hands) as pool:
        list(pool.map(lambda _: does(place, act), range(hands)))


def rows(place: Clinic) -> list[EntryTakenBack]:
    with place.database.reading() as session:
        return list(session.scalars(select(EntryTakenBack)))


def acts(place: Clinic, client: ClientId, act: str) -> int:
    with place.database.reading() as session:
        return len(
            session.scalars(select(AuditEntry).where(AuditEntry.subject_id == client, AuditEntry.act == act)).all()
        )


def at_desk(place: Clinic) -> Actor:
    return replace(place.doctor, roles=frozenset({Role.RECEPTION}))


class TestAReferral:
    def back(
        self,
        place: Clinic,
        client: ClientId,
        referral: Referral,
        seen: datetime | None = None,
        actor: Actor | None = None,
    ) -> Callable[[WriteSession], object]:
        moment = seen or referral.closed_at
        assert moment is not None
        return lambda session: reopen_referral(
            session,
            actor=actor or place.doctor,
            client_id=client,
            referral_id=referral.id,
            seen=moment,
            why=Wrong.ANOTHER,
            at=place.now,
        )

    def test_is_open_again_and_counts_as_it_was_known(self, place: Clinic, client: ClientId) -> None:
        done = closed(place, client, sent(place, client), Outcome.ATTENDED, 0)
        assert open_tasks(place) == []
        before = place.now
        assert figures(asked(place, "referrals"))["attended"] == ("1", "1")
        place.now += timedelta(hours=1)
        together(place, self.back(place, client, done))
        assert len(rows(place)) == 1
        assert acts(place, client, "took outcome of referral back") == 1
        assert open_tasks(place) == ["Ask whether they went to Puskesmas Tebet (hepatitis c)"]
        with place.database.reading() as session:
            soon = place.today + timedelta(days=14)
            assert [each.id for each in waiting_referrals(session, site_id=place.site_id, until=soon)] == [done.id]
            assert steps_of(session, client_id=client) == []
            (taken,) = taken_back_of(session, client_id=client)[done.id]
        assert (taken.was, taken.why, taken.at) == ("attended", Wrong.ANOTHER, place.now)
        assert figures(asked(place, "referrals"))["attended"] == ("0", "1")
        assert figures(asked(place, "referrals"))["known"] == ("0", "1")
        assert figures(asked(place, "referrals", as_of=before))["attended"] == ("1", "1")
        place.now += timedelta(hours=1)
        again = closed(place, client, done, Outcome.NOT_ATTENDED)
        assert (again.outcome, open_tasks(place)) == ("not_attended", [])
        assert figures(asked(place, "referrals", as_of=before))["attended"] == ("1", "1")
        assert figures(asked(place, "referrals"))["known"] == ("1", "1")

    def test_a_page_of_before_takes_back_nothing_that_came_after(self, place: Clinic, client: ClientId) -> None:
        done = closed(place, client, sent(place, client), Outcome.NOT_ATTENDED)
        first = done.closed_at
        does(place, self.back(place, client, done))
        place.now += timedelta(minutes=5)
        closed(place, client, done, Outcome.WITHDRAWN)
        with pytest.raises(Refused, match="since this page was opened"):
            does(place, self.back(place, client, done, seen=first))

    def test_stays_closed_where_they_were_referred_there_again(self, place: Clinic, client: ClientId) -> None:
        done = closed(place, client, sent(place, client), Outcome.NOT_ATTENDED)
        sent(place, client, place="puskesmas TEBET")
        with pytest.raises(Refused, match="referred there"):
            does(place, self.back(place, client, done))

    def test_is_nobody_elses(self, place: Clinic, client: ClientId) -> None:
        done = closed(place, client, sent(place, client), Outcome.ATTENDED, 0)
        elsewhere = clinic(place.database, place.now, code="KLG")
        for whose, actor in ((place.client(), place.doctor), (client, elsewhere.doctor)):
            with pytest.raises(NotThere):
                does(place, self.back(place, whose, done, actor=actor))
        with pytest.raises(NotAllowed):
            does(place, self.back(place, client, done, actor=at_desk(place)))
        assert rows(place) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE referral SET outcome = '', attended_on = NULL, closed_at = NULL, closed_by = NULL",
            "UPDATE entry_taken_back SET why = 'never'",
            "DELETE FROM entry_taken_back",
            "TRUNCATE entry_taken_back",
        ],
    )
    def test_postgresql_opens_nothing_of_which_no_row_says_why(
        self, place: Clinic, client: ClientId, statement: str
    ) -> None:
        done = closed(place, client, sent(place, client), Outcome.ATTENDED, 0)
        does(place, self.back(place, client, done))
        place.now += timedelta(minutes=5)
        closed(place, client, done, Outcome.ATTENDED, 0)
        with pytest.raises(IntegrityError):
            does(place, lambda session: session.execute(text(statement)))


class TestAVisit:
    def back(self, place: Clinic, visit: UUID, actor: Actor | None = None) -> Callable[[WriteSession], object]:
        with place.database.reading() as session:
            seen = session.get_one(HomeVisit, visit).ended_at
        assert seen is not None
        return lambda session: reopen_visit(
            session, actor=actor or place.doctor, visit_id=visit, seen=seen, why=Wrong.ANOTHER, at=place.now
        )

    def test_is_planned_again_and_its_contact_counts_nowhere(self, place: Clinic) -> None:
        client, key = agreed(place), uuid4()
        visit = planned(place, client)
        ended(place, visit, key=key)
        before = place.now
        assert figures(asked(place, "home-visits"))["met"] == ("1", "1")
        assert figures(asked(place, "contacts"))["contacts"] == ("1", "None")
        place.now += timedelta(minutes=1)
        together(place, self.back(place, visit))
        assert len(rows(place)) == 1
        now = figures(asked(place, "home-visits"))
        assert (now["met"], now["unknown"]) == (("0", "0"), ("1", "1"))
        assert figures(asked(place, "contacts"))["contacts"] == ("0", "None")
        assert figures(asked(place, "home-visits", as_of=before))["met"] == ("1", "1")
        assert figures(asked(place, "contacts", as_of=before))["contacts"] == ("1", "None")
        assert acts(place, client, "took visit back") == 1
        with place.database.reading() as session:
            assert contacts_of(session, client_id=client) == []
            (note,) = session.scalars(select(ContactNote))
            assert (note.voided_at, note.void_reason) == (place.now, "another")
            assert [row.visit.state for row in round_of(session, site_id=place.site_id, on=place.today)] == ["planned"]
        with pytest.raises(Refused, match="taken back since"):
            ended(place, visit, key=key)  # the form of before, sent again
        ended(place, visit, met=False)
        with place.database.reading() as session:
            assert [each.reached for each in contacts_of(session, client_id=client)] == [False]

    def test_that_was_called_off_waits_to_be_written_down(self, place: Clinic) -> None:
        client = agreed(place)
        visit = planned(place, client)
        does(place, lambda session: call_visit_off(session, actor=place.doctor, visit_id=visit, at=place.now))
        with place.database.reading() as session:
            (off,) = called_off_on(session, site_id=place.site_id, on=place.today)
        assert off.visit.id == visit
        other = planned(place, client)
        with pytest.raises(Refused, match="Another visit"):
            does(place, self.back(place, visit))
        does(place, lambda session: call_visit_off(session, actor=place.doctor, visit_id=other, at=place.now))
        place.move_on(1)
        does(place, self.back(place, visit))
        with place.database.reading() as session:
            late = not_written_down(session, site_id=place.site_id, before=place.today)
        assert [row.visit.id for row in late] == [visit]

    def test_that_was_called_off_is_not_planned_again_for_whoever_wants_none_or_has_died(self, place: Clinic) -> None:
        client = agreed(place)
        visit = planned(place, client, on=3)
        does(place, lambda session: call_visit_off(session, actor=place.doctor, visit_id=visit, at=place.now))
        agreed(place, agreed=False, client=client)
        with pytest.raises(Refused, match="not agreed to visits"):
            does(place, self.back(place, visit))
        agreed(place, client=client)
        with place.database.writing() as session:
            session.execute(text("UPDATE episode SET ended_on = :day, exit_reason = 'died'"), {"day": place.today})
        with pytest.raises(Refused):
            does(place, self.back(place, visit))
        assert rows(place) == []

    def test_is_taken_back_by_whoever_wrote_it_or_plans(self, place: Clinic) -> None:
        visit = planned(place, agreed(place))
        ended(place, visit)
        with pytest.raises(NotAllowed):
            does(place, self.back(place, visit, actor=at_desk(place)))
        elsewhere = clinic(place.database, place.now, code="KLG")
        with pytest.raises(NotThere):
            does(place, self.back(place, visit, actor=elsewhere.doctor))
        does(place, self.back(place, visit, actor=place.pharmacist))
        does(place, lambda session: call_visit_off(session, actor=place.doctor, visit_id=visit, at=place.now))
        with pytest.raises(NotAllowed):
            does(place, self.back(place, visit, actor=place.pharmacist))

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE home_visit SET state = 'planned', note_id = NULL, ended_at = NULL, ended_by = NULL",
            "UPDATE contact_note SET voided_at = now()",
            "UPDATE contact_note SET voided_at = now(), voided_by = account_id, void_reason = 'never', reached = false",
            "DELETE FROM contact_note",
        ],
    )
    def test_postgresql_holds_it_to_that(self, place: Clinic, statement: str) -> None:
        ended(place, planned(place, agreed(place)))
        with pytest.raises(IntegrityError):
            does(place, lambda session: session.execute(text(statement)))


class TestSessions:
    def unmarked(self, place: Clinic, client: ClientId, one: PlanSession) -> Callable[[WriteSession], object]:
        seen = one.marked_at
        assert seen is not None
        return lambda session: take_mark_back(
            session, actor=place.doctor, client_id=client, session_id=one.id, seen=seen, why=Wrong.NEVER, at=place.now
        )

    def goes_on(self, place: Clinic, client: ClientId, plan: UUID) -> Callable[[WriteSession], object]:
        with place.database.reading() as session:
            seen = session.get_one(PlanBegun, plan).ended_at
        assert seen is not None
        return lambda session: reopen_plan(
            session, actor=place.doctor, client_id=client, plan_id=plan, seen=seen, why=Wrong.MISTAKEN, at=place.now
        )

    def test_a_session_called_off_is_agreed_again(self, place: Clinic, client: ClientId) -> None:
        begun(place, client)
        first = marked(place, client, sessions(place, client)[0], SessionState.CALLED_OFF)
        before = place.now
        assert figures(asked(place, "sessions"))["agreed"] == ("0", "None")
        place.now += timedelta(minutes=1)
        together(place, self.unmarked(place, client, first))
        assert acts(place, client, "took mark of session back") == 1
        assert [each.state for each in sessions(place, client)] == ["planned"] * 3
        assert figures(asked(place, "sessions"))["agreed"] == ("1", "None")
        assert figures(asked(place, "sessions", as_of=before))["agreed"] == ("0", "None")

    def test_who_did_not_come_by_mistake_is_not_called(self, place: Clinic, client: ClientId) -> None:
        begun(place, client)
        first = marked(place, client, sessions(place, client)[0], SessionState.NOT_ATTENDED)
        assert len(open_tasks(place)) == 1
        does(place, self.unmarked(place, client, first))
        assert open_tasks(place) == []
        assert figures(asked(place, "sessions"))["unknown"] == ("1", "1")

    def test_a_plan_goes_on_with_what_ended_with_it_alone(self, place: Clinic, client: ClientId) -> None:
        plan = begun(place, client)
        one, two, three = sessions(place, client)
        marked(place, client, one, SessionState.ATTENDED)
        marked(place, client, three, SessionState.CALLED_OFF)
        place.now += timedelta(minutes=1)
        does(place, lambda session: end_plan(session, actor=place.doctor, client_id=client, plan_id=plan, at=place.now))
        ended_with_it = next(each for each in sessions(place, client) if each.id == two.id)
        with pytest.raises(Refused, match="plan has ended"):
            does(place, self.unmarked(place, client, ended_with_it))
        place.now += timedelta(minutes=1)
        together(place, self.goes_on(place, client, plan))
        assert acts(place, client, "took end of sessions back") == 1
        assert [each.state for each in sessions(place, client)] == ["attended", "planned", "called_off"]
        with place.database.reading() as session:
            assert session.get_one(PlanBegun, plan).ended_at is None
        assert sorted(each.was for each in rows(place)) == ["called_off", "ended"]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE session_plan SET ended_at = NULL, ended_by = NULL",
            "UPDATE plan_session SET state = 'planned', marked_at = NULL, marked_by = NULL",
        ],
    )
    def test_postgresql_holds_it_to_that(self, place: Clinic, client: ClientId, statement: str) -> None:
        plan = begun(place, client)
        does(place, lambda session: end_plan(session, actor=place.doctor, client_id=client, plan_id=plan, at=place.now))
        with pytest.raises(IntegrityError):
            does(place, lambda session: session.execute(text(statement)))

    def test_is_nobody_elses(self, place: Clinic, client: ClientId) -> None:
        plan = begun(place, client)
        first = marked(place, client, sessions(place, client)[0], SessionState.ATTENDED)
        does(place, lambda session: end_plan(session, actor=place.doctor, client_id=client, plan_id=plan, at=place.now))
        other = place.client()
        for act in (self.unmarked(place, other, first), self.goes_on(place, other, plan)):
            with pytest.raises(NotThere):
                does(place, act)
