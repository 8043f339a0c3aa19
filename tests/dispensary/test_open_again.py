"""What was entered in error about care is taken back once, with a reason; it is open again and counts nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.linkage import steps_of
from dispensary.care.meeting_models import GroupMeeting
from dispensary.care.meetings import (
    About,
    held_since,
    meetings_of,
    note_meeting,
    take_attendance_back,
    take_meeting_back,
)
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
from dispensary.clients.goals import assign, close_goal, goals_of, reopen_goal, set_goal, unassign
from dispensary.clients.legal_status import legal_status_of, note_legal_status, take_legal_status_back
from dispensary.clients.legal_status_rules import LegalStatus
from dispensary.clients.life import life_of, note_life, take_life_back
from dispensary.clients.life_rules import Aspect
from dispensary.clients.models import Client, ClientGoal
from dispensary.clients.taken_back import taken_back_of
from dispensary.clients.taken_back_models import EntryTakenBack
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, WriteSession
from dispensary.refusals import NotAllowed, NotThere, Refused
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.measured import asked, figures
from tests.dispensary.test_referrals import closed, open_tasks, sent
from tests.dispensary.test_sessions import begun, marked, sessions
from tests.dispensary.test_visits import agreed, ended, planned
from tests.dispensary.visiting import text_of


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return place.client()


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


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


class TestAGroup:
    def held(self, place: Clinic, *clients: ClientId, others: int = 2) -> UUID:
        key = uuid4()
        does(
            place,
            lambda session: note_meeting(
                session,
                actor=place.doctor,
                about=About.SUPPORT,
                on=place.today,
                clients=clients,
                others=others,
                key=key,
                today=place.today,
                at=place.now,
            ),
        )
        return key

    def counts(self, place: Clinic) -> tuple[int, int, int]:
        with place.database.reading() as session:
            found = held_since(session, site_id=place.site_id, since=place.today)
        return found.held, found.came, found.clients

    def test_one_who_was_not_there_is_taken_back_alone(self, place: Clinic, client: ClientId) -> None:
        other = place.client()
        meeting = self.held(place, client, other)
        assert self.counts(place) == (1, 4, 2)

        def back(session: WriteSession) -> None:
            take_attendance_back(
                session, actor=place.doctor, meeting_id=meeting, client_id=other, why=Wrong.ANOTHER, at=place.now
            )

        before = place.now
        place.now += timedelta(minutes=1)
        together(place, back)
        assert self.counts(place) == (1, 3, 1)
        assert figures(asked(place, "group-sessions"))["attended"] == ("1", "None")
        assert figures(asked(place, "group-sessions", as_of=before))["attended"] == ("2", "None")
        assert [acts(place, each, "took group attendance back") for each in (other, client)] == [1, 0]
        with place.database.reading() as session:
            (shown,) = meetings_of(session, actor=place.doctor)
        assert (shown.clients, shown.not_there, shown.people) == ([client], [other], 3)

    def test_all_of_it_is_taken_back_with_everybody(self, place: Clinic, client: ClientId) -> None:
        meeting = self.held(place, client)

        def back(session: WriteSession) -> None:
            take_meeting_back(session, actor=place.doctor, meeting_id=meeting, why=Wrong.TWICE, at=place.now)

        together(place, back)
        assert self.counts(place) == (0, 0, 0)
        assert figures(asked(place, "group-sessions"))["sessions"] == ("0", "None")
        assert acts(place, client, "took group attendance back") == 1
        with place.database.reading() as session:
            (shown,) = meetings_of(session, actor=place.doctor)
        assert shown.back is not None
        assert (shown.back.why, shown.people) == (Wrong.TWICE, 3)

    def test_is_nobody_elses(self, place: Clinic, client: ClientId) -> None:
        meeting = self.held(place, client)
        elsewhere = clinic(place.database, place.now, code="KLG")
        peer = replace(place.pharmacist, roles=frozenset({Role.PEER_WORKER}))
        for actor in (elsewhere.doctor, peer):
            with pytest.raises(NotThere), place.database.writing() as session:
                take_meeting_back(session, actor=actor, meeting_id=meeting, why=Wrong.TWICE, at=place.now)
        with pytest.raises(NotAllowed), place.database.writing() as session:
            take_meeting_back(session, actor=at_desk(place), meeting_id=meeting, why=Wrong.TWICE, at=place.now)
        with pytest.raises(NotThere), place.database.writing() as session:
            take_attendance_back(
                session, actor=place.doctor, meeting_id=meeting, client_id=place.client(), why=Wrong.TWICE, at=place.now
            )
        with place.database.reading() as session:
            assert session.get_one(GroupMeeting, meeting).voided_at is None

    def test_a_peer_worker_takes_back_that_their_own_client_came_and_nobody_elses_any_more(
        self, place: Clinic, client: ClientId
    ) -> None:
        peer = replace(place.pharmacist, roles=frozenset({Role.PEER_WORKER}))
        who = peer.account_id
        assert who is not None
        of: dict[str, Any] = {"actor": place.doctor, "account_id": who, "at": place.now}
        does(place, lambda session: assign(session, client_id=client, **of))
        key = uuid4()
        does(
            place,
            lambda session: note_meeting(
                session, actor=peer, about=About.SUPPORT, on=place.today, clients=[client], others=0, key=key,
                today=place.today, at=place.now,
            ),
        )  # fmt: skip

        def back(session: WriteSession) -> None:
            take_attendance_back(session, actor=peer, meeting_id=key, client_id=client, why=Wrong.NEVER, at=place.now)

        does(place, lambda session: unassign(session, client_id=client, **of))
        with pytest.raises(NotThere):
            does(place, back)
        assert self.counts(place) == (1, 1, 1)
        does(place, lambda session: assign(session, client_id=client, **of))
        does(place, back)
        assert self.counts(place) == (1, 0, 0)


class TestAGoal:
    def goal(self, place: Clinic, client: ClientId, words: str = "See my daughter again", state: str = "") -> UUID:
        with place.database.writing() as session:
            goal = set_goal(
                session, actor=place.doctor, client_id=client, words=words, today=place.today, at=place.now
            ).id
            if state:
                close_goal(
                    session,
                    actor=place.doctor,
                    client_id=client,
                    goal_id=goal,
                    state=state,
                    today=place.today,
                    at=place.now,
                )
        return goal

    def back(
        self, place: Clinic, client: ClientId, goal: UUID, seen: str = "reached"
    ) -> Callable[[WriteSession], object]:
        return lambda session: reopen_goal(
            session, actor=place.doctor, client_id=client, goal_id=goal, seen=seen, why=Wrong.ANOTHER, at=place.now
        )

    def test_is_open_again_and_counts_as_it_was_known(self, place: Clinic, client: ClientId) -> None:
        goal = self.goal(place, client, state="reached")
        before = place.now
        assert figures(asked(place, "goals"))["reached"] == ("1", "1")
        place.move_on(1)
        together(place, self.back(place, client, goal))
        assert acts(place, client, "opened goal again") == 1
        with place.database.reading() as session:
            assert [each.state for each in goals_of(session, client_id=client)] == ["open"]
        assert figures(asked(place, "goals"))["with_goal"] == ("1", "1")
        assert figures(asked(place, "goals", as_of=before))["reached"] == ("1", "1")
        assert figures(asked(place, "goals"))["reached"] == ("0", "0")

    def test_stays_closed_where_it_was_closed_otherwise_or_is_open_in_the_same_words(
        self, place: Clinic, client: ClientId
    ) -> None:
        goal = self.goal(place, client, state="let_go")
        with pytest.raises(Refused, match="since this page was opened"):
            does(place, self.back(place, client, goal))
        self.goal(place, client)
        with pytest.raises(Refused, match="same words"):
            does(place, self.back(place, client, goal, "let_go"))
        with pytest.raises(NotThere):
            does(place, self.back(place, place.client(), goal, "let_go"))
        with pytest.raises(IntegrityError):
            does(
                place, lambda session: session.execute(text("UPDATE client_goal SET state = 'open', closed_on = NULL"))
            )
        with place.database.reading() as session:
            assert session.get_one(ClientGoal, goal).state == "let_go"


class TestALife:
    def said(self, place: Clinic, client: ClientId, word: str, days: int = 0) -> UUID:
        key = uuid4()
        does(
            place,
            lambda session: note_life(
                session,
                actor=place.doctor,
                client_id=client,
                aspect=Aspect.WORK,
                word=word,
                from_day=place.today + timedelta(days=days),
                key=key,
                today=place.today,
                at=place.now,
            ),
        )
        place.now += timedelta(minutes=1)
        return key

    def back(self, place: Clinic, client: ClientId, status: UUID) -> None:
        def act(session: WriteSession) -> None:
            take_life_back(
                session, actor=place.doctor, client_id=client, status_id=status, why=Wrong.ANOTHER, at=place.now
            )

        together(place, act)
        place.now += timedelta(minutes=1)

    def works(self, place: Clinic, client: ClientId) -> bool | None:
        with place.database.reading() as session:
            return session.get_one(Client, client).employed

    def test_counts_nowhere_but_in_what_was_known(self, place: Clinic, client: ClientId) -> None:
        job = self.said(place, client, "employed")
        before = place.now
        assert figures(asked(place, "employment"))["into_work"] == ("1", "None")
        place.now += timedelta(hours=1)
        self.back(place, client, job)
        assert acts(place, client, "took life back") == 1
        assert self.works(place, client) is None, "nobody had asked before"
        assert "into_work" not in figures(asked(place, "employment")) or (
            figures(asked(place, "employment"))["into_work"] == ("0", "None")
        )
        known = figures(asked(place, "employment", as_of=before))
        assert (known["into_work"], known["employed"]) == (("1", "None"), ("1", "1"))
        with place.database.reading() as session:
            assert life_of(session, client_id=client) == []

    @pytest.mark.parametrize(
        ("told", "taken", "left"),
        [
            (["looking", "employed"], 1, False),  # the one before it answers again
            (["employed", "own"], 1, True),
            (["employed", "looking"], 0, False),  # what is not the newest answers nothing
            (["looking"], 0, None),
        ],
    )
    def test_the_one_before_it_answers_the_question_again(
        self, place: Clinic, client: ClientId, told: list[str], taken: int, left: bool | None
    ) -> None:
        keys = [self.said(place, client, word, days) for days, word in enumerate(told, start=-len(told))]
        self.back(place, client, keys[taken])
        assert self.works(place, client) is left

    def test_what_was_known_before_by_other_ways_stands_again(self, place: Clinic, client: ClientId) -> None:
        does(place, lambda session: session.execute(text("UPDATE client SET employed = true")))
        mistaken = self.said(place, client, "unable")
        assert self.works(place, client) is False
        self.back(place, client, mistaken)
        assert self.works(place, client) is True

    def test_is_nobody_elses_and_postgresql_holds_it_to_once(self, place: Clinic, client: ClientId) -> None:
        status = self.said(place, client, "employed")
        with pytest.raises(NotThere), place.database.writing() as session:
            take_life_back(
                session, actor=place.doctor, client_id=place.client(), status_id=status, why=Wrong.NEVER, at=place.now
            )
        self.back(place, client, status)
        for statement in (
            "UPDATE life_status SET void_reason = 'never'",
            "UPDATE life_status SET voided_at = NULL, voided_by = NULL, void_reason = NULL",
            "DELETE FROM life_status",
        ):
            with pytest.raises(IntegrityError):
                does(place, lambda session, said=statement: session.execute(text(said)))  # type: ignore[misc]

    def test_how_they_stand_with_the_law_is_taken_back_and_stays_sealed(self, place: Clinic, client: ClientId) -> None:
        key = uuid4()
        does(
            place,
            lambda session: note_legal_status(
                session,
                actor=place.doctor,
                client_id=client,
                word=LegalStatus.OPEN,
                from_day=place.today,
                key=key,
                today=place.today,
                at=place.now,
            ),
        )
        for whose in (place.client(), client):
            act = lambda session, who=whose: take_legal_status_back(  # noqa: E731
                session, actor=place.doctor, client_id=who, status_id=key, why=Wrong.ANOTHER, at=place.now
            )
            if whose == client:
                together(place, act)
            else:
                with pytest.raises(NotThere):
                    does(place, act)
        assert acts(place, client, "took legal status back") == 1
        with place.database.writing() as session:
            (said,) = legal_status_of(session, actor=place.doctor, client_id=client)
        assert said.back is not None
        assert (said.word, said.back.why) == (LegalStatus.OPEN, Wrong.ANOTHER)


class TestThePages:
    def actions(self, page: str, path: str) -> list[str]:
        return re.findall(rf'action="({path})"', page)

    def seen(self, page: str, action: str) -> str:
        return re.search(rf'action="{action}".*?name="seen" value="([^"]+)"', page, re.DOTALL)[1]  # type: ignore[index]

    def presses(self, here: Desks, at: str, path: str, then: str) -> None:
        """Without a reason the page comes again, with the fold open; with one it is taken back."""
        nurse = here.seat(Role.NURSE)
        shown = nurse.get(at).text
        (action,) = self.actions(shown, path)
        seen = self.seen(shown, action)
        about = re.search(rf'action="{action}".*?name="back" value="([^"]+)"', shown, re.DOTALL)
        assert about is not None
        refused = nurse.post(action, {"back": about[1], "seen": seen, "why": ""})
        assert refused.status_code == 422
        fold = refused.text[: refused.text.index(f'action="{action}"')].rindex("<details")
        assert refused.text[fold:].startswith('<details class="more" open>')
        assert nurse.post(action, {"back": about[1], "seen": "yesterday", "why": "twice"}).status_code in (409, 422)
        gone = nurse.post(action, {"back": about[1], "seen": seen, "why": "another"})
        assert gone.headers["location"].startswith(then), gone.headers
        assert "It is about somebody else" in text_of(nurse.get(at))

    def test_of_a_client_open_again_what_was_closed(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/consulting/clients/{client}"
        closed(here.place, client, sent(here.place, client), Outcome.ATTENDED, 0)
        TestAGoal().goal(here.place, client, state="reached")
        self.presses(here, at, f"{at}/referrals/[^/]+/reopen", f"{at}?done=reopened")
        self.presses(here, at, f"{at}/goals/[^/]+/reopen", f"{at}?done=reopened")
        page = text_of(here.seat(Role.NURSE).get(at))
        assert "They did not go" in page
        assert "Let go" in page

    def test_of_care_agree_sessions_again(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/care/clients/{client}"
        plan = begun(here.place, client)
        marked(here.place, client, sessions(here.place, client)[0], SessionState.CALLED_OFF)
        self.presses(here, at, f"{at}/sessions/[^/]+/back", f"{at}?done=back")
        here.place.now += timedelta(minutes=1)
        does(
            here.place,
            lambda session: end_plan(
                session, actor=here.place.doctor, client_id=client, plan_id=plan, at=here.place.now
            ),
        )
        here.clock.moment = here.place.now
        self.presses(here, at, f"{at}/plans/[^/]+/back", f"{at}?done=back")
        assert [each.state for each in sessions(here.place, client)] == ["planned"] * 3

    def test_of_visits_plan_them_again(self, here: Desks) -> None:
        client = agreed(here.place)
        here.clock.moment = here.place.now
        ended(here.place, planned(here.place, client))
        then = f"/care/visits?on={day(0, here)}&done=back"
        self.presses(here, "/care/visits", "/care/visits/[^/]+/back", then)
        nurse = here.seat(Role.NURSE)
        (off,) = self.actions(nurse.get("/care/visits").text, "/care/visits/[^/]+/off")
        here.clock.goes_on(minutes=1)
        assert nurse.post(off).status_code == 303
        assert "1 visit was called off" in text_of(nurse.get("/care/visits"))
        self.presses(here, "/care/visits", "/care/visits/[^/]+/back", then)

    def test_of_work_law_and_groups_take_back_a_line(self, here: Desks) -> None:
        nurse, client = here.seat(Role.NURSE), here.enrolled("N77", "Somebody")
        said = {"aspect": "work", "word": "employed", "from_day": day(0, here)}
        assert nurse.post(f"/care/life/{client}", said).status_code == 303
        assert nurse.post(f"/care/law/{client}", {"word": "open", "from_day": day(0, here)}).status_code == 303
        group = {"on_day": day(0, here), "about": "support", "numbers": "N77", "others": "3"}
        assert nurse.post("/care/groups", group).status_code == 303
        for at in (f"/care/life/{client}", f"/care/law/{client}"):
            (action,) = self.actions(nurse.get(at).text, f'{at}/back/[^/"]+')
            about = action.rsplit("/", 1)[1]
            refused = nurse.post(action, {"back": about, "why": ""})
            assert (refused.status_code, '<details class="more" open>' in refused.text) == (422, True)
            assert nurse.post(action, {"why": "another"}).headers["location"] == f"{at}?done=back"
            shown = text_of(nurse.get(at))
            assert "It is about somebody else ·" in shown
            assert "Entered in error?" not in shown
        (action,) = self.actions(nurse.get("/care/groups").text, "/care/groups/[^/]+/back")
        refused = nurse.post(action, {"back": action.split("/")[-2], "client": str(client), "why": ""})
        assert (refused.status_code, f'<option value="{client}" selected>' in refused.text) == (422, True)
        assert nurse.post(action, {"client": str(client), "why": "another"}).status_code == 303
        assert "3 people" in text_of(nurse.get("/care/groups"))
        assert nurse.post(action, {"client": "", "why": "twice"}).status_code == 303
        assert "It is there twice ·" in text_of(nurse.get("/care/groups"))
        assert "0 held this year" in text_of(nurse.get("/care/groups"))
