"""A client with whom everything is planned that can be, for tests of what becomes of it when their stay ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select

import notifications.service
from dispensary.care.plans import plans, usual
from dispensary.care.sessions import begin_plan
from dispensary.care.visits import Purpose, plan_visit
from dispensary.clients.contacts import note_visit_wish
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import begin_episode
from dispensary.clients.tasks import open_task
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import WriteSession
from dispensary.phone import front_desk, regulars
from dispensary.phone.clockwork import book_weekly_times, work_waiting_list, write_of_itself
from dispensary.phone.reminding import queue_reminders
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from dispensary.web.dosing_acts import leave
from notifications.models import Message, State
from tests.dispensary.phones import KL, Line
from tests.notifications.test_texts import fields_for

EVERY_WISH = Wishes(bookings=True, reminder=True, missed=True, reviews=True, news=True, feedback=True)


def done(here: Line, act: Callable[[WriteSession], object]) -> None:
    with here.database.writing() as session:
        act(session)


def met(here: Line, phone: str | None = None) -> ClientId:
    """A client with whom everything is planned that can be: visits, sessions, bookings, weekly times, a place."""
    client, place = here.client(phone), here.clinic
    doctor, today, at = place.doctor, place.today, place.now
    assert place.pharmacist.account_id is not None
    with here.database.writing() as session:
        set_wishes(session, actor=doctor, client_id=client, wishes=EVERY_WISH, at=at)
        note_visit_wish(session, actor=doctor, client_id=client, agreed=True, where="Blue door", today=today, at=at)
        for days in (0, 4, 20):
            plan_visit(
                session,
                actor=doctor,
                client_id=client,
                visitor_id=place.pharmacist.account_id,
                on=today + timedelta(days=days),
                purpose=Purpose.LOOK,
                today=today,
                at=at,
            )
        begin_plan(
            session,
            actor=doctor,
            client_id=client,
            plan="before-sentence",
            first=today + timedelta(days=1),
            at_time=time(9, 30),
            minutes=45,
            chosen=usual(plans()["before-sentence"]),
            agreed=True,
            key=uuid4(),
            today=today,
            at=at,
        )
        open_task(
            session,
            site_id=place.site_id,
            client_id=client,
            role=Role.DOCTOR,
            kind="review",
            sentence="Look at the level",
            due_on=today + timedelta(days=5),
            opened_by=doctor.account_id,
            at=at,
        )
    soon = datetime.combine(today + timedelta(days=3), time(8), tzinfo=KL)
    regular = (today + timedelta(days=2)).weekday()
    who = {"actor": doctor, "site": here.site, "client_id": client, "at": at}
    done(here, lambda s: front_desk.book_for(s, starts_at=soon, **who))
    done(here, lambda s: regulars.begin_for(s, weekdays=[regular], clock=time(9), **who))
    return client


def left(
    here: Line, client: ClientId, reason: ExitReason, *, sessions_go_on: bool = False, ended_on: date | None = None
) -> None:
    with here.database.writing() as session:
        leave(
            session,
            actor=here.clinic.doctor,
            client_id=client,
            ended_on=ended_on or here.clinic.today,
            reason=reason,
            sessions_go_on=sessions_go_on,
            at=here.clinic.now,
        )


def back(here: Line, client: ClientId) -> None:
    """A stay that was ended in error: the next begins on the day on which it ended."""
    with here.database.writing() as session:
        begin_episode(
            session,
            actor=here.clinic.doctor,
            client_id=client,
            began_on=here.clinic.today,
            today=here.clinic.today,
            at=here.clinic.now,
        )


def days_go_by(here: Line, days: int) -> None:
    """Everything that writes of itself has its turn, in the evening and after opening, on each of these days."""
    for number in range(days + 1):
        day = here.clinic.today + timedelta(days=number)
        for hour in (10, 18, 20):
            moment = datetime.combine(day, time(hour), tzinfo=KL)
            done(here, lambda session, moment=moment: queue_reminders(session, now=moment))
            write_of_itself(here.database, moment)
            work_waiting_list(here.database, moment)
        book_weekly_times(here.database, here.site, moment)


def waiting_texts(here: Line, client: ClientId) -> set[str]:
    """The kinds of texts that are on their way to somebody."""
    with here.database.reading() as session:
        return set(
            session.scalars(select(Message.kind).where(Message.recipient_id == client, Message.state == State.QUEUED))
        )


def texts_to(here: Line, client: ClientId) -> int:
    with here.database.reading() as session:
        return session.scalar(select(func.count()).where(Message.recipient_id == client)) or 0


def queued(here: Line, client: ClientId, kind: str, key: str) -> UUID | None:
    with here.database.writing() as session:
        return notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client,
            kind=kind,
            reason_key=key,
            fields=fields_for(kind),
            zone=KL,
            now=here.at,
            valid_until=here.at + timedelta(days=2),
        )
