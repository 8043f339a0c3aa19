"""What is asked for ahead by text: the same time every week, a turn in the waiting list, a place that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import scheduling.standing
import scheduling.waitlist
from dispensary.phone.memory import Ask
from dispensary.phone.regulars import tell_not_made
from dispensary.phone.rules import meant, moment_at
from dispensary.phone.talk import Reply, Talk, Writer
from dispensary.phone.verbs import declined, offer_day
from notifications.commands import Verb
from scheduling.rules import Code, NotBooked
from scheduling.waiting_models import Offer, OfferState

_A_WEEK = 7


def regular(talk: Talk, weekdays: Sequence[int], clock: time | None, *, either_half: bool, sure: bool) -> Reply:
    """The same time on these weekdays until they say otherwise. A guess is confirmed first. Raises Whose."""
    writer = talk.the_one()
    if clock is None:
        return Reply("asked", "ask_regular")
    clock = meant(clock, _starts_of_a_week(talk, writer, weekdays), talk.zone, either_half=either_half)
    if sure:
        return set_regular(talk, weekdays, clock)
    at = moment_at(talk.today, clock, talk.zone)
    asked = talk.asks(Ask.REGULAR, Verb.BOOK, every=tuple(weekdays), time=clock)
    return Reply("asked", "confirm_regular", {"weekdays": tuple(weekdays), "at": at}, asked=asked)


def _starts_of_a_week(talk: Talk, writer: Writer, weekdays: Sequence[int]) -> list[datetime]:
    days = [talk.today + timedelta(days=number) for number in range(1, _A_WEEK + 1)]
    return [start for day in days if day.weekday() in weekdays for start in talk.starts_on(writer.place.id, day)]


def set_regular(talk: Talk, weekdays: Sequence[int], clock: time) -> Reply:
    """Begins it. Where there is no such slot on any of the days, the free times nearest to it are offered."""
    writer = talk.the_one()
    try:
        made = scheduling.standing.set_weekly(
            talk.session,
            place_id=writer.place.id,
            holder_id=writer.client_id,
            weekdays=weekdays,
            at=clock,
            now=talk.at,
            channel="text",
            groups=talk.groups(),
        )
    except NotBooked as refusal:
        wanted = moment_at(talk.today + timedelta(days=1), clock, talk.zone) or talk.at
        return declined(talk, writer.place.id, refusal, wanted, Verb.BOOK)
    tell_not_made(talk.session, site=writer.place, client_id=writer.client_id, not_made=made.not_made, at=talk.at)
    rules = scheduling.standing.of_holder(talk.session, writer.place.id, writer.client_id, talk.today)
    kept = tuple(sorted({rule.weekday for rule in rules if rule.at == clock and rule.weekday in weekdays}))
    first = _first_day(talk, kept)
    at = made.bookings[0].starts_at if made.bookings else moment_at(first, clock, talk.zone)
    details = {"weekdays": list(kept), "at": clock, "booked": len(made.bookings)}
    return Reply("weekly times set", "regular_set", {"weekdays": kept, "at": at}, about=writer, details=details)


def _first_day(talk: Talk, weekdays: Sequence[int]) -> date:
    days = (talk.today + timedelta(days=number) for number in range(1, _A_WEEK + 1))
    return next(day for day in days if day.weekday() in weekdays)


def has_regulars(talk: Talk) -> bool:
    """Whether whoever writes has weekly times. Raises Whose."""
    writer = talk.the_one()
    return bool(scheduling.standing.of_holder(talk.session, writer.place.id, writer.client_id, talk.today))


def end_regulars(talk: Talk) -> Reply:
    """Ends all weekly times of the writer and gives up what was booked from them. Raises Whose."""
    writer = talk.the_one()
    _, dropped = scheduling.standing.end(
        talk.session, place_id=writer.place.id, holder_id=writer.client_id, from_day=talk.today, now=talk.at
    )
    return Reply("weekly times ended", "regular_ended", about=writer, details={"dropped": len(dropped)})


def wait(talk: Talk, day: date | None, clock: time | None, *, either_half: bool) -> Reply:
    """Puts the writer in line for a full day or time: what is written, or the full one that they asked for last.

    What is free is offered in place of waiting. Raises Whose.
    """
    writer, asked = talk.the_one(), talk.asked
    start = None
    if day is None and asked is not None and asked.full is not None:
        start = asked.full
        day = talk.local_day(start)
    if day is None:
        return Reply("asked", "ask_time", asked=asked)
    if clock is not None:
        clock = meant(clock, talk.starts_on(writer.place.id, day), talk.zone, either_half=either_half)
        start = moment_at(day, clock, talk.zone)
    try:
        kept = scheduling.waitlist.ask(
            talk.session,
            place_id=writer.place.id,
            holder_id=writer.client_id,
            day=day,
            starts_at=start,
            groups=talk.groups(),
            channel="text",
            now=talk.at,
        )
    except NotBooked as refusal:
        if refusal.code in (Code.FREE, Code.CLOSED, Code.PAST):
            return offer_day(talk, writer.place.id, day, Verb.BOOK, clock=clock)
        return declined(
            talk, writer.place.id, refusal, start or moment_at(day, time(12), talk.zone) or talk.at, Verb.BOOK
        )
    details = {"wait": kept.id, "day": day}
    return Reply("waits for a place", "wait_listed", {"day": day}, about=writer, details=details)


def take(talk: Talk) -> Reply:
    """Takes the place that is kept for whoever writes; the first answer wins, and a late one hears that it is gone."""
    offer = _offer(talk)
    if offer is None:
        return Reply("refused", "offer_over", asked=talk.asked)
    try:
        booking = scheduling.waitlist.accept(talk.session, offer_id=offer.id, now=talk.at)
    except NotBooked as refusal:
        if refusal.code is Code.OFFER_OVER:
            return Reply("refused", "offer_over", asked=talk.asked)
        return declined(talk, offer.place_id, refusal, offer.starts_at, Verb.BOOK)
    return Reply("booked", "booking_confirmed", {"at": booking.starts_at}, changed=booking)


def leave(talk: Talk) -> Reply:
    """No to the place that is kept: the next in line hears of it. The wish goes on."""
    offer = _offer(talk)
    if offer is None or offer.state != OfferState.OPEN:
        return Reply("told", "nothing_changed", asked=talk.asked)
    scheduling.waitlist.decline(talk.session, offer_id=offer.id, now=talk.at)
    writer = next(each for each in talk.writers if each.client_id == offer.holder_id)
    return Reply("declined a place", "offer_declined", about=writer, details={"offer": offer.id})


def _offer(talk: Talk) -> Offer | None:
    """The latest place that was kept for one of those who may write, open ones first."""
    found = scheduling.waitlist.offered_to(talk.session, [writer.client_id for writer in talk.writers])
    kept = sorted(found, key=lambda offer: (offer.state == OfferState.OPEN, offer.made_at))
    return kept[-1] if kept else None
