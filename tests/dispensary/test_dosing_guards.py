"""What PostgreSQL itself refuses of flexible dosing: each refusal by its name, and the rightful let through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, WriteSession, broken_constraint
from dispensary.prescribing.models import Hold, Reduction
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.models import Bottle, BottleReturn
from dispensary.units import ClientId, DoseDay, new_id
from tests.builders import Clinic, clinic
from tests.dispensary.past_services import (
    agree,
    allowed,
    dose,
    episode,
    exception,
    extra,
    refused,
    scalar,
    supply,
    vomited,
)


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


class TestReduction:
    def test_the_portions_of_a_day_together_are_no_more_than_was_agreed(self, here: Clinic) -> None:
        client = here.client(mg="80", parts=("40", "40"))
        with here.database.writing() as session:
            agree(session, here, client, "50", here.today)
            dose(session, here, client, here.today, "40")
        more = "dose_not_above_reduction"
        assert refused(here, lambda s: dose(s, here, client, here.today, "10.01", portion=2)) == more
        with here.database.writing() as session:
            dose(session, here, client, here.today, "10", portion=2)

    def test_days_before_it_and_after_its_end_are_as_ordered(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            reduction = agree(session, here, client, "50", here.ahead(1)[0])
            dose(session, here, client, here.today, "80")
        tomorrow = here.ahead(1)[0]
        assert refused(here, lambda s: dose(s, here, client, tomorrow, "80")) == "dose_not_above_reduction"
        with here.database.writing() as session:
            session.execute(update(Reduction).where(Reduction.id == reduction).values(ended_at=here.now))
            dose(session, here, client, tomorrow, "80")

    @pytest.mark.parametrize(
        "change",
        ["UPDATE reduction SET mg = 70", "UPDATE reduction SET from_day = from_day + 1", "DELETE FROM reduction"],
    )
    def test_it_ends_once_and_is_never_rewritten(self, here: Clinic, change: str) -> None:
        client = here.client()
        with here.database.writing() as session:
            reduction = agree(session, here, client, "50", here.today)
        assert refused(here, lambda s: s.execute(text(change))) == "never_changed"
        ends = update(Reduction).where(Reduction.id == reduction).values(ended_at=here.now)
        with here.database.writing() as session:
            session.execute(ends)
        assert refused(here, lambda s: s.execute(ends)) == "never_changed"

    def test_a_client_has_one_at_a_time(self, here: Clinic) -> None:
        client = here.client()
        with here.database.writing() as session:
            agree(session, here, client, "50", here.today)
        assert refused(here, lambda s: agree(s, here, client, "60", here.today)) == "uq_reduction_open"


@pytest.mark.parametrize("what", ["reduction", "hold", "wrong dose"])
def test_a_dose_waits_for_what_is_being_written_against_it(here: Clinic, what: str) -> None:
    client = here.client(mg="80")
    names: list[str] = []

    def gives() -> None:
        try:
            here.database.write(lambda session: dose(session, here, client, here.today, "80"))
            names.append("given")
        except IntegrityError as reason:
            names.append(broken_constraint(reason))

    with here.database.writing() as session:
        if what == "reduction":
            agree(session, here, client, "50", here.today)
        elif what == "hold":
            session.execute(
                insert(Hold).values(
                    id=new_id(),
                    episode_id=episode(session, client),
                    client_id=client,
                    days=Range(here.today, None),
                    reason="see me",
                    placed_by=here.doctor.account_id,
                    placed_at=here.now,
                )
            )
        else:
            exception(session, here, client, "wrong_dose", blocks=True)
        giver = threading.Thread(target=gives)
        giver.start()
        giver.join(0.5)
        assert names == [], "it waits"
    giver.join(20)
    told = {"reduction": "dose_not_above_reduction", "hold": "dose_not_held", "wrong dose": "dose_not_blocked"}
    assert names == [told[what]]


class TestExtraDose:
    def test_what_was_vomited_is_given_again_up_to_what_was_allowed(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            about = vomited(session, here, client, "40")
        assert refused(here, lambda s: extra(s, here, client, about, "replacement", "40.01")) == "extra_dose_allowed"
        with here.database.writing() as session:
            extra(session, here, client, about, "replacement", "40")
        assert refused(here, lambda s: extra(s, here, client, about, "replacement", "1")) == "uq_extra_dose_exception"

    def test_never_more_than_the_dose_that_was_vomited(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            about = vomited(session, here, client, "800", dose_mg="30")
        assert refused(here, lambda s: extra(s, here, client, about, "replacement", "30.01")) == "extra_dose_allowed"

    def test_nothing_is_given_that_nobody_allowed(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            about = exception(session, here, client, "vomited", dose_id=dose(session, here, client, here.today, "80"))
        assert refused(here, lambda s: extra(s, here, client, about, "replacement", "1")) == "extra_dose_allowed"

    def test_a_dose_is_replaced_once_whatever_is_written_of_it(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            taken = dose(session, here, client, here.today, "80")
            one, other = (
                exception(session, here, client, "vomited", dose_id=taken, **allowed(here, "40")) for _ in range(2)
            )
            extra(session, here, client, one, "replacement", "40")
        assert refused(here, lambda s: extra(s, here, client, other, "replacement", "40")) == "extra_dose_once"

    def test_two_counters_at_once_replace_a_dose_once(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            taken = dose(session, here, client, here.today, "80")
            abouts = [
                exception(session, here, client, "vomited", dose_id=taken, **allowed(here, "40")) for _ in range(2)
            ]
        told: list[str] = []
        gate = threading.Barrier(2)

        def gives(about: UUID) -> None:
            gate.wait()
            try:
                here.database.write(lambda session: extra(session, here, client, about, "replacement", "40"))
                told.append("given")
            except IntegrityError as reason:
                told.append(broken_constraint(reason))

        threads = [threading.Thread(target=gives, args=(about,)) for about in abouts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(told) == ["extra_dose_once", "given"]

    def test_an_exception_that_is_closed_or_about_no_dose_is_answered_by_nothing(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            taken = dose(session, here, client, here.today, "80")
            closed = exception(
                session,
                here,
                client,
                "vomited",
                dose_id=taken,
                closed_at=here.now,
                outcome="left",
                **allowed(here, "9"),
            )
            of_nothing = exception(session, here, client, "vomited", **allowed(here, "9"))
        for about in (closed, of_nothing):
            assert refused(here, lambda s, a=about: extra(s, here, client, a, "replacement", "9")) == (  # type: ignore[misc]
                "extra_dose_exception"
            )

    def test_it_belongs_to_the_exception_of_its_kind_client_and_day(self, here: Clinic) -> None:
        client, other = here.client(mg="80"), here.client(mg="80")
        tomorrow = here.ahead(1)[0]
        with here.database.writing() as session:
            about = vomited(session, here, client, "40")
        wrong: list[Callable[[WriteSession], object]] = [
            lambda s: extra(s, here, other, about, "replacement", "40"),
            lambda s: extra(s, here, client, about, "top_up", "40"),
            lambda s: extra(s, here, client, about, "in_error", "40"),
            lambda s: extra(s, here, client, about, "replacement", "40", dose_day=tomorrow),
        ]
        assert {refused(here, work) for work in wrong} == {"extra_dose_exception"}

    def test_it_leaves_by_a_supply_to_the_same_client_on_the_same_day(self, here: Clinic) -> None:
        client, other = here.client(mg="80"), here.client(mg="80")
        with here.database.writing() as session:
            about = vomited(session, here, client, "40")
            strange = supply(session, here, other)
            earlier = supply(session, here, client, dose_day=here.today - timedelta(days=1))
        for wrong in (strange, earlier):
            assert refused(
                here,
                lambda s, w=wrong: extra(s, here, client, about, "replacement", "40", supply_id=w),  # type: ignore[misc]
            ) == ("extra_dose_supply")

    def test_nothing_on_top_leaves_while_the_dose_is_held_blocked_or_its_day_closed(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            about = exception(session, here, client, "top_up", **allowed(here, "10"))
        stops = {
            "dose_not_held": "INSERT INTO hold (id, episode_id, client_id, days, reason, placed_by, placed_at,"
            " release_reason) SELECT gen_random_uuid(), id, client_id, daterange(:day, NULL), 'x', :who, now(), ''"
            " FROM episode WHERE client_id = :client",
            "dose_not_blocked": "INSERT INTO dose_exception (id, site_id, client_id, dose_day, kind, details, said,"
            " blocks, recorded_by, recorded_at, outcome) VALUES (gen_random_uuid(), :site, :client, :day, 'wrong_dose',"
            " '{}', '', true, :who, now(), '')",
        }
        values = {"day": here.today, "client": client, "site": here.site_id, "who": here.doctor.account_id}

        def stopped(session: WriteSession, statement: str) -> None:
            used = {name: values[name] for name in values if f":{name}" in statement}
            session.execute(text(statement), used)
            extra(session, here, client, about, "top_up", "10")

        for name, statement in stops.items():
            assert refused(here, lambda s, x=statement: stopped(s, x)) == name  # type: ignore[misc]
        with here.database.writing() as session:
            extra(session, here, client, about, "top_up", "10")

    def test_what_was_given_in_error_is_recorded_whatever_it_was(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            about = exception(session, here, client, "wrong_dose", blocks=True)
            extra(session, here, client, about, "in_error", "400")
        assert refused(here, lambda s: dose(s, here, client, here.today, "80")) == "dose_not_blocked"
        with here.database.writing() as session:
            session.execute(text("UPDATE dose_exception SET closed_at = now(), outcome = 'reviewed'"))
            dose(session, here, client, here.today, "80")

    def test_it_is_voided_once_and_never_rewritten(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            about = exception(session, here, client, "wrong_dose", blocks=True)
            extra(session, here, client, about, "in_error", "400")
        for change in ("UPDATE extra_dose SET mg = 4", "DELETE FROM extra_dose"):
            assert refused(here, lambda s, c=change: s.execute(text(c))) == "never_changed"  # type: ignore[misc]
        with here.database.writing() as session:
            session.execute(text("UPDATE extra_dose SET voided_at = now()"))
        again = "UPDATE extra_dose SET voided_at = NULL"
        assert refused(here, lambda s: s.execute(text(again))) == "never_changed"


class TestException:
    def test_it_is_about_a_dose_of_its_own_client_and_day(self, here: Clinic) -> None:
        client, other = here.client(mg="80"), here.client(mg="80")
        with here.database.writing() as session:
            strange = dose(session, here, other, here.today, "80")
            ahead = dose(session, here, client, here.ahead(1)[0], "80")
        for wrong in (strange, ahead):
            assert refused(
                here,
                lambda s, w=wrong: exception(s, here, client, "vomited", dose_id=w),  # type: ignore[misc]
            ) == ("dose_exception_dose")

    @pytest.mark.parametrize(
        "change",
        [
            "SET said = 'more'",
            "SET allowed_mg = 80",
            "SET prescriber_id = NULL, allowed_mg = NULL",
            "SET kind = 'late'",
            "SET blocks = false",
            "SET details = '{\"mg\": 1}'",
        ],
    )
    def test_it_is_answered_once(self, here: Clinic, change: str) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            exception(session, here, client, "vomited", blocks=True, **allowed(here, "40"))
        assert refused(here, lambda s: s.execute(text(f"UPDATE dose_exception {change}"))) == "never_changed"
        assert scalar(here, "SELECT allowed_mg FROM dose_exception") == 40

    def test_what_was_said_stays_though_nobody_was_named(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            exception(session, here, client, "vomited", said="nobody answers")
        change = "UPDATE dose_exception SET said = 'give it all'"
        assert refused(here, lambda s: s.execute(text(change))) == "never_changed"

    def test_it_is_answered_then_closed_and_then_it_stays(self, here: Clinic) -> None:
        client = here.client(mg="80")
        with here.database.writing() as session:
            exception(session, here, client, "vomited")
        answer = "UPDATE dose_exception SET prescriber_id = :who, said = 'half', allowed_mg = 40"
        with here.database.writing() as session:
            session.execute(text(answer), {"who": here.doctor.account_id})
            session.execute(text("UPDATE dose_exception SET closed_at = now(), outcome = 'given'"))
        for change in ("UPDATE dose_exception SET outcome = 'not given'", "DELETE FROM dose_exception"):
            assert refused(here, lambda s, c=change: s.execute(text(c))) == "never_changed"  # type: ignore[misc]


class TestReturn:
    def back(self, session: WriteSession, here: Clinic, client: ClientId, bottle: UUID, day: DoseDay) -> None:
        session.execute(
            insert(BottleReturn).values(
                id=new_id(),
                bottle_id=bottle,
                site_id=here.site_id,
                client_id=client,
                dose_day=day,
                is_full=True,
                returned_on=here.today,
                reason="a journey fell through",
                recorded_by=here.pharmacist.account_id,
                at=here.now,
            )
        )

    def test_a_bottle_that_was_handed_over_comes_back_once_from_its_client(self, here: Clinic) -> None:
        client, other = here.client(mg="80"), here.client(mg="80")
        here.decide(client, per_supply=2)
        here.give(client, take_home_days=here.ahead(1))
        bottle, tomorrow = scalar(here, "SELECT id FROM bottle"), here.ahead(1)[0]
        name = "bottle_return_handed_over"
        assert refused(here, lambda s: self.back(s, here, other, bottle, tomorrow)) == name
        assert refused(here, lambda s: self.back(s, here, client, bottle, here.today)) == name
        with here.database.writing() as session:
            self.back(session, here, client, bottle, tomorrow)
            move_bottles(
                session, actor=here.pharmacist, bottle_ids=[bottle], into=BottleState.RETURNED_FULL, at=here.now
            )
        assert refused(here, lambda s: self.back(s, here, client, bottle, tomorrow)) == name
        for change in ("UPDATE bottle_return SET is_full = false", "DELETE FROM bottle_return"):
            assert refused(here, lambda s, c=change: s.execute(text(c))) == "never_changed"  # type: ignore[misc]

    def test_what_was_only_packed_does_not_come_back(self, here: Clinic) -> None:
        client = here.client(mg="80")
        bottle, tomorrow = new_id(), here.ahead(1)[0]
        with here.database.writing() as session:
            order = session.execute(text("SELECT id FROM dose_order WHERE client_id = :c"), {"c": client}).scalar_one()
            session.execute(
                insert(Bottle).values(
                    id=bottle,
                    serial="1" * 15,
                    site_id=here.site_id,
                    client_id=client,
                    order_id=order,
                    lot_id=here.lot_id,
                    dose_day=tomorrow,
                    portion=1,
                    portions=1,
                    mg=80,
                    ml=16,
                    state="prepared",
                    packed_by=here.pharmacist.account_id,
                    packed_at=here.now,
                )
            )
        assert refused(here, lambda s: self.back(s, here, client, bottle, tomorrow)) == "bottle_return_handed_over"


class TestOrder:
    @pytest.mark.parametrize(
        "change", ["places = ARRAY['take_home', 'take_home']", "portions = ARRAY[10, 70]", "mg = 90"]
    )
    def test_a_signed_order_is_never_rewritten(self, here: Clinic, change: str) -> None:
        here.client(mg="80", parts=("40", "40"))
        name = refused(here, lambda s: s.execute(text(f"UPDATE dose_order SET {change}")))
        assert name in ("dose_order_rewritten", "dose_order_portions_add_up")

    @pytest.mark.parametrize(
        "places", ["ARRAY['supervised']", "ARRAY['supervised', 'at_work']", "ARRAY['supervised', NULL]"]
    )
    def test_each_portion_has_a_place_that_is_known(self, here: Clinic, places: str) -> None:
        client = here.client(mg="80", parts=("40", "40"))
        copy = (
            "INSERT INTO dose_order SELECT (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(),"
            f" 'places', to_jsonb({places}), 'days', '[2020-01-01,2020-01-02)', 'end_reason', 'stopped',"
            " 'ended_at', now()))).* FROM dose_order o WHERE client_id = :client"
        )
        assert refused(here, lambda s: s.execute(text(copy), {"client": client})) == "ck_dose_order_places"


@pytest.mark.parametrize("table", ["dose_plan", "bottle_return", "reduction", "extra_dose", "dose_exception"])
def test_nothing_that_is_kept_can_be_emptied(here: Clinic, table: str) -> None:
    assert refused(here, lambda s: s.execute(text(f"TRUNCATE {table} CASCADE"))) == "never_changed"
