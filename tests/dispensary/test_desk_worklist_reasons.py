"""Why a client is on the doctor's list, reason by reason, beyond alerts and orders; and how long a long list takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.clients.tasks import open_task
from dispensary.database import Database
from dispensary.desks.worklist import (
    AgentAwaits,
    DoseIsReduced,
    IsAbsent,
    Kind,
    Reason,
    TakeHomeDiffers,
    TakeHomeIsSuspended,
    TaskIsDue,
    waiting,
)
from dispensary.prescribing.adopting import adopt_guideline
from dispensary.prescribing.models import Reduction
from dispensary.prescribing.sections import Topic
from dispensary.staff.rules import Role, the_program
from dispensary.supplies.agents import agree, revoke
from dispensary.takehome.models import Decision
from dispensary.takehome.service import assess_client
from dispensary.units import ClientId, milligrams
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_agents import consent
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def reasons(here: Desks, client_id: ClientId | None = None) -> list[Reason]:
    with here.database.reading() as session:
        listed = waiting(session, site_id=here.place.site_id, today=here.today)
    return [reason for row in listed if client_id in (None, row.client_id) for reason in row.reasons]


def page(here: Desks) -> str:
    """What a doctor reads who has just signed in."""
    here.seated.pop("doctor-nurse", None)
    return text_of(here.seat(Role.DOCTOR, Role.NURSE).get("/consulting"))


class TestAnAbsenceByTheSiteSGuideline:
    @pytest.fixture
    def follows(self, here: Desks) -> Callable[[str], None]:
        def adopt(name: str) -> None:
            with here.database.writing() as session:
                adopt_guideline(
                    session,
                    actor=the_program(here.place.site_id),
                    site_id=here.place.site_id,
                    topic=Topic.MISSED,
                    guideline=name,
                    from_day=here.today,
                    at=here.place.now,
                )

        return adopt

    def test_the_list_says_what_it_says(self, here: Desks, follows: Callable[[str], None]) -> None:
        follows("AU-NAT-2003")
        client = here.place.client(mg="100")
        for _ in range(20):
            here.place.give(client)
            here.days_pass(1)
        here.days_pass(5)

        (absent,) = reasons(here)

        assert isinstance(absent, IsAbsent)
        assert absent.days == 5
        assert absent.ruling is not None
        assert absent.ruling.guideline == "AU-NAT-2003"
        assert f"AU-NAT-2003: {absent.ruling.sentence}" in page(here)

    def test_who_may_be_given_the_dose_as_ordered_is_nobody_s_task(
        self, here: Desks, follows: Callable[[str], None]
    ) -> None:
        follows("AU-NAT-2003")
        client = here.place.client(mg="100")
        for _ in range(20):
            here.place.give(client)
            here.days_pass(1)
        here.days_pass(1)

        assert reasons(here) == []

    def test_without_a_guideline_the_site_s_own_figure_holds(self, here: Desks) -> None:
        here.place.give(here.place.client())
        here.days_pass(4)

        (absent,) = reasons(here)

        assert isinstance(absent, IsAbsent)
        assert absent.ruling is None


class TestSomebodyIsToCollect:
    def test_it_waits_for_the_prescriber_until_it_is_agreed_to(self, here: Desks) -> None:
        client = here.place.client()
        given = consent(here.place, client, agreed=False)
        (awaits,) = reasons(here)
        assert awaits == AgentAwaits(3, here.today, here.today + timedelta(days=7))
        with here.database.writing() as session:
            agree(session, actor=here.place.doctor, client_id=client, consent_id=given, at=here.place.now)
        assert reasons(here) == []

    def test_refused_or_over_it_waits_for_nobody(self, here: Desks) -> None:
        client, other = here.place.client(), here.place.client()
        given = consent(here.place, client, agreed=False)
        consent(here.place, other, agreed=False, last_day=here.today)
        assert len(reasons(here)) == 2
        with here.database.writing() as session:
            revoke(
                session, actor=here.place.doctor, client_id=client, consent_id=given, why="not him", at=here.place.now
            )
        assert len(reasons(here)) == 1
        here.days_pass(1)
        assert [reason for reason in reasons(here) if reason.kind is Kind.AGENT] == []


class TestTasks:
    def due(self, here: Desks, client: ClientId, role: Role, days: int) -> None:
        with here.database.writing() as session:
            open_task(
                session,
                site_id=here.place.site_id,
                client_id=client,
                role=role,
                kind="review",
                sentence="Review the dose.",
                due_on=here.today + timedelta(days=days),
                opened_by=None,
                at=here.place.now,
            )

    @pytest.mark.parametrize(
        ("role", "days", "is_listed"),
        [
            (Role.DOCTOR, 0, True),
            (Role.NURSE, 0, True),
            (Role.DOCTOR, 1, False),
            (Role.DOCTOR, -3, True),
            (Role.PHARMACIST, 0, False),
            (Role.PHARMACIST, -1, True),
        ],
    )
    def test_those_of_this_room_are_listed_when_due_and_those_of_others_when_late(
        self, here: Desks, role: Role, days: int, is_listed: bool
    ) -> None:
        client = here.place.client()
        self.due(here, client, role, days)

        assert [reason.kind for reason in reasons(here)] == ([Kind.TASK] if is_listed else [])

    def test_a_late_one_says_when_it_was_due_and_comes_first(self, here: Desks) -> None:
        late, now = here.place.client(), here.place.client()
        self.due(here, now, Role.DOCTOR, 0)
        self.due(here, late, Role.DOCTOR, -2)

        first, second = reasons(here)

        assert isinstance(first, TaskIsDue)
        assert first.due_on == here.today - timedelta(days=2)
        assert first.weight < second.weight
        assert "late Review the dose., due on Sun 22 Nov" in page(here)


class TestLessThanOrdered:
    def test_what_was_agreed_by_telephone_waits_for_an_order(self, here: Desks) -> None:
        client = here.place.client()
        with here.database.writing() as session:
            episode_id = session.scalar(text("SELECT episode_id FROM dose_order"))
            session.add(
                Reduction(
                    episode_id=episode_id,
                    client_id=client,
                    site_id=here.place.site_id,
                    from_day=here.today,
                    mg=milligrams("40"),
                    ruling={},
                    agreed_with=here.place.doctor.account_id,
                    said="half, and send them to me",
                    recorded_by=here.place.pharmacist.account_id,
                    recorded_at=here.place.now,
                )
            )

        (reduced,) = reasons(here)

        assert isinstance(reduced, DoseIsReduced)
        assert reduced.mg == Decimal(40)
        assert "At most 40 mg since Tue 24 Nov, agreed by telephone: an order is due" in page(here).replace("\xa0", " ")


class TestTakeHome:
    @pytest.mark.parametrize(
        ("proposed", "decided", "rises"),
        [
            ((6, 6), None, True),
            ((6, 6), (2, 2), True),
            ((2, 2), (6, 6), False),
            ((0, 0), (3, None), False),
            ((14, None), (6, 6), True),
            ((14, None), (7, 7), True),
        ],
    )
    def test_a_proposal_says_whether_it_is_more_or_less(
        self, proposed: tuple[int, int | None], decided: tuple[int, int | None] | None, rises: bool
    ) -> None:
        assert TakeHomeDiffers(4, proposed, decided).rises is rises

    def test_none_written_in_two_ways_is_no_proposal(self, here: Desks) -> None:
        here.follow()
        client = here.place.client()
        here.place.decide(client, per_supply=0, per_week=0)
        with here.database.writing() as session:
            said = assess_client(
                session, actor=here.place.doctor, client_id=client, on=here.today, at=here.place.now
            ).result

        assert (said["allowance"]["per_supply"], said["allowance"]["per_week"]) == (0, None), "written otherwise"
        assert reasons(here) == []

    @pytest.mark.parametrize(("days", "words"), [(3, "to be reviewed on Fri 27 Nov"), (-3, "was due on Sat 21 Nov")])
    def test_what_is_suspended_waits_for_its_review(self, here: Desks, days: int, words: str) -> None:
        client = here.place.client()
        here.place.decide(client, per_supply=2)
        with here.database.writing() as session:
            row = session.query(Decision).one()
            values = {
                column.name: getattr(row, column.name) for column in Decision.__table__.columns if column.name != "id"
            }
            row.voided_at = here.place.now
            session.flush()
            review_on = here.today + timedelta(days=days)
            session.add(Decision(**{**values, "kind": "suspension", "per_supply": 0, "review_on": review_on}))

        (suspended,) = reasons(here)

        assert isinstance(suspended, TakeHomeIsSuspended)
        assert words in page(here)


class TestALongList:
    def test_a_thousand_clients_are_read_in_a_fifth_of_a_second(self, here: Desks) -> None:
        """The best of five, since the machine does other things beside it."""
        here.follow()
        client = here.place.client()
        here.place.give(client)
        with here.database.writing() as session:
            seal = session.vault.seal
            ids = [session.scalar(text("SELECT gen_random_uuid()")) for _ in range(1000)]
            session.execute(
                text(
                    "INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)"
                    " VALUES (:id, :site, :number, :name, 'unknown', :at)"
                ),
                [
                    {
                        "id": one,
                        "site": here.place.site_id,
                        "number": f"B{n:04d}",
                        "name": seal("client.name", one, f"Person {n}"),
                        "at": here.place.now,
                    }
                    for n, one in enumerate(ids)
                ],
            )
            many = {"site": here.place.site_id, "today": here.today, "at": here.place.now}
            session.execute(
                text(
                    "INSERT INTO episode (id, client_id, site_id, began_on, origin)"
                    " SELECT gen_random_uuid(), id, :site, CAST(:today AS date) - 300, 'clinic'"
                    " FROM client WHERE number LIKE 'B%'"
                ),
                many,
            )
            session.execute(
                text(
                    "INSERT INTO task (id, site_id, client_id, role, kind, sentence, due_on, opened_at, outcome)"
                    " SELECT gen_random_uuid(), :site, id, 'doctor', 'review', 'Review.', :today, :at, ''"
                    " FROM client WHERE number LIKE 'B%'"
                ),
                many,
            )
        took = []
        for _ in range(5):
            with here.database.reading() as session:
                began = time.perf_counter()
                listed = waiting(session, site_id=here.place.site_id, today=here.today)
                took.append(time.perf_counter() - began)

        assert len(listed) == 1000
        assert {len(row.reasons) for row in listed} == {2}
        assert min(took) < 0.2, took
