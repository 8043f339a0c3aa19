"""What was entered in error of groups, goals, work, home and law is taken back once, and counts nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.meeting_models import GroupMeeting
from dispensary.care.meetings import (
    About,
    held_since,
    meetings_of,
    note_meeting,
    take_attendance_back,
    take_meeting_back,
)
from dispensary.clients.goals import assign, close_goal, goals_of, reopen_goal, set_goal, unassign
from dispensary.clients.legal_status import legal_status_of, note_legal_status, take_legal_status_back
from dispensary.clients.legal_status_rules import LegalStatus
from dispensary.clients.life import life_of, note_life, take_life_back
from dispensary.clients.life_rules import Aspect
from dispensary.clients.models import Client, ClientGoal
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, WriteSession
from dispensary.refusals import NotAllowed, NotThere, Refused
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures
from tests.dispensary.test_open_again import acts, at_desk, does, together


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return place.client()


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


def goal_of(place: Clinic, client: ClientId, words: str = "See my daughter again", state: str = "") -> UUID:
    with place.database.writing() as session:
        goal = set_goal(session, actor=place.doctor, client_id=client, words=words, today=place.today, at=place.now).id
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


class TestAGoal:
    def back(
        self, place: Clinic, client: ClientId, goal: UUID, seen: str = "reached"
    ) -> Callable[[WriteSession], object]:
        return lambda session: reopen_goal(
            session, actor=place.doctor, client_id=client, goal_id=goal, seen=seen, why=Wrong.ANOTHER, at=place.now
        )

    def test_is_open_again_and_counts_as_it_was_known(self, place: Clinic, client: ClientId) -> None:
        goal = goal_of(place, client, state="reached")
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
        goal = goal_of(place, client, state="let_go")
        with pytest.raises(Refused, match="since this page was opened"):
            does(place, self.back(place, client, goal))
        goal_of(place, client)
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
