"""What the clockwork does for the phone line: offers pass on, weekly times are booked, some texts are sent unasked.

Each slot and each client is a unit of work of its own: a unit that held the slots of many would wait in a circle.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID

import scheduling.queries
import scheduling.standing
import scheduling.waitlist
from dispensary.database import Database, WriteSession
from dispensary.phone.caring import tell_stopped
from dispensary.phone.feedback import ask_after_visits
from dispensary.phone.missing import tell_missed
from dispensary.phone.moved import settle_open
from dispensary.phone.offering import tell_offers
from dispensary.phone.regulars import make_for
from dispensary.phone.reminding import remind_of_sessions, tell_reviews
from dispensary.staff.queries import Place, sites_here
from dispensary.staff.rules import the_program
from dispensary.units import ClientId
from scheduling.waiting_models import Offer


def bookable_sites(database: Database) -> list[Place]:
    """The sites that somebody can book at."""
    with database.reading() as session:
        return [site for site in sites_here(session) if scheduling.queries.is_place(session, site.id)]


def work_waiting_list(database: Database, now: datetime) -> int:
    """Ends offers whose time is over, offers what is free and waited for, and tells whom. Says how many it offered.

    Before it looks for free places, whoever is booked on closed days and was not moved yet has theirs.
    """
    with database.reading() as session:
        at_work = scheduling.waitlist.places_at_work(session)
        sites = [site for site in sites_here(session) if site.id in at_work]
    return sum(_work_one(database, site, now) for site in sites)


def _work_one(database: Database, site: Place, now: datetime) -> int:
    settle_open(database, site=site, actor=the_program(site.id), at=now)
    lapse = partial(_lapse, place_id=site.id, now=now)
    while database.write(lapse) is not None:
        pass
    with database.reading() as session:
        free = scheduling.waitlist.slots_to_offer(session, place_id=site.id, now=now)
    offered = 0
    for starts_at in free:
        with database.writing() as session:
            offered += len(scheduling.waitlist.pass_on(session, place_id=site.id, starts_at=starts_at, now=now))
    with database.writing() as session:
        scheduling.waitlist.over(session, place_id=site.id, now=now)
        tell_offers(session, site=site, at=now)
    return offered


def _lapse(session: WriteSession, *, place_id: UUID, now: datetime) -> Offer | None:
    return scheduling.waitlist.lapse_next(session, place_id=place_id, now=now)


def book_weekly_times(database: Database, site: Place, now: datetime) -> int:
    """Books everybody's weekly times at a site up to the horizon, those who asked first before the others."""
    with database.reading() as session:
        today = scheduling.queries.day_at(session, site.id, now)
        holders = scheduling.standing.holders(session, site.id, today)
    booked = 0
    for holder in holders:
        with database.writing() as session:
            booked += len(make_for(session, site=site, client_id=ClientId(holder), at=now).bookings)
    return booked


def nightly(database: Database, site: Place, now: datetime, _: WriteSession) -> dict[str, object]:
    """The same as a night's job, which keeps how many were booked; each client's unit is committed by itself."""
    return {"booked": book_weekly_times(database, site, now)}


def write_of_itself(database: Database, now: datetime) -> int:
    """Queues what nobody asked for at this moment: about a missed day, days without a dose, a review
    or a session ahead, a visit that is over.

    Each to those alone who said that they want it. One site's unit does not wait for another's.
    """
    queued = 0
    for site in bookable_sites(database):
        for tell in (tell_missed, tell_stopped, tell_reviews, remind_of_sessions, ask_after_visits):
            with database.writing() as session:
                queued += tell(session, site=site, now=now)
    return queued
