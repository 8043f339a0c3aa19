"""The waiting list: a freed place goes to the first in line, is kept while they answer, and then to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from scheduling import queries, service, waitlist
from scheduling.models import Booking, BookingState
from scheduling.rules import Code, NotBooked
from scheduling.shares import held_of
from scheduling.waiting_models import Offer, OfferState, Wait, WaitState
from tests.scheduling.conftest import TODAY, week


class Place:
    def __init__(self, database, place_id, at, now):
        self.database, self.place_id, self.at, self.now = database, place_id, at, now

    def book(self, starts_at, groups=(), holder_id=None):
        with self.database.writing() as session:
            return service.book(
                session,
                place_id=self.place_id,
                holder_id=holder_id or uuid4(),
                starts_at=starts_at,
                now=self.now,
                channel="text",
                groups=groups,
            )

    def fill(self, starts_at, capacity=2):
        return [self.book(starts_at) for _ in range(capacity)]

    def wait(self, starts_at=None, groups=(), holder_id=None, later=0):
        with self.database.writing() as session:
            return waitlist.ask(
                session,
                place_id=self.place_id,
                holder_id=holder_id or uuid4(),
                day=TODAY,
                starts_at=starts_at,
                groups=groups,
                channel="text",
                now=self.now + timedelta(seconds=later),
            )

    def drop(self, booking):
        with self.database.writing() as session:
            service.drop(session, booking_id=booking.id, now=self.now)

    def offers(self):
        with self.database.reading() as session:
            assert queries.discrepancies(session) == []
            return waitlist.open_offers(session, self.place_id)

    def accept(self, offer, now=None):
        with self.database.writing() as session:
            return waitlist.accept(session, offer_id=offer.id, now=now or self.now)


@pytest.fixture
def here(database, place_id, at, now):
    return Place(database, place_id, at, now)


@pytest.fixture
def full(here, at):
    return here.fill(at(9))


def test_a_freed_place_is_kept_for_the_first_in_line_and_is_theirs_when_they_take_it(here, full, at, now):
    first, second = here.wait(at(9)), here.wait(at(9), later=1)
    here.drop(full[0])
    (offer,) = here.offers()
    assert (offer.holder_id, offer.starts_at, offer.expires_at) == (first.holder_id, at(9), now + timedelta(minutes=30))
    with pytest.raises(NotBooked) as refused:
        here.book(at(9))
    assert refused.value.code == Code.FULL, "nobody takes it in between"
    booking = here.accept(offer)
    assert (booking.holder_id, booking.starts_at) == (first.holder_id, at(9))
    assert here.accept(offer).id == booking.id, "the same answer again is answered the same"
    assert here.offers() == []
    with here.database.reading() as session:
        assert session.get_one(Wait, first.id).state == WaitState.MET
        assert session.get_one(Wait, second.id).state == WaitState.WAITING


def test_an_offer_that_is_not_answered_goes_to_the_next_and_the_late_answer_hears_so(here, full, at, now):
    here.wait(at(9))
    second = here.wait(at(9), later=1)
    here.drop(full[0])
    (offer,) = here.offers()
    late = now + timedelta(minutes=30)
    with pytest.raises(NotBooked) as refused:
        here.accept(offer, late)
    assert refused.value.code == Code.OFFER_OVER
    with here.database.writing() as session:
        lapsed = waitlist.lapse_next(session, place_id=here.place_id, now=late)
        assert lapsed is not None
        assert lapsed.id == offer.id
    (other,) = here.offers()
    assert other.holder_id == second.holder_id
    with here.database.writing() as session:
        assert waitlist.lapse_next(session, place_id=here.place_id, now=late) is None
        waitlist.decline(session, offer_id=other.id, now=late)
    assert here.offers() == [], "nobody is offered the same place twice"
    assert here.book(at(9))


def test_nobody_is_offered_two_places_at_once(here, at, now):
    early, late = here.fill(at(8)), here.fill(at(9))
    for starts in (7, 7.25, 7.5, 7.75, 8.25, 8.5, 8.75, 9.25, 9.5, 9.75):
        here.fill(at(int(starts), int(starts % 1 * 60)))
    one, two = here.wait(), here.wait(later=1)
    here.drop(early[0])
    here.drop(late[0])
    offers = here.offers()
    assert {offer.holder_id for offer in offers} == {one.holder_id, two.holder_id}
    with pytest.raises(IntegrityError), here.database.writing() as session:
        session.execute(
            text(
                "INSERT INTO offer SELECT gen_random_uuid(), wait_id, place_id, holder_id, starts_at, share, made_at, "
                "expires_at, state, NULL, NULL FROM offer LIMIT 1"
            )
        )


def test_a_held_place_is_offered_to_those_it_is_held_for_whoever_else_is_first(here, at, now):
    with here.database.writing() as session:
        hours = [replace(each, held=held_of({"new": 1})) for each in week(capacity=2)]
        service.set_hours(session, place_id=here.place_id, hours=hours, from_day=TODAY)
    new = here.book(at(9), groups={"new"})
    here.book(at(9))
    here.wait(at(9))
    theirs = here.wait(at(9), groups={"new"}, later=5)
    here.drop(new)
    (offer,) = here.offers()
    assert (offer.holder_id, offer.share) == (theirs.holder_id, "new")


def test_at_night_nothing_is_offered_and_in_the_morning_what_is_free_is(here, full, at, now):
    wait = here.wait(at(9))
    night = at(3)
    with here.database.writing() as session:
        service.drop(session, booking_id=full[0].id, now=night)
    assert here.offers() == []
    with here.database.writing() as session:
        (free,) = waitlist.slots_to_offer(session, place_id=here.place_id, now=now)
        waitlist.pass_on(session, place_id=here.place_id, starts_at=free, now=now)
    assert [offer.holder_id for offer in here.offers()] == [wait.holder_id]


def test_who_has_a_worse_time_that_day_exchanges_it_and_theirs_goes_on(here, full, at, now):
    theirs = here.book(at(7, 30))
    here.fill(at(7, 30), 1)
    here.wait(at(9), holder_id=theirs.holder_id)
    other = here.wait(at(7, 30))
    here.drop(full[0])
    (offer,) = here.offers()
    booking = here.accept(offer)
    assert booking.moved_from == theirs.id
    assert [(o.holder_id, o.starts_at) for o in here.offers()] == [(other.holder_id, at(7, 30))]
    with here.database.reading() as session:
        assert session.get_one(Booking, theirs.id).state is BookingState.MOVED


@pytest.mark.parametrize("way", ["booked elsewhere that day", "withdrawn", "day over", "closed"])
def test_a_wish_ends_when(here, full, at, now, way):
    for hour in (7, 8):
        for minute in (0, 15, 30, 45):
            here.fill(at(hour, minute))
    for minute in (15, 30, 45):
        here.fill(at(9, minute))
    wait = here.wait()
    here.drop(full[0])
    (offer,) = here.offers()
    with here.database.writing() as session:
        if way == "withdrawn":
            waitlist.withdraw(session, wait_id=wait.id, now=now)
        elif way == "day over":
            waitlist.over(session, place_id=here.place_id, now=now + timedelta(days=1))
        elif way == "closed":
            service.close(session, place_id=here.place_id, first_day=TODAY, last_day=TODAY, reason="flood")
            waitlist.withdraw_on(session, place_id=here.place_id, first_day=TODAY, last_day=TODAY, now=now)
        else:
            waitlist.accept(session, offer_id=offer.id, now=now)
    assert here.offers() == [] or way == "day over"
    with here.database.reading() as session:
        state = {"booked elsewhere that day": "met", "withdrawn": "withdrawn", "day over": "over", "closed": "waiting"}
        assert session.get_one(Wait, wait.id).state == state[way]


def test_nobody_is_put_in_line_for_what_is_free_closed_over_or_theirs(here, at, now):
    def code(**asked):
        with pytest.raises(NotBooked) as refused:
            here.wait(**asked)
        return refused.value.code

    assert code(starts_at=at(9)) == Code.FREE
    booking = here.book(at(9))
    here.fill(at(9), 1)
    assert code(starts_at=at(9), holder_id=booking.holder_id) == Code.ALREADY_BOOKED
    assert code(starts_at=at(12)) == Code.OUTSIDE_HOURS
    with here.database.writing() as session:
        service.close(session, place_id=here.place_id, first_day=TODAY, last_day=TODAY, reason="flood")
    assert code() == Code.CLOSED


def test_an_offer_is_answered_once_and_a_turn_is_kept(here, full, at):
    wait = here.wait(at(9))
    again = here.wait(holder_id=wait.holder_id, starts_at=at(9), later=60)
    assert (again.id, again.asked_at) == (wait.id, wait.asked_at)
    here.drop(full[0])
    (offer,) = here.offers()
    here.accept(offer)
    for statement in (
        "UPDATE offer SET state = 'open', settled_at = NULL, booking_id = NULL",
        "UPDATE wait SET state = 'waiting', settled_at = NULL",
    ):
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(text(statement))
    with here.database.reading() as session:
        assert session.scalars(select(Offer.state)).all() == [OfferState.TAKEN]


def test_a_place_is_at_work_while_somebody_waits_is_offered_one_or_is_to_be_moved(here, full, at, now):
    def at_work():
        with here.database.reading() as session:
            return waitlist.places_at_work(session)

    assert at_work() == set(), "who is booked waits for nothing"
    wait = here.wait(at(9))
    assert at_work() == {here.place_id}
    here.drop(full[0])
    (offer,) = here.offers()
    assert at_work() == {here.place_id}, "a place is kept"
    here.accept(offer)
    assert (at_work(), wait.holder_id) == (set(), offer.holder_id)
    with here.database.writing() as session:
        service.close(session, place_id=here.place_id, first_day=TODAY, last_day=TODAY, reason="flood")
    assert at_work() == {here.place_id}, "those of a closed day are to be moved"
