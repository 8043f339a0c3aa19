"""Medicine of other treatments with methadone: in one act or not at all, once, and taken back with its supply."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database
from dispensary.monitoring.adherence import Fill, Window, adherence, runs_out_on, within
from dispensary.monitoring.judged import Setting, judge
from dispensary.monitoring.judging import see
from dispensary.monitoring.late import late_today
from dispensary.monitoring.refill_rules import Meets, Supplied, WithIt
from dispensary.monitoring.refills import refill
from dispensary.monitoring.treatment_models import Refill, Treatment
from dispensary.monitoring.treatments import medicines_of, set_observed, start_treatment, stop_medicine
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.models import AuditEntry
from dispensary.supplies.models import Supply
from dispensary.supplies.voiding import void_supply
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from dispensary.web.health_acts import When, switch
from tests.builders import Clinic, clinic

DAY = date(2026, 11, 24)


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(here: Clinic) -> ClientId:
    return here.client()


def treated(
    here: Clinic, client: ClientId, *substances: str, kind: str = "art", ago: int = 0, observed: bool = False
) -> list[UUID]:
    """A treatment of so many days; its medicines in the order in which they are named."""
    with here.database.writing() as session:
        treatment = start_treatment(
            session,
            actor=here.doctor,
            client_id=client,
            kind=kind,
            substances=substances,
            started_on=here.today - timedelta(days=ago),
            today=here.today,
            at=here.now,
        )
        set_observed(session, actor=here.doctor, treatment_id=treatment.id, observed=observed, at=here.now)
        named = {each.substance: each.id for each in medicines_of(session, client_id=client)}
    return [named[each] for each in substances]


def refills(here: Clinic) -> list[Refill]:
    with here.database.reading() as session:
        return list(session.scalars(select(Refill).order_by(Refill.days, Refill.id)))


def count(here: Clinic, table: Any) -> int:
    with here.database.reading() as session:
        return len(session.scalars(select(table)).all())


def findings(here: Clinic) -> list[str]:
    with here.database.reading() as session:
        return [str(each) for each in verify(session, now=here.now)]


def acts(here: Clinic, client: ClientId) -> list[str]:
    with here.database.reading() as session:
        return list(
            session.scalars(select(AuditEntry.act).where(AuditEntry.subject_id == client).order_by(AuditEntry.seq))
        )


def void(here: Clinic, supply_id: UUID, key: str = "void-key-1") -> None:
    here.database.write(
        lambda session: void_supply(
            session,
            actor=here.pharmacist,
            supply_id=supply_id,
            reason="the other Ahmad was meant",
            second_id=None,
            pin="",
            key=key,
            today=here.today,
            at=here.now,
        )
    )


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {each.code for each in refused.value.refusals}


class TestInOneAct:
    def test_the_dose_and_the_refills_are_written_together_once_for_each_key(
        self, here: Clinic, client: ClientId
    ) -> None:
        one, other = treated(here, client, "lamivudine", "dolutegravir")
        wanted = {"refills": (WithIt(one, 30), WithIt(other, 14))}
        first = here.give(client, key="with-refills-1", **wanted)
        again = here.give(client, key="with-refills-1", **wanted)
        assert (again.repeated, again.supply_id) == (True, first.supply_id)
        assert [(each.medication_id, each.days, each.supply_id) for each in refills(here)] == [
            (other, 14, first.supply_id),
            (one, 30, first.supply_id),
        ]
        assert acts(here, client).count("refilled medicine") == 2
        assert findings(here) == []

    def test_the_same_key_with_other_refills_is_another_act(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "lamivudine")
        here.give(client, key="with-refills-1", refills=(WithIt(one, 30),))
        with pytest.raises(Refused) as refused:
            here.give(client, key="with-refills-1", refills=(WithIt(one, 31),))
        assert codes(refused) == {"key-reused"}

    def test_a_refused_refill_keeps_the_dose_back_and_every_reason_is_said(
        self, here: Clinic, client: ClientId
    ) -> None:
        one, other = treated(here, client, "lamivudine", "dolutegravir")
        with pytest.raises(Refused) as refused:
            here.give(client, well=False, refills=(WithIt(one, 0), WithIt(other, observed=True), WithIt(uuid4(), 3)))
        assert codes(refused) == {"not-well", "days", "not-observed", "no-medicine"}
        assert (count(here, Supply), count(here, Refill)) == (0, 0)
        assert [each.field for each in refused.value.refusals if each.code == "days"] == [f"days_{one}"]

    def test_a_refused_dose_writes_no_refill(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "lamivudine")
        here.give(client)
        with pytest.raises(Refused):
            here.give(client, refills=(WithIt(one, 30),))
        assert count(here, Refill) == 0

    def test_a_medicine_is_named_once(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "lamivudine")
        with pytest.raises(Refused) as refused:
            here.give(client, refills=(WithIt(one, 30), WithIt(one, 14)))
        assert codes(refused) == {"refill-twice"}

    def test_another_client_s_medicine_and_one_that_has_stopped_are_refused(
        self, here: Clinic, client: ClientId
    ) -> None:
        (theirs,) = treated(here, here.client(), "lamivudine")
        (stopped,) = treated(here, client, "dolutegravir", ago=5)
        with here.database.writing() as session:
            stop_medicine(
                session,
                actor=here.doctor,
                medication_id=stopped,
                stopped_on=here.today,
                reason="not tolerated",
                today=here.today,
                at=here.now,
            )
        with pytest.raises(Refused) as refused:
            here.give(client, refills=(WithIt(theirs, 30), WithIt(stopped, 30)))
        assert codes(refused) == {"no-medicine", "not-taken"}

    @pytest.mark.parametrize("kind", ["art", "tb", "hcv"])
    def test_every_kind_of_treatment_goes_the_same_way(self, here: Clinic, client: ClientId, kind: str) -> None:
        (one,) = treated(here, client, "sofosbuvir", kind=kind, observed=True)
        here.give(client, refills=(WithIt(one, observed=True), WithIt(one, 6)))
        assert [(each.observed, each.days) for each in refills(here)] == [(True, 1), (False, 6)]
        assert findings(here) == []


class TestSwallowedHere:
    def test_a_dose_counts_once_a_day_and_medicine(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "rifabutin", kind="tb", observed=True)
        here.give(client, refills=(WithIt(one, observed=True),))
        with here.database.writing() as session, pytest.raises(BadInput) as refused:
            refill(
                session,
                actor=here.pharmacist,
                medication_id=one,
                on=here.today,
                days=1,
                key="again",
                today=here.today,
                at=here.now,
                observed=True,
            )
        assert codes(refused) == {"swallowed-already"}
        here.move_on()
        here.give(client, refills=(WithIt(one, observed=True),))
        assert count(here, Refill) == 2

    def test_a_medicine_does_not_stop_before_its_last_dose_here(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "rifabutin", kind="tb", observed=True)
        here.give(client, refills=(WithIt(one, observed=True),))
        stop = {"medication_id": one, "reason": "finished", "actor": here.doctor, "at": here.now}
        with here.database.writing() as session, pytest.raises(BadInput) as refused:
            stop_medicine(session, stopped_on=here.today, today=here.today, **stop)
        assert codes(refused) == {"swallowed-since"}
        here.move_on()
        with here.database.writing() as session:
            stop_medicine(session, stopped_on=here.today, today=here.today, **stop)
        assert findings(here) == []

    def test_that_a_treatment_is_observed_is_said_once_and_written_down(self, here: Clinic, client: ClientId) -> None:
        treated(here, client, "rifabutin", kind="tb", observed=True)
        with here.database.writing() as session:
            treatment = session.scalars(select(Treatment)).one()
            for observed in (True, False, False):
                set_observed(session, actor=here.doctor, treatment_id=treatment.id, observed=observed, at=here.now)
        assert acts(here, client)[-2:] == ["treatment is observed", "treatment is not observed any more"]

    def test_another_site_does_not_say_so(self, here: Clinic, client: ClientId, now: datetime) -> None:
        treated(here, client, "rifabutin", kind="tb")
        there = clinic(here.database, now, code="SAT")
        with here.database.writing() as session:
            treatment = session.scalars(select(Treatment)).one()
            with pytest.raises(NotThere):
                set_observed(session, actor=there.doctor, treatment_id=treatment.id, observed=True, at=now)


class TestTakenBack:
    def test_with_the_supply_for_the_same_reason(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "rifabutin", kind="tb", observed=True)
        supply = here.give(client, refills=(WithIt(one, observed=True), WithIt(one, 30))).supply_id
        void(here, supply)
        void(here, supply)
        assert {each.void_reason for each in refills(here)} == {"the other Ahmad was meant"}
        assert acts(here, client).count("voided refill") == 2
        assert findings(here) == []
        here.give(client, refills=(WithIt(one, observed=True),))  # the day is free again
        assert findings(here) == []


class TestPostgreSQLRefuses:
    @pytest.fixture
    def given(self, here: Clinic, client: ClientId) -> UUID:
        (one,) = treated(here, client, "rifabutin", kind="tb", observed=True)
        return here.give(client, refills=(WithIt(one, observed=True),)).supply_id

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO refill SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(),"
            " 'source_key', 'x'))).* FROM refill r",
            "UPDATE supply SET voided_at = now()",
            "UPDATE refill SET supply_id = NULL, voided_at = now(), void_reason = 'x'",
            "UPDATE refill SET voided_at = now()",
            "INSERT INTO refill SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(),"
            " 'observed', false, 'source_key', 'x',"
            " 'supply_id', (SELECT id FROM supply WHERE client_id <> :client)))).* FROM refill r",
        ],
        ids=["swallowed twice", "a void supply", "another supply", "no reason", "another client's supply"],
    )
    def test_what_must_never_be(self, here: Clinic, client: ClientId, given: UUID, sql: str) -> None:
        here.give(here.client())
        with pytest.raises(DBAPIError), here.database.writing() as session:
            session.execute(text(sql), {"client": client} if ":client" in sql else {})

    def test_a_refill_of_a_supply_that_is_void(self, here: Clinic, client: ClientId, given: UUID) -> None:
        void(here, given)
        with pytest.raises(DBAPIError), here.database.writing() as session:
            session.execute(
                text(
                    "INSERT INTO refill SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(),"
                    " 'source_key', 'x', 'voided_at', NULL, 'void_reason', ''))).* FROM refill r"
                )
            )


class TestOneDay:
    @pytest.mark.parametrize(
        ("runs_out", "next_day", "last", "observed", "meets", "proposed"),
        [
            (9, 9, 30, False, Meets.SAME_DAY, 30),
            (5, 9, 30, False, Meets.BEFORE, 4),
            (-3, 9, 30, False, Meets.BEFORE, 9),
            (20, 9, 30, False, Meets.AFTER, 30),
            (0, 1, 30, False, Meets.UNKNOWN, 30),
            (None, 9, None, False, Meets.UNKNOWN, 9),
            (None, 1, None, False, Meets.UNKNOWN, None),
            (0, 7, None, True, Meets.BEFORE, 6),
            (0, 1, None, True, Meets.UNKNOWN, None),
        ],
        ids=["same day", "before", "out", "after", "daily", "first", "first of daily", "observed", "observed daily"],
    )
    def test_is_proposed_for_both(
        self,
        runs_out: int | None,
        next_day: int,
        last: int | None,
        observed: bool,
        meets: Meets,
        proposed: int | None,
    ) -> None:
        after: Callable[[int], date] = lambda days: DAY + timedelta(days=days)  # noqa: E731
        found = Supplied(DAY, None if runs_out is None else after(runs_out), after(next_day), last, observed)
        assert (found.meets, found.proposed) == (meets, proposed)

    def test_what_is_left_of_the_others_says_nothing_of_a_medicine_that_is_new(self) -> None:
        found = Supplied(DAY, DAY + timedelta(days=30), DAY + timedelta(days=7), 30, never=("dolutegravir",))
        assert (found.meets, found.proposed) == (Meets.UNKNOWN, 7)

    def test_whoever_takes_it_here_is_late_from_tomorrow_on(self) -> None:
        today = Supplied(DAY, DAY, DAY + timedelta(days=1))
        assert (today.is_out, today.late_days) == (True, 0)
        here = Supplied(DAY, DAY, DAY + timedelta(days=1), observed=True)
        assert not here.is_out
        assert Supplied(DAY, DAY - timedelta(days=2), DAY, observed=True).late_days == 2


class TestASwitch:
    WINDOW = Window(DAY - timedelta(days=90), DAY - timedelta(days=1))

    def test_asks_each_part_for_the_days_on_which_it_ran(self) -> None:
        """Ninety days: efavirenz for the first sixty, dolutegravir for the last thirty, lamivudine throughout."""
        first, changed = self.WINDOW.first, self.WINDOW.first + timedelta(days=60)
        parts = {
            "lamivudine": [Fill(first, 90)],
            "efavirenz": [Fill(first, 60)],
            "dolutegravir": [Fill(changed + timedelta(days=3), 30)],
        }
        ran = {
            "efavirenz": Window(first, changed - timedelta(days=1)),
            "dolutegravir": Window(changed, self.WINDOW.last),
        }
        finding = adherence(parts, self.WINDOW, ran=ran)
        assert finding.figures["covered_days"] == 87
        assert finding.figures["efavirenz pdc_percent"] == "100.00"
        assert finding.figures["dolutegravir pdc_percent"] == "90.00"
        assert adherence(parts, self.WINDOW).figures["covered_days"] == 0, "nobody takes both at once"

    def test_what_is_left_of_the_one_does_not_count_for_the_other(self) -> None:
        changed = self.WINDOW.first + timedelta(days=60)
        parts = {"efavirenz": [Fill(self.WINDOW.first, 90)], "dolutegravir": []}
        ran = {"efavirenz": within(self.WINDOW, DAY - timedelta(days=200), changed)}
        ran["dolutegravir"] = within(self.WINDOW, changed, None)
        assert adherence(parts, self.WINDOW, ran={k: v for k, v in ran.items() if v}).figures["covered_days"] == 60

    def test_is_no_gap_in_the_cover_and_the_page_and_the_night_agree(self, here: Clinic, client: ClientId) -> None:
        (one,) = treated(here, client, "efavirenz", ago=100)
        who = {"actor": here.doctor, "today": here.today, "at": here.now}
        changed = here.today - timedelta(days=40)
        with here.database.writing() as session:
            refill(session, **who, medication_id=one, on=here.today - timedelta(days=100), days=60, key="a")
            (treatment,) = session.scalars(select(Treatment))
            switch(
                session,
                actor=here.doctor,
                client_id=client,
                treatment_id=treatment.id,
                stop=[one],
                start=["dolutegravir"],
                on=changed,
                reason="withdrawal",
                when=When(here.today, here.now),
            )
            other = next(each for each in medicines_of(session, client_id=client) if each.name == "dolutegravir")
            refill(session, **who, medication_id=other.id, on=changed, days=90, key="b")
            seen = see(session, site_id=here.site_id, on=here.today, client_ids=[client])[client]
            (found,) = [each.finding for each in judge(seen.health, here.today, Setting()) if each.role == "nurse"]
        assert found.figures["pdc_percent"] == "100.00"
        assert seen.health.medicines == ["dolutegravir"], "what has stopped is not taken with methadone"


class TestLateToday:
    def test_is_what_each_client_s_refills_come_to_one_by_one(self, here: Clinic) -> None:
        """Refills as they come, early and late: one statement for all says what the rule says of each."""
        draw = Random(7)
        expected = []
        for _ in range(8):
            client = here.client(began=here.today)
            (medicine,) = treated(here, client, "lamivudine", ago=120)
            fills = [Fill(here.today - timedelta(days=draw.randrange(1, 80)), draw.randrange(1, 22)) for _ in range(4)]
            with here.database.writing() as session:
                for number, fill in enumerate(fills):
                    refill(
                        session,
                        actor=here.pharmacist,
                        medication_id=medicine,
                        on=fill.on,
                        days=fill.days,
                        key=str(number),
                        today=here.today,
                        at=here.now,
                    )
            ends = runs_out_on(fills)
            assert ends is not None
            if ends <= here.today:
                expected.append((ends, client, "art"))
        assert 2 < len(expected) < 8, "some are late and some are not"
        with here.database.reading() as session:
            found = late_today(session, site_id=here.site_id, today=here.today)
        assert [(each.runs_out, each.client_id, each.kind) for each in found] == sorted(expected)

    def test_a_dose_that_is_swallowed_here_is_late_when_a_day_went_by_without(self, here: Clinic) -> None:
        client = here.client()
        (one,) = treated(here, client, "rifabutin", kind="tb", observed=True)
        here.give(client, refills=(WithIt(one, observed=True),))
        for late in (0, 0, 1):
            with here.database.reading() as session:
                assert len(late_today(session, site_id=here.site_id, today=here.today)) == late
            here.move_on()

    def test_what_has_no_refill_has_stopped_or_was_taken_back_is_nobody_s(self, here: Clinic) -> None:
        treated(here, here.client(), "lamivudine", ago=30)
        (one,) = treated(here, client := here.client(), "lamivudine", ago=30)
        supply = here.give(client, refills=(WithIt(one, 1),)).supply_id
        void(here, supply)
        here.move_on(5)
        with here.database.reading() as session:
            assert late_today(session, site_id=here.site_id, today=here.today) == []
