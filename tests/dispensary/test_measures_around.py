"""Measures of what goes on around the dose, counted by hand, and how somebody came to treatment."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.clients.feedback_models import FeedbackAnswer
from dispensary.clients.goals import close_goal, set_goal
from dispensary.clients.rules import EntryRoute, ExitReason
from dispensary.clients.service import begin_episode, end_episode
from dispensary.database import Database
from dispensary.evaluation.answering import ALL
from dispensary.evaluation.queries import Period
from dispensary.takehome.terms import Naloxone
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def split(here: Clinic, key: str, by: str, indicator: str, **how: object) -> dict[str, str]:
    found = asked(here, key, by=(by,), **how)  # type: ignore[arg-type]
    return {
        row.strata[0]: f"{row.numerator}" for row in found.rows if row.indicator == indicator and row.strata[0] != ALL
    }


def works(here: Clinic, client: ClientId, employed: bool | None, km: int | None = None) -> None:
    told = Circumstances(employed=employed, distance_km=km)
    with here.database.writing() as session:
        note_circumstances(session, actor=here.doctor, client_id=client, told=told, at=here.now)


class TestNaloxone:
    def answered(self, here: Clinic, *answers: Naloxone | None) -> ClientId:
        """Decisions on one client, a day after another, with these answers."""
        client = here.client()
        for number, answer in enumerate(answers):
            decision = here.decide(client, per_supply=2 + number)
            with here.database.writing() as session:
                session.execute(
                    text("UPDATE decision SET naloxone = :a WHERE id = :d"),
                    {"a": answer.value if answer else None, "d": decision},
                )
            here.move_on()
        return client

    def test_the_best_answer_of_each_client_counts_and_every_kit(self, here: Clinic) -> None:
        self.answered(here, Naloxone.GIVEN, Naloxone.HAS_ONE)
        self.answered(here, Naloxone.DECLINED, Naloxone.GIVEN)
        self.answered(here, Naloxone.HAS_ONE)
        self.answered(here, Naloxone.DECLINED)
        self.answered(here, None)
        here.client()
        assert figures(asked(here, "naloxone")) == {
            "decisions": ("6", "7"), "offered": ("4", "None"), "given": ("2", "4"), "has_one": ("1", "4"),
            "declined": ("1", "4"), "kits": ("2", "None"),
        }  # fmt: skip

    def test_what_was_decided_later_is_not_seen_from_before(self, here: Clinic) -> None:
        before = here.now - timedelta(seconds=1)
        self.answered(here, Naloxone.GIVEN)
        assert figures(asked(here, "naloxone", as_of=before))["kits"] == ("0", "None")


class TestEmployment:
    def test_of_those_asked(self, here: Clinic) -> None:
        for employed in (True, True, False, None):
            works(here, here.client(), employed)
        found = asked(here, "employment")
        assert figures(found) == {"asked": ("3", "None"), "employed": ("2", "3"), "into_work": ("0", "None")}
        assert dict(found.told()) == {"clients in care whom nobody asked": "1"}

    def test_a_past_moment_has_what_they_said_by_then(self, here: Clinic) -> None:
        client = here.client()
        works(here, client, None, 3)
        then = here.now
        for employed, km in ((True, 30), (False, 8)):
            here.move_on()
            works(here, client, employed, km)
        works_then, at_once, today = then, then + timedelta(days=1), here.now
        for moment, works_as, far in (
            (works_then, "unknown", "under 5 km"), (at_once, "yes", "20 km and more"), (today, "no", "5-19 km"),
        ):  # fmt: skip
            assert split(here, "programme", "employed", "in_care", as_of=moment) == {works_as: "1"}
            assert split(here, "programme", "distance", "in_care", as_of=moment) == {far: "1"}
        assert figures(asked(here, "employment", as_of=at_once))["employed"] == ("1", "1")
        assert figures(asked(here, "employment"))["employed"] == ("0", "1")


class TestGoals:
    def test_open_set_and_reached(self, here: Clinic) -> None:
        began = here.now
        clients = [here.client() for _ in range(3)]
        goals = {}
        for client in clients[:2]:
            for words in ("My own flat", "Back to school"):
                with here.database.writing() as session:
                    goals[client, words] = set_goal(
                        session, actor=here.doctor, client_id=client, words=words, today=here.today, at=here.now
                    ).id
        here.move_on()
        for (client, words), goal in goals.items():
            if client == clients[0]:
                state = "reached" if words == "My own flat" else "let_go"
                with here.database.writing() as session:
                    close_goal(
                        session, actor=here.doctor, client_id=client, goal_id=goal, state=state, today=here.today,
                        at=here.now,
                    )  # fmt: skip
        assert figures(asked(here, "goals")) == {
            "in_care": ("3", "None"), "with_goal": ("1", "3"), "set": ("4", "None"), "reached": ("1", "2"),
        }  # fmt: skip
        assert figures(asked(here, "goals", as_of=began))["with_goal"] == ("2", "3")
        assert figures(asked(here, "goals", as_of=began))["reached"] == ("0", "0")


class TestEntryRoute:
    def test_each_stay_has_its_own_and_the_one_of_the_day_counts(self, here: Clinic) -> None:
        client = here.client()
        here.client()
        with here.database.writing() as session:
            session.execute(
                text("UPDATE episode SET entry_route = 'police', began_on = began_on - 30 WHERE client_id = :c"),
                {"c": client},
            )
            episode = session.execute(text("SELECT id FROM episode WHERE client_id = :c"), {"c": client}).scalar_one()
        with here.database.writing() as session:
            end_episode(
                session, actor=here.doctor, episode_id=episode, ended_on=here.today, reason=ExitReason.DROPPED_OUT,
                at=here.now,
            )  # fmt: skip
        assert split(here, "programme", "entry_route", "registered") == {"police": "1", "unknown": "1"}
        before = here.now
        here.move_on()
        with here.database.writing() as session:
            begin_episode(
                session, actor=here.doctor, client_id=client, began_on=here.today, today=here.today, at=here.now,
                route=EntryRoute.OUTREACH,
            )  # fmt: skip
        assert split(here, "programme", "entry_route", "registered") == {"outreach": "1", "unknown": "1"}
        assert split(here, "programme", "entry_route", "registered", as_of=before) == {"police": "1", "unknown": "1"}


class TestFeedback:
    def test_whole_months_that_are_over_count_and_nobody_is_behind_an_answer(self, here: Clinic) -> None:
        said = [("2026-09", 1, 1, 0), ("2026-09", 1, 3, 40), ("2026-09", 3, None, None), ("2026-10", 2, 3, 40)]
        with here.database.writing() as session:
            for month, visit, wait, waited in [*said, ("2026-11", 1, 1, 0)]:
                session.add(
                    FeedbackAnswer(
                        id=uuid4(),
                        site_id=here.site_id,
                        month=date.fromisoformat(f"{month}-01"),
                        visit=visit,
                        wait=wait,
                        waited=waited,
                    )
                )
        assert here.today.month == 11
        assert figures(asked(here, "feedback")) == {
            "answers": ("4", "None"), "good": ("2", "4"), "poor": ("1", "4"),
            "of_wait": ("3", "None"), "short": ("1", "3"), "too_long": ("2", "3"),
        }  # fmt: skip
        assert split(here, "feedback", "month", "good") == {"2026-09": "2", "2026-10": "0"}
        assert split(here, "feedback", "waited", "too_long") == {"0": "0", "40": "2"}
        part = Period(date(2026, 9, 2), date(2026, 11, 1))
        assert figures(asked(here, "feedback", period=part))["answers"] == ("1", "None")
        assert {row.shown for row in asked(here, "feedback", least=5).rows} == {False}
