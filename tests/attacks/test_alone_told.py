"""What two servers apart each did for one client: the centre's word reaches the box, and nothing done twice is in the
way of what comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from dispensary.clients.models import Episode
from dispensary.prescribing.models import Reduction
from dispensary.prescribing.service import order_dose
from dispensary.refusals import Refused
from dispensary.staff.rules import Role
from dispensary.supplies.exceptions import close
from dispensary.supplies.flags import answer_messages, set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.supplies.guests import end
from dispensary.supplies.models import Pickup
from dispensary.supplies.wrong_doses import Wrong, wrong_dose
from dispensary.takehome.suspending import suspend
from dispensary.units import ClientId, milligrams
from tests.attacks.boxes import Pair, sends
from tests.builders import Clinic


def ends(pair: Pair, home: Clinic, client_id: ClientId) -> None:
    """The client comes to the main site from now on."""
    home.database.write(
        lambda session: end(
            session, actor=home.pharmacist, stay_id=pair.stays[client_id], reason="comes here", at=home.now
        )
    )


def errs(place: Clinic, client_id: ClientId) -> UUID:
    """A dose above the order is swallowed, and written down."""
    answer = place.database.write(
        lambda session: wrong_dose(
            session, actor=place.pharmacist, client_id=client_id, wrong=Wrong(milligrams("100"), "two cups"),
            key=f"wrong-{client_id}", today=place.today, at=place.now,
        ).answer
    )  # fmt: skip
    return UUID(str(answer["exception"]))


def reviews(home: Clinic, exception_id: UUID, at: datetime) -> None:
    home.database.write(
        lambda session: close(session, actor=home.doctor, exception_id=exception_id, outcome="seen, well", at=at)
    )


def test_a_review_at_the_centre_lifts_the_block_of_a_wrong_dose_at_the_box(pair: Pair) -> None:
    client = pair.theirs[0]
    with pair.counters() as (home, alone):
        about = errs(alone, client)
        pair.joins()
        for place in (home, alone):
            place.move_on()
        with pytest.raises(Refused, match=r"wrong dose|reviewed"):
            alone.give(client)
        reviews(home, about, home.now - timedelta(hours=1))
        pair.cut()
        alone.give(client)
    pair.joins()
    review = "SELECT closed_at, closed_by, outcome FROM dose_exception"
    assert pair.centre.asks(review) == pair.far.asks(review)
    pair.holds()


def test_what_the_satellite_still_writes_on_a_wrong_dose_does_not_open_it_again(pair: Pair) -> None:
    with pair.counters() as (home, alone):
        about = errs(alone, pair.theirs[0])
        pair.joins()
        reviews(home, about, datetime.now(UTC))
        with alone.database.writing() as session:
            session.execute(text("UPDATE dose_exception SET said = 'watch them'"))
    pair.joins()
    assert pair.centre.asks("SELECT said, outcome, closed_at IS NULL FROM dose_exception") == [
        ("watch them", "seen, well", False)
    ]


def test_after_a_double_cover_further_cuts_are_taken_and_the_box_blocks_nobody_by_itself(pair: Pair) -> None:
    swallows, carries = pair.theirs[0], pair.theirs[1]
    with pair.counters() as (home, alone):
        for place in (home, alone):
            place.move_on(2)  # today, so that a wrong dose of it blocks
        ends(pair, home, swallows)
        ends(pair, home, carries)
        alone.give(swallows)
        alone.give(carries, take_home_days=alone.ahead(1))
        home.give(swallows)
        home.give(carries, take_home_days=home.ahead(1))
        pair.cut()  # the centre's doses reach the box before its own reach the centre
        assert pair.far.asks("SELECT count(*) FROM dose_exception") == [(0,)], "nobody there could close it"
        assert pair.far.asks("SELECT count(*) FROM dose WHERE voided_at IS NULL") == [(3,)]
        pair.joins()
        # Both go there again, so that they stay in the cut; the centre looks at what was swallowed twice.
        for client in (swallows, carries):
            sends(home, client)
        blocks = "SELECT client_id, closed_at IS NULL FROM dose_exception WHERE blocks ORDER BY 1"
        both = sorted((client, True) for client in (swallows, carries))
        assert pair.centre.asks(blocks) == both
        pair.cut()
        assert pair.far.asks(blocks) == both
        for (about,) in pair.centre.asks("SELECT id FROM dose_exception"):
            reviews(home, about, datetime.now(UTC))
        pair.cut()
        pair.cut()
        assert pair.far.asks(blocks) == [(client, False) for client, _ in both]
        assert pair.far.asks("SELECT count(*) FROM dose WHERE voided_at IS NULL") == [(3,)]
    pair.joins()
    pair.holds()


def test_a_stay_that_ended_at_the_centre_ends_at_the_box_with_the_next_cut(pair: Pair) -> None:
    client = pair.theirs[0]
    with pair.counters() as (home, alone):
        alone.give(client)
        for place in (home, alone):
            place.move_on()
        ends(pair, home, client)
        pair.cut()
        with pytest.raises(Refused):
            alone.give(client)
        home.give(client)
    pair.joins()
    assert pair.centre.asks("SELECT count(*) FROM alert") == [(0,)]
    pair.holds()


def prepares(place: Clinic, client_id: ClientId) -> None:
    """A pickup for today stands prepared."""
    with place.database.writing() as session:
        session.add(
            Pickup(
                site_id=place.site_id, client_id=client_id, collect_on=place.today, state="prepared",
                episode_id=session.scalars(select(Episode.id).where(Episode.client_id == client_id)).one(),
                prepared_by=place.pharmacist.account_id, prepared_at=place.now,
            )
        )  # fmt: skip


def says(place: Clinic, client_id: ClientId, message: UUID) -> None:
    place.database.write(
        lambda session: answer_messages(
            session, actor=place.pharmacist, client_id=client_id, answers={message: True}, supply_id=None, at=place.now
        )
    )


def test_a_pickup_that_both_prepared_and_a_message_that_both_said_stay_in_both(pair: Pair) -> None:
    client = pair.theirs[1]
    with pair.counters() as (home, alone):
        for place in (home, alone):
            place.move_on(2)  # so that whoever comes home today is in the next cut
        prepares(alone, client)
        says(alone, client, pair.message)
        ends(pair, home, client)
        prepares(home, client)
        says(home, client, pair.message)
        pair.joins("--within", "60")
        pair.cut()
        pair.cut()
    pair.joins("--within", "60")
    pickups = "SELECT s.code, p.state FROM pickup p JOIN site s ON s.id = p.site_id ORDER BY 1"
    assert pair.centre.asks(pickups) == [("HRP", "prepared"), ("KLG", "prepared")]
    assert pair.far.asks(pickups) == [("HRP", "prepared"), ("KLG", "prepared")]
    for box in (pair.centre, pair.far):
        assert box.asks("SELECT said, twice FROM flag_answer ORDER BY 2") == [(True, False), (True, True)]
    assert pair.centre.asks("SELECT role, sentence FROM alert WHERE cause LIKE 'prepared twice: %'") == [
        (
            "pharmacist",
            f"Bottles to be collected on {home.today} are prepared at HRP and at KLG:"
            " one of them goes back into stock.",
        )
    ]
    pair.holds()


def test_what_was_given_by_what_the_centre_had_changed_is_told_once_for_each_cause(pair: Pair) -> None:
    by_decision, past_call, by_order, past_flag, past_block = pair.theirs
    with pair.counters() as (home, alone):
        ends(pair, home, past_block)
        errs(home, past_block)
        sends(home, past_block)
        for place in (home, alone):
            place.move_on()
        with home.database.writing() as session:
            asked = {"actor": home.doctor, "at": home.now - timedelta(hours=2)}
            order_dose(
                session, client_id=by_order, mg=milligrams("85"), parts=[], reason="more pain", from_day=home.today,
                today=home.today, **asked,
            )  # fmt: skip
            suspend(
                session, client_id=by_decision, from_day=home.today, reason="bottles were sold",
                review_on=home.ahead(7)[0], **asked,
            )  # fmt: skip
            set_flag(
                session, client_id=past_flag, kind=FlagKind.STOP_DOSE, sentence="see me first", from_day=home.today,
                last_day=None, owner_id=None, owner_role=Role.DOCTOR, today=home.today, **asked,
            )  # fmt: skip
            session.add(
                Reduction(
                    client_id=past_call, site_id=home.site_id, from_day=home.today, mg=milligrams("40"),
                    episode_id=session.scalars(select(Episode.id).where(Episode.client_id == past_call)).one(),
                    ruling={"mg": "40"}, agreed_with=home.doctor.account_id, said="half", recorded_at=asked["at"],
                    recorded_by=home.pharmacist.account_id,
                )
            )  # fmt: skip
        for _ in range(2):
            for client in (past_call, by_order, past_flag, past_block):
                alone.give(client)
            alone.move_on()
        alone.move_on(-2)
        alone.give(by_decision, take_home_days=alone.ahead(1))
    said = pair.joins()
    told = dict(
        pair.centre.asks(
            "SELECT client_id, split_part(cause, ':', 1) || ' | ' || split_part(sentence, ':', 1) FROM alert"
            " WHERE role = 'doctor' AND severity = 'urgent' AND cause LIKE 'older %'"
        )
    )  # type: ignore[arg-type]
    assert told == {
        by_order: "older order | Given while KLG was apart, by an order that had been changed or ended",
        by_decision: "older decision | Given while KLG was apart, by a take-home decision that had been taken back",
        past_call: "older reduction | Given while KLG was apart, above what had been agreed by telephone",
        past_flag: "older flag | Given while KLG was apart, against a flag that stops it",
        past_block: "older block | Given while KLG was apart, before a wrong dose had been reviewed",
    }
    assert "5 open alerts for a doctor: given by an older order" in said
    assert pair.centre.asks("SELECT count(*) FROM alert WHERE cause LIKE 'older %'") == [(5,)], "each once"
    pair.holds()
