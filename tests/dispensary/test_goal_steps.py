"""Steps to a goal: in the client's words and order, done on a day, taken back with its history; peers' own clients."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.goal_step_models import GoalStep, GoalStepMark, GoalWord
from dispensary.clients.goal_steps import (
    MOST_STEPS,
    Mark,
    Step,
    add_step,
    finish_step,
    note_said,
    step_earlier,
    take_step_back,
)
from dispensary.clients.goals import assign, close_goal, goals_of, set_goal
from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere
from dispensary.staff.models import Account, AuditEntry
from dispensary.staff.rules import Role
from dispensary.units import AccountId, ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

DAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("marks", "done_on"),
    [
        ((), None),
        ((Mark(True, DAY, "N"),), DAY),
        ((Mark(True, DAY, "N"), Mark(False, DAY + timedelta(1), "N")), None),
        ((Mark(True, DAY, "N"), Mark(False, DAY, "N"), Mark(True, DAY + timedelta(2), "N")), DAY + timedelta(2)),
    ],
)
def test_a_step_is_done_by_the_last_that_was_said(marks: tuple[Mark, ...], done_on: date | None) -> None:
    assert Step(uuid4(), "words", marks).done_on == done_on


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return place.client()


@pytest.fixture
def goal(place: Clinic, client: ClientId) -> UUID:
    return place.database.write(
        lambda session: (
            set_goal(
                session,
                actor=place.doctor,
                client_id=client,
                words="work again",
                today=place.today - timedelta(days=30),
                at=place.now,
            ).id
        )
    )


def added(place: Clinic, client: ClientId, goal: UUID, words: str) -> UUID:
    with place.database.writing() as session:
        about = {"actor": place.doctor, "client_id": client, "at": place.now}
        return add_step(session, goal_id=goal, words=words, **about).id  # type: ignore[arg-type]


def done(place: Clinic, client: ClientId, step: UUID, on_day: date | None = None) -> None:
    with place.database.writing() as session:
        finish_step(
            session,
            actor=place.doctor,
            client_id=client,
            step_id=step,
            on_day=on_day or place.today,
            today=place.today,
            at=place.now,
        )


def taken_back(place: Clinic, client: ClientId, step: UUID) -> None:
    with place.database.writing() as session:
        take_step_back(session, actor=place.doctor, client_id=client, step_id=step, today=place.today, at=place.now)


def steps(place: Clinic, client: ClientId) -> list[Step]:
    with place.database.reading() as session:
        return [step for goal in goals_of(session, client_id=client) for step in goal.steps]


class TestSteps:
    def test_are_kept_sealed_in_their_order_and_once(self, place: Clinic, client: ClientId, goal: UUID) -> None:
        first, second = added(place, client, goal, "ask my uncle"), added(place, client, goal, "buy shoes")
        assert added(place, client, goal, " ask my uncle ") == first
        assert [each.words for each in steps(place, client)] == ["ask my uncle", "buy shoes"]
        for _again in range(2):  # the first one stays where it is
            with place.database.writing() as session:
                step_earlier(session, actor=place.doctor, client_id=client, step_id=second, at=place.now)
            assert [each.id for each in steps(place, client)] == [second, first]
        with place.database.reading() as session:
            assert all(b"uncle" not in sealed for sealed in session.scalars(select(GoalStep.words_sealed)))
        for words, field in (("  ", "step"), ("x" * 301, "step")):
            with pytest.raises(BadInput) as refused:
                added(place, client, goal, words)
            assert refused.value.refusals[0].field == field
        for number in range(MOST_STEPS - 2):
            added(place, client, goal, f"step {number}")
        with pytest.raises(BadInput, match="at most 20 steps"):
            added(place, client, goal, "one more")

    def test_are_done_on_a_day_and_taken_back_with_what_was_said(
        self, place: Clinic, client: ClientId, goal: UUID
    ) -> None:
        step = added(place, client, goal, "ask my uncle")
        taken_back(place, client, step)  # it was not done: nothing is written
        for _again in range(2):
            done(place, client, step, place.today - timedelta(days=3))
        assert steps(place, client)[0].done_on == place.today - timedelta(days=3)
        for _again in range(2):
            taken_back(place, client, step)
        done(place, client, step)
        (found,) = steps(place, client)
        assert [(mark.done, mark.on_day) for mark in found.marks] == [
            (True, place.today - timedelta(days=3)),
            (False, place.today),
            (True, place.today),
        ]
        assert {mark.by for mark in found.marks} != {""}
        for day in (place.today + timedelta(days=1), place.today - timedelta(days=31)):
            other = added(place, client, goal, f"until {day}")
            with pytest.raises(BadInput) as refused:
                done(place, client, other, day)
            assert refused.value.refusals[0].field == "on_day"
        with place.database.reading() as session:
            acts = session.scalars(select(AuditEntry.act).where(AuditEntry.subject_id == client)).all()
        assert (acts.count("did goal step"), acts.count("took goal step back")) == (2, 1)
        for sentence in ("UPDATE goal_step_mark SET done = NOT done", "DELETE FROM goal_step_mark"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))

    def test_what_they_say_of_a_goal_is_kept_in_their_words_and_once(
        self, place: Clinic, client: ClientId, goal: UUID
    ) -> None:
        def said(words: str, whose: ClientId = client, key: UUID | None = None) -> None:
            with place.database.writing() as session:
                note_said(
                    session,
                    actor=place.doctor,
                    client_id=whose,
                    goal_id=goal,
                    words=words,
                    key=key or uuid4(),
                    today=place.today,
                    at=place.now,
                )

        key = uuid4()
        for _again in range(2):
            said(" he said to come on Monday ", key=key)
        place.now += timedelta(minutes=1)
        said("it is hard")
        with place.database.reading() as session:
            (found,) = goals_of(session, client_id=client)
            assert [each.words for each in found.said] == ["it is hard", "he said to come on Monday"]
            assert all(b"Monday" not in sealed for sealed in session.scalars(select(GoalWord.words_sealed)))
        for words in ("  ", "x" * 1001):
            with pytest.raises(BadInput) as refused:
                said(words)
            assert refused.value.refusals[0].field == "said"
        with pytest.raises(NotThere):
            said("not theirs", place.client())
        for sentence in ("UPDATE goal_word SET said_on = '2020-01-01'", "DELETE FROM goal_word", "TRUNCATE goal_word"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))

    def test_are_nobody_elses_and_end_with_their_goal(self, place: Clinic, client: ClientId, goal: UUID) -> None:
        step = added(place, client, goal, "ask my uncle")
        other = place.client()
        with pytest.raises(NotThere):
            added(place, other, goal, "not theirs")
        with pytest.raises(NotThere):
            done(place, other, step)
        with place.database.writing() as session:
            close_goal(
                session,
                actor=place.doctor,
                client_id=client,
                goal_id=goal,
                state="reached",
                today=place.today,
                at=place.now,
            )
        with pytest.raises(NotThere):
            done(place, client, step)
        assert [each.words for each in steps(place, client)] == ["ask my uncle"], "with the goal as it was"

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(said=st.lists(st.booleans(), max_size=8))
    def test_say_what_was_said_last_whatever_was_pressed(
        self, place: Clinic, client: ClientId, goal: UUID, said: list[bool]
    ) -> None:
        step = added(place, client, goal, str(uuid4()))
        for each in said:
            if each:
                done(place, client, step)
            else:
                taken_back(place, client, step)
        with place.database.writing() as session:
            marks = session.scalars(
                select(GoalStepMark).where(GoalStepMark.step_id == step).order_by(GoalStepMark.seq)
            ).all()
            assert [mark.done for mark in marks] == [number % 2 == 0 for number in range(len(marks))]
            changes = sum(after != before for before, after in zip([False, *said], said, strict=False))
            assert len(marks) == changes
            session.execute(text("ALTER TABLE goal_step_mark DISABLE TRIGGER USER"))
            session.execute(text("DELETE FROM goal_step_mark"))
            session.execute(text("DELETE FROM goal_step"))
            session.execute(text("ALTER TABLE goal_step_mark ENABLE TRIGGER USER"))


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


class TestPages:
    def test_whoever_treats_and_their_own_peer_worker_note_them(self, here: Desks) -> None:
        client, other = here.place.client(), here.place.client()
        peer = here.seat(Role.PEER_WORKER)
        goals = {}
        with here.database.writing() as session:
            azman = AccountId(session.scalars(select(Account.id).where(Account.username == "peer-worker")).one())
            about = {"actor": here.place.doctor, "at": here.place.now}
            assign(session, account_id=azman, client_id=client, **about)  # type: ignore[arg-type]
            for each in (client, other):
                goals[each] = set_goal(session, client_id=each, words="work again", today=here.today, **about).id  # type: ignore[arg-type]
        at = f"/consulting/clients/{client}"
        assert here.doctor.post(f"{at}/goals/{goals[client]}/steps", {"step": "ask my uncle"}).status_code == 303
        assert (
            peer.post(f"/peers/clients/{client}/goals/{goals[client]}/steps", {"step": "buy shoes"}).status_code == 303
        )
        words = {"said": "he said to come on Monday"}
        assert peer.post(f"/peers/clients/{client}/goals/{goals[client]}/words", words).status_code == 303
        assert here.doctor.post(f"{at}/goals/{goals[client]}/words", {"said": "it is hard"}).status_code == 303
        assert peer.post(f"/peers/clients/{other}/goals/{goals[other]}/words", words).status_code == 404
        long = here.doctor.post(f"{at}/goals/{goals[client]}/words", {"said": "hard " * 201})
        assert (long.status_code, "hard hard hard" in long.text) == (422, True), "what was typed is kept"
        for page in (here.doctor.get(at), peer.get(f"/peers/clients/{client}")):
            assert "“he said to come on Monday” Said on" in text_of(page)
            assert "“it is hard”" in text_of(page)
        with here.database.reading() as session:
            first, second = session.scalars(select(GoalStep.id).order_by(GoalStep.place))
        own = f"/peers/clients/{client}/steps/{second}"
        assert peer.post(f"{own}/done", {"on_day": here.today.isoformat()}).status_code == 303
        assert peer.post(f"{own}/back").status_code == 303
        assert peer.post(f"{own}/earlier").status_code == 303
        for page in (here.doctor.get(at), peer.get(f"/peers/clients/{client}")):
            said = text_of(page)
            assert said.index("buy shoes") < said.index("ask my uncle")
            assert "Taken back on" in said
        late = here.doctor.post(f"{at}/steps/{first}/done", {"on_day": "2031-01-01"})
        assert late.status_code == 422
        assert "between the day of the goal and today" in text_of(late)
        assert 'value="2031-01-01"' in late.text, "what was typed is kept"
        empty = here.doctor.post(f"{at}/goals/{goals[client]}/steps", {"step": ""})
        assert empty.status_code == 422
        assert here.doctor.post(f"{at}/steps/{first}/sideways").status_code == 404

        theirs = f"/peers/clients/{other}/goals/{goals[other]}/steps"
        assert peer.post(theirs, {"step": "x"}).status_code == 404
        assert (
            here.doctor.post(f"/consulting/clients/{other}/goals/{goals[other]}/steps", {"step": "y"}).status_code
            == 303
        )
        with here.database.reading() as session:
            third = session.scalars(select(GoalStep.id).where(GoalStep.client_id == other)).one()
        assert (
            peer.post(f"/peers/clients/{other}/steps/{third}/done", {"on_day": here.today.isoformat()}).status_code
            == 404
        )
        # Another's step is nobody's by way of one's own client.
        assert (
            peer.post(f"/peers/clients/{client}/steps/{third}/done", {"on_day": here.today.isoformat()}).status_code
            == 404
        )
        assert here.seat(Role.RECEPTION).post(f"{at}/steps/{first}/done").status_code == 403
        with here.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(GoalStepMark)) == 2
