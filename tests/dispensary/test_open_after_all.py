"""A closure is taken back: who was told that it is closed is told, once, that it is open after all."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

import notifications.service
import scheduling.queries
import scheduling.service
from dispensary.phone.tasks import OPEN_AGAIN
from dispensary.units import ClientId
from notifications.models import Message, State
from tests.dispensary.desk_place import Desks
from tests.dispensary.test_public_holidays import CHRISTMAS, booked, closes, closure_on, reopens, texts, to_do
from tests.dispensary.test_public_holidays import here as here  # the fixture

PHONE = "+60123456789"
CLOSED = "We will be closed on Fri 25 Dec. Please do not come then. Reply SLOTS for other times."


def sent(here: Desks, state: State = State.SENT) -> None:
    """What waits goes out, and comes this far."""
    gone = {"state": state, "gateway": "console", "next_attempt_at": None, "changed_at": here.place.now}
    with here.database.writing() as session:
        for message in session.scalars(select(Message).where(Message.state == State.QUEUED)):
            gone["provider_id"] = f"SM{message.id}" if state is not State.FAILED else None
            session.execute(update(Message).where(Message.id == message.id).values(**gone))


def gives_up(here: Desks, client: ClientId, to: date | None = None) -> None:
    with here.database.writing() as session:
        (theirs,) = scheduling.queries.bookings_of(session, client, here.place.now)
        if to is None:
            scheduling.service.drop(session, booking_id=theirs.id, now=here.place.now)
        else:
            later = theirs.starts_at + (to - theirs.day)
            scheduling.service.move(session, booking_id=theirs.id, starts_at=later, now=here.place.now)


def shuts(here: Desks, first: date, last: date) -> None:
    days = {"first_day": str(first), "last_day": str(last), "closure_reason": "no water"}
    assert here.administrator.post("/office/closures", days).status_code == 303


class TestWhoIsTold:
    @pytest.mark.parametrize("state", [State.SENT, State.DELIVERED])
    def test_who_stayed_booked_is_told_that_it_is_open_and_when_they_come(self, here: Desks, state: State) -> None:
        booked(here, CHRISTMAS, PHONE)
        closes(here, CHRISTMAS)
        sent(here, state)

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE) == [CLOSED, "We are open after all. You are booked for Fri 25 Dec 08:00."]
        assert to_do(here) == []

    @pytest.mark.parametrize("to", [None, date(2026, 12, 26)], ids=["dropped", "moved"])
    def test_who_gave_their_booking_up_or_moved_it_is_told_that_the_day_is_open(
        self, here: Desks, to: date | None
    ) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here, CHRISTMAS)
        sent(here)
        gives_up(here, client, to)

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE) == [CLOSED, "We are open on Fri 25 Dec after all. Reply SLOTS for free times."]
        assert to_do(here) == []

    def test_who_had_given_it_up_before_anybody_closed_is_told_nothing(self, here: Desks) -> None:
        gives_up(here, booked(here, CHRISTMAS, PHONE))
        closes(here, CHRISTMAS)

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE) == []
        assert to_do(here) == []

    def test_whom_the_text_did_not_reach_is_told_by_the_front_desk_if_they_are_booked(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here, CHRISTMAS)
        sent(here, State.FAILED)

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE) == [CLOSED]
        assert (OPEN_AGAIN, client) in to_do(here)

    def test_who_wants_no_more_texts_is_told_by_the_front_desk(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here, CHRISTMAS)
        sent(here)
        with here.database.writing() as session:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client,
                phone=PHONE,
                language="en",
                region="MY",
                now=here.place.now,
                consented=False,
            )

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE) == [CLOSED]
        assert (OPEN_AGAIN, client) in to_do(here)

    def test_in_their_language_and_with_nothing_that_says_what_for(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        with here.database.writing() as session:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client,
                phone=PHONE,
                language="ms",
                region="MY",
                now=here.place.now,
            )
        closes(here, CHRISTMAS)
        sent(here)

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE)[-1] == "Kami tidak jadi tutup. Tempahan anda: Jum 25 Dis 08:00."


class TestDays:
    def test_a_day_that_stays_shut_is_named_to_nobody(self, here: Desks) -> None:
        booked(here, CHRISTMAS, PHONE)
        gives_up(here, booked(here, CHRISTMAS, "+60123456780", hour=9))
        both = booked(here, CHRISTMAS, "+60123456781")
        with here.database.writing() as session:
            scheduling.service.book(
                session,
                place_id=here.place.site_id,
                holder_id=both,
                starts_at=scheduling.queries.slots_on(session, here.place.site_id, date(2026, 12, 26))[0].starts_at,
                now=here.place.now,
                channel="desk",
            )
        closes(here, CHRISTMAS)
        shuts(here, date(2026, 12, 24), date(2026, 12, 26))
        sent(here)
        before = len(texts(here, PHONE))

        reopens(here, date(2026, 12, 26))

        assert len(texts(here, PHONE)) == before
        assert not [text for text in texts(here, "+60123456780") if "after all" in text]
        assert texts(here, "+60123456781")[-1] == "We are open after all. You are booked for Sat 26 Dec 07:00."
        assert to_do(here) == [], "who is booked on a day that stays shut is not asked to come"

    def test_a_time_that_has_passed_is_told_to_nobody_by_text(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here, CHRISTMAS)
        sent(here)
        here.days_pass((CHRISTMAS - here.today).days)
        here.place.now = here.clock.moment = datetime.combine(CHRISTMAS, time(8, 30), ZoneInfo("Asia/Kuala_Lumpur"))
        here.administrator.signs_in("administrator")

        reopens(here, CHRISTMAS)

        assert texts(here, PHONE) == [CLOSED]
        assert (OPEN_AGAIN, client) in to_do(here)


class TestOnce:
    def test_closed_again_before_it_went_out_it_does_not_go_out_any_more(self, here: Desks) -> None:
        booked(here, CHRISTMAS, PHONE)
        closes(here, CHRISTMAS)
        sent(here)
        reopens(here, CHRISTMAS)

        closes(here, CHRISTMAS)

        with here.database.reading() as session:
            kinds = session.execute(select(Message.kind, Message.state).order_by(Message.id)).all()
        assert [tuple(row) for row in kinds] == [
            ("closure", State.SENT),
            ("open_after_all_booked", State.EXPIRED),
            ("closure", State.QUEUED),
        ]
        assert to_do(here) == []

    def test_each_closure_that_is_taken_back_is_told_once(self, here: Desks) -> None:
        booked(here, CHRISTMAS, PHONE)
        for _ in range(2):
            closes(here, CHRISTMAS)
            sent(here)
            closure = {"closure": str(closure_on(here, CHRISTMAS))}
            for _ in range(2):
                here.administrator.post("/office/closures/reopen", closure)
            sent(here)

        assert len([text for text in texts(here, PHONE) if "after all" in text]) == 2

    def test_the_page_and_the_trail_say_how_it_was_told(self, here: Desks) -> None:
        booked(here, CHRISTMAS, PHONE)
        gives_up(here, booked(here, CHRISTMAS, "+60123456780", hour=9))
        closes(here, CHRISTMAS)
        sent(here)

        said = reopens(here, CHRISTMAS)

        assert "they get a text, or the front desk tells them" in said
        assert here.acts_about(here.place.site_id)[-1] == "opened site again"
