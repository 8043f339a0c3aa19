"""Stop flags: who may set one, what may not leave while it stands, and that its owner alone clears it."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, WriteSession, broken_constraint
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.closing import close_day
from dispensary.supplies.flags import answer_messages, clear_flag, flags_of, set_flag, standing
from dispensary.supplies.flags_models import StopFlag
from dispensary.supplies.flags_rules import FlagKind, Stop, may_clear, may_set, stopped
from dispensary.supplies.pickups import prepare_pickup
from dispensary.units import AccountId, ClientId, DoseDay, SiteId
from dispensary.verification.verifying import verify
from tests.builders import Clinic, _account, clinic
from tests.dispensary.past_services import dose, refused

DOSE, BOTTLES, SAY = FlagKind.STOP_DOSE, FlagKind.STOP_BOTTLES, FlagKind.SAY_FIRST


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(here: Clinic) -> ClientId:
    client = here.client(mg="80")
    here.decide(client, per_supply=4)
    return client


@pytest.fixture
def nurse(here: Clinic) -> Actor:
    with here.database.writing() as session:
        return _account(session, here.site_id, "Noor", "NO", Role.NURSE, here.now)


def put(place: Clinic, client: ClientId, kind: FlagKind, actor: Actor | None = None, **more: Any) -> StopFlag:
    given: dict[str, Any] = {
        "actor": actor or place.doctor,
        "client_id": client,
        "kind": kind,
        "sentence": "see the nurse about the ECG",
        "from_day": place.today,
        "last_day": None,
        "owner_id": None,
        "owner_role": None,
        "today": place.today,
        "at": place.now,
        **more,
    }
    return place.database.write(lambda session: set_flag(session, **given))


def clear(place: Clinic, client: ClientId, flag: StopFlag, actor: Actor, reason: str = "ECG is fine") -> StopFlag:
    return place.database.write(
        lambda session: clear_flag(session, actor=actor, client_id=client, flag_id=flag.id, reason=reason, at=place.now)
    )


def codes(act: Callable[[], object]) -> list[str]:
    with pytest.raises(Refused) as why:
        act()
    return [refusal.code for refusal in why.value.refusals]


def found(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now)]


class TestTheRules:
    @pytest.mark.parametrize(
        ("kind", "role", "may"),
        [
            (kind, role, role is Role.DOCTOR or (kind is not DOSE and role in (Role.PHARMACIST, Role.NURSE)))
            for kind in FlagKind
            for role in Role
        ],
    )
    def test_a_prescriber_alone_stops_a_dose_and_whoever_treats_sets_the_others(
        self, kind: FlagKind, role: Role, may: bool
    ) -> None:
        assert may_set(kind, {role}) is may

    @pytest.mark.parametrize(
        ("is_owner", "owner_role", "roles", "there", "may"),
        [
            (True, None, {Role.NURSE}, True, True),
            (False, None, {Role.DOCTOR}, True, False),
            (False, None, {Role.DOCTOR}, False, True),
            (False, None, {Role.PHARMACIST}, False, False),
            (False, Role.NURSE, {Role.NURSE}, True, True),
            (False, Role.NURSE, {Role.DOCTOR}, True, False),
        ],
    )
    def test_the_owner_clears_and_a_prescriber_once_nobody_else_is_left(
        self, is_owner: bool, owner_role: Role | None, roles: set[Role], there: bool, may: bool
    ) -> None:
        assert may_clear(is_owner=is_owner, owner_role=owner_role, roles=roles, owner_is_there=there) is may

    def test_a_stop_stands_from_its_first_to_its_last_day_on_the_day_of_leaving_or_of_the_dose(self) -> None:
        today = date(2026, 11, 24)
        stop = Stop(UUID(int=1), BOTTLES, "x", today + timedelta(days=2), today + timedelta(days=3), "me")

        def why(*ahead: int, observed: bool = True) -> int:
            days = [DoseDay(today + timedelta(days=n)) for n in ahead]
            return len(stopped([stop], today=today, observed=observed, take_home_days=days))

        assert [why(), why(1), why(1, 2), why(3)] == [0, 0, 1, 0]
        assert len(stopped([stop], today=stop.first, observed=False, take_home_days=[DoseDay(stop.first)])) == 1


class TestStopDose:
    def test_nothing_leaves_until_its_owner_clears_it(self, here: Clinic, client: ClientId) -> None:
        flag = put(here, client, DOSE)

        assert codes(lambda: here.give(client)) == ["stop-dose"]
        assert codes(lambda: here.give(client, observed=False, take_home_days=here.ahead(1))) == ["stop-dose"]

        clear(here, client, flag, here.doctor)
        here.now += timedelta(minutes=1)
        assert here.give(client).answer["doses"][0]["mg"] == "80.00"
        assert found(here) == []

    def test_it_ends_by_itself_after_its_last_day(self, here: Clinic, client: ClientId) -> None:
        put(here, client, DOSE, last_day=here.today)
        here.move_on()
        assert here.give(client)

    def test_a_day_that_it_withheld_is_held_and_not_missed(self, here: Clinic, client: ClientId) -> None:
        put(here, client, DOSE)
        with here.database.writing() as session:
            closed = close_day(
                session, actor=here.pharmacist, day=here.today, today=here.today, counts=None, at=here.now
            )
        assert (closed.held, closed.missed) == (1, 0)

    @pytest.mark.parametrize("role", [Role.PHARMACIST, Role.NURSE])
    def test_nobody_but_a_prescriber_sets_or_owns_one(
        self, here: Clinic, client: ClientId, nurse: Actor, role: Role
    ) -> None:
        actor = nurse if role is Role.NURSE else here.pharmacist
        with pytest.raises(NotAllowed):
            put(here, client, DOSE, actor)
        with pytest.raises(BadInput) as why:
            put(here, client, DOSE, owner_id=actor.account_id)
        assert why.value.first.field == "flag_owner"
        with pytest.raises(BadInput):
            put(here, client, DOSE, owner_role=role)


class TestStopBottles:
    def test_the_dose_is_given_and_no_bottle_leaves_or_is_prepared(self, here: Clinic, client: ClientId) -> None:
        put(here, client, BOTTLES, here.pharmacist)

        assert codes(lambda: here.give(client, take_home_days=here.ahead(1))) == ["stop-bottles"]
        assert here.give(client)

        def prepare(session: WriteSession) -> object:
            return prepare_pickup(
                session,
                actor=here.pharmacist,
                client_id=client,
                collect_on=here.ahead(1)[0],
                take_home_days=here.ahead(2),
                valid=(here.now, here.now),
                today=here.today,
                at=here.now,
            )

        assert codes(lambda: here.database.write(prepare)) == ["stop-bottles"]
        assert found(here) == []


class TestSayFirst:
    def test_it_withholds_nothing_and_is_answered_with_the_hand_over(
        self, here: Clinic, client: ClientId, nurse: Actor
    ) -> None:
        flag = put(here, client, SAY, nurse)
        handed = here.give(client, take_home_days=here.ahead(1))

        def answer(said: bool) -> None:
            with here.database.writing() as session:
                answer_messages(
                    session,
                    actor=here.pharmacist,
                    client_id=client,
                    answers={flag.id: said},
                    supply_id=handed.supply_id,
                    at=here.now,
                )

        answer(False)
        with here.database.reading() as session:
            (left,) = standing(flags_of(session, client_id=client), on=here.today)
        assert left.answer is not None
        assert not left.answer.said
        answer(True)
        answer(True)
        with here.database.reading() as session:
            flags = flags_of(session, client_id=client)
            assert standing(flags, on=here.today) == [], "what was said is not said again"
            assert session.execute(text("SELECT said FROM flag_answer ORDER BY id")).all() == [(False,), (True,)]
        assert flags[0].answered_by == "Aishah binti Yusof"
        assert found(here) == []


class TestClearing:
    def test_somebody_else_does_not_clear_it_whatever_their_role(
        self, here: Clinic, client: ClientId, nurse: Actor
    ) -> None:
        flag = put(here, client, BOTTLES, nurse)
        for other in (here.doctor, here.pharmacist):
            with pytest.raises(NotAllowed) as why:
                clear(here, client, flag, other)
            assert why.value.first.code == "not-the-owner"
        assert clear(here, client, flag, nurse).cleared_by == nurse.account_id

    def test_whoever_has_the_owning_role_clears_it_once(self, here: Clinic, client: ClientId, nurse: Actor) -> None:
        flag = put(here, client, BOTTLES, owner_role=Role.NURSE)
        with pytest.raises(NotAllowed):
            clear(here, client, flag, here.doctor)
        clear(here, client, flag, nurse)
        assert clear(here, client, flag, nurse).clear_reason == "ECG is fine", "pressed twice"
        with pytest.raises(NotThere):
            clear(here, client, flag, nurse, "another reason")

    def test_a_prescriber_clears_what_was_left_behind_by_somebody_who_is_gone(
        self, here: Clinic, client: ClientId, nurse: Actor
    ) -> None:
        flag = put(here, client, BOTTLES, nurse)
        with here.database.writing() as session:
            session.get_one(Account, nurse.account_id).left_at = here.now
        with pytest.raises(NotAllowed):
            clear(here, client, flag, here.pharmacist)
        clear(here, client, flag, here.doctor)

    def test_it_needs_a_reason(self, here: Clinic, client: ClientId) -> None:
        with pytest.raises(BadInput) as why:
            clear(here, client, put(here, client, DOSE), here.doctor, " ")
        assert why.value.first.field == "clear_reason"

    def test_another_sites_staff_do_not_see_it(
        self, here: Clinic, client: ClientId, database: Database, now: datetime
    ) -> None:
        other = clinic(database, now, code="SAT")
        flag = put(here, client, DOSE)
        with pytest.raises(NotThere):
            clear(here, client, flag, other.doctor)
        with pytest.raises(NotThere):
            put(here, client, DOSE, other.doctor)


def test_every_fault_of_a_flag_is_said_at_once(here: Clinic, client: ClientId) -> None:
    yesterday = here.ahead(-1)[0]
    faults = codes(
        lambda: put(here, client, BOTTLES, sentence=" ", from_day=yesterday, last_day=here.ahead(-2)[0],
                    owner_id=AccountId(UUID(int=7)))
    )  # fmt: skip
    assert faults == ["missing", "begins-earlier", "ends-before", "no-owner"]


def test_the_same_flag_twice_is_one_and_all_of_it_is_in_the_trail(here: Clinic, client: ClientId) -> None:
    assert put(here, client, DOSE).id == put(here, client, DOSE).id
    clear(here, client, put(here, client, DOSE), here.doctor)
    with here.database.reading() as session:
        acts = session.scalars(
            text("SELECT act FROM audit_entry WHERE subject_id = :client AND act LIKE '%flag' ORDER BY seq"),
            {"client": client},
        ).all()
    assert list(acts) == ["set flag", "cleared flag"]


class TestPostgreSQL:
    """Past the program, with the rows alone."""

    def raw(self, place: Clinic, client: ClientId, **more: object) -> None:
        values = {
            "kind": "stop_dose", "owner_id": place.doctor.account_id, "owner_role": None,
            "set_by": place.doctor.account_id, "days": "[2026-11-24,)", **more,
        }  # fmt: skip
        with place.database.writing() as session:
            session.execute(
                text("""INSERT INTO stop_flag (id, site_id, client_id, kind, sentence, days, owner_id, owner_role,
                        set_by, set_at, clear_reason) VALUES (gen_random_uuid(), :site, :client, :kind, 'why',
                        CAST(:days AS daterange), :owner_id, :owner_role, :set_by, :at, '')"""),
                {"site": place.site_id, "client": client, "at": place.now, **values},
            )

    def broken(self, act: Callable[[], object]) -> str:
        with pytest.raises(IntegrityError) as why:
            act()
        return broken_constraint(why.value)

    def test_it_knows_who_may_set_and_own_a_flag(self, here: Clinic, client: ClientId, nurse: Actor) -> None:
        pharmacist, doctor = here.pharmacist.account_id, here.doctor.account_id
        assert self.broken(lambda: self.raw(here, client, set_by=pharmacist)) == "stop_flag_set_by"
        assert self.broken(lambda: self.raw(here, client, owner_id=nurse.account_id)) == "stop_flag_owner"
        nobody = {"owner_id": None, "owner_role": "nurse"}
        assert self.broken(lambda: self.raw(here, client, **nobody)) == "stop_flag_owner"
        assert self.broken(lambda: self.raw(here, client, owner_id=None)) == "ck_stop_flag_one_owner"
        assert self.broken(lambda: self.raw(here, client, owner_id=doctor, owner_role="doctor")).endswith("one_owner")
        assert self.broken(lambda: self.raw(here, client, days="empty")) == "ck_stop_flag_days"
        self.raw(here, client, kind="stop_bottles", set_by=pharmacist, owner_id=nurse.account_id)

    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ("cleared_at = now(), clear_reason = 'x'", "stop_flag_cleared_by"),
            ("cleared_at = now(), clear_reason = 'x', cleared_by = :pharmacist", "stop_flag_cleared_by"),
            ("cleared_at = now(), clear_reason = '', cleared_by = owner_id", "ck_stop_flag_cleared_by_somebody"),
            ("sentence = 'something else'", "never_changed"),
            ("kind = 'say_first'", "never_changed"),
            ("days = '[2020-01-01,2020-01-02)'", "never_changed"),
        ],
    )
    def test_it_lets_the_owner_clear_and_nobody_rewrite(
        self, here: Clinic, client: ClientId, change: str, constraint: str
    ) -> None:
        put(here, client, DOSE)

        def act() -> None:
            values = {"pharmacist": here.pharmacist.account_id} if ":pharmacist" in change else {}
            with here.database.writing() as session:
                session.execute(text(f"UPDATE stop_flag SET {change}"), values)

        assert self.broken(act) == constraint

    def test_it_refuses_a_dose_a_bottle_and_what_is_given_on_top(self, here: Clinic, client: ClientId) -> None:
        put(here, client, BOTTLES)
        bottle = "bottles_not_stopped"
        assert refused(here, lambda s: dose(s, here, client, here.ahead(1)[0], "80", kind="take_home")) == bottle
        put(here, client, DOSE)
        assert refused(here, lambda s: dose(s, here, client, here.today, "80")) == "dose_not_stopped"

    def test_it_empties_neither_table(self, here: Clinic, client: ClientId) -> None:
        put(here, client, DOSE)
        for table in ("flag_answer", "stop_flag CASCADE"):

            def empty(table: str = table) -> None:
                with here.database.writing() as session:
                    session.execute(text(f"TRUNCATE {table}"))

            assert self.broken(empty) == "never_changed"


def test_a_flag_and_a_dose_at_the_same_moment_never_pass_each_other_by(here: Clinic) -> None:
    for _ in range(6):
        client, barrier = here.client(mg="80"), Barrier(2)

        def either(act: Callable[[], object], barrier: Barrier = barrier) -> object:
            barrier.wait()
            try:
                return act()
            except Refused as why:
                return why.first.code

        with ThreadPoolExecutor(2) as pool:
            flag, given = pool.map(
                either,
                [lambda c=client: put(here, c, DOSE), lambda c=client: here.give(c)],  # type: ignore[misc]
            )
        assert isinstance(flag, StopFlag)
        with here.database.reading() as session:
            order = session.execute(
                text("""SELECT act FROM audit_entry WHERE subject_id = :c AND act IN ('set flag', 'dispensed')
                        ORDER BY seq"""),
                {"c": client},
            ).scalars()
            assert list(order) == (["set flag"] if given == "stop-dose" else ["dispensed", "set flag"])


DAMAGES = [
    (
        "UPDATE stop_flag SET set_at = set_at - interval '1 day', cleared_at = NULL, cleared_by = NULL, "
        "clear_reason = ''",
        r"dose .* left against a flag \(stop_dose\)",
    ),
    (
        "UPDATE stop_flag SET kind = 'stop_bottles', set_at = set_at - interval '1 day', cleared_at = NULL, "
        "cleared_by = NULL, clear_reason = ''",
        r"dose .* left against a flag \(stop_bottles\)",
    ),
    (
        "UPDATE stop_flag SET owner_id = NULL, owner_role = 'nurse' WHERE kind = 'stop_dose'",
        r"flag .* stops a dose, and no prescriber owns it",
    ),
    (
        "UPDATE stop_flag SET site_id = (SELECT id FROM site WHERE code = 'SAT') WHERE kind = 'stop_dose'",
        r"flag .* is of another site than its client",
    ),
    (
        "UPDATE stop_flag SET cleared_at = set_at - interval '1 second' WHERE kind = 'stop_dose'",
        r"flag .* was cleared before it was set",
    ),
    (
        "ALTER TABLE stop_flag DROP CONSTRAINT ck_stop_flag_one_owner; UPDATE stop_flag SET owner_id = NULL",
        r"flag .* has no owner",
    ),
    (
        "UPDATE stop_flag SET client_id = (SELECT id FROM client WHERE id <> stop_flag.client_id LIMIT 1)",
        r"answer .* to flag .* stands in a supply of another client",
    ),
]


@pytest.mark.parametrize(("sql", "expected"), DAMAGES, ids=range(len(DAMAGES)))
def test_damage_to_flags_is_found_and_named(
    here: Clinic, client: ClientId, database: Database, now: datetime, sql: str, expected: str
) -> None:
    clinic(database, now, code="SAT")
    here.client()
    clear(here, client, put(here, client, DOSE), here.doctor)
    message = put(here, client, SAY)
    here.now += timedelta(minutes=1)
    handed = here.give(client, take_home_days=here.ahead(1))
    with database.writing() as session:
        answer_messages(
            session,
            actor=here.pharmacist,
            client_id=client,
            answers={message.id: True},
            supply_id=handed.supply_id,
            at=here.now,
        )
    assert found(here) == []
    with database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in sql.split(";"):
            session.execute(text(statement))
    assert any(re.search(expected, finding) for finding in found(here)), found(here)


def test_a_role_that_was_taken_away_owns_nothing_any_more(here: Clinic, client: ClientId, nurse: Actor) -> None:
    flag = put(here, client, BOTTLES, nurse)
    with here.database.writing() as session:
        session.execute(
            RoleGrant.__table__.delete().where(  # type: ignore[attr-defined]
                RoleGrant.account_id == nurse.account_id, RoleGrant.site_id == SiteId(here.site_id)
            )
        )
    clear(here, client, flag, here.doctor)
