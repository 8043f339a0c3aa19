"""Telling everybody who is booked on days that a place closes, and that they are open after all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from uuid import UUID
from zoneinfo import ZoneInfo

import notifications.service
import scheduling.closing
import scheduling.queries
import scheduling.standing
import scheduling.waitlist
from dispensary.database import WriteSession
from dispensary.phone import tasks
from dispensary.phone.moved import give_back
from dispensary.phone.offering import tell_offers
from dispensary.phone.regulars import make_for
from dispensary.phone.withdrawing import heard, waiting, withdraw
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from notifications.models import Message
from notifications.queries import gets_texts
from notifications.texts import MOST_CHOICES
from scheduling.models import Booking
from scheduling.service import Reopened


@dataclass(frozen=True)
class Told:
    """Whom a closure concerns."""

    texted: list[ClientId]
    by_other_means: list[ClientId]
    """Those who get no texts; each is on the front desk's list."""


def tell_closure(
    session: WriteSession,
    *,
    site: Place,
    bookings: Sequence[Booking],
    first_day: date,
    last_day: date,
    at: datetime,
    moves: bool = False,
) -> Told:
    """Asks each client who is booked on these days to choose another time, once; call it with what `close` returned.

    Places that are kept for somebody on these days are taken back, and they are told too.

    Their bookings stand until they move them: the time that they choose after SLOTS is where the booking goes. With
    `moves` they are not asked: each is moved and told after this unit (`dispensary.phone.moved.settle_open`). A text
    that still waits, and says that one of these days is open after all, is not sent any more.
    """
    open_again = waiting(session, Message.reason_key.startswith(_opened(site)))
    withdraw(session, [each for each in open_again if first_day <= _day_opened(each) <= last_day], at)
    offered = scheduling.waitlist.withdraw_on(session, place_id=site.id, first_day=first_day, last_day=last_day, now=at)
    kind, fields = "closure", {"day": first_day}
    if last_day > first_day:
        kind, fields = "closure_days", {"day": first_day, "last": last_day}
    told = Told([], [])
    closure_id = scheduling.queries.newest_closure(session, site.id, first_day, last_day)
    assert closure_id is not None, "the days were closed before anybody is told"
    concerned = [(one.holder_id, one.starts_at) for one in offered]
    if moves:
        hear_of_it = {one.holder_id for one in bookings}
        concerned = [each for each in concerned if each[0] not in hear_of_it]
    else:
        scheduling.closing.settle_asked(session, closure_id=closure_id, now=at)
        concerned += [(one.holder_id, one.starts_at) for one in bookings]
    until_when = {
        ClientId(holder): starts_at for holder, starts_at in sorted(concerned, key=itemgetter(1), reverse=True)
    }
    for client_id, until in until_when.items():
        notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind=kind,
            reason_key=_about(closure_id, client_id),
            fields=fields,
            zone=ZoneInfo(site.zone),
            now=at,
            valid_until=until,
        )
        if gets_texts(session, client_id):
            told.texted.append(client_id)
        else:
            tasks.leave_task(session, cause=tasks.SHUT, client_id=client_id, site_id=site.id, at=at)
            told.by_other_means.append(client_id)
    return told


def tell_reopening(session: WriteSession, *, site: Place, closure_id: UUID, reopened: Reopened, at: datetime) -> Told:
    """Withdraws the texts of a closure that still wait, and tells whoever heard of it that the site is open after all.

    Once for this closure: who is still booked on a day that is open again is told their bookings, and who gave one up
    or moved it after such a text is told that its day is open. A day that stays shut for another reason is named to
    nobody. Who is booked and cannot be told by text is on the front desk's list; who is not has made other plans.
    Weekly times are booked on these days again, and who waits for a place on them is offered what is free. Whom the
    closure moved is given their time back, or told that they can have it (`dispensary.phone.moved`).
    """
    told = Told([], [])
    give_back(session, site=site, closure_id=closure_id, reopened=reopened, at=at)
    for holder_id in scheduling.standing.holders(session, site.id, reopened.first_day):
        make_for(session, site=site, client_id=ClientId(holder_id), at=at)
    _offer_again(session, site, reopened, at)
    shut = set(reopened.still_shut)
    booked = _by_holder(each for each in reopened.standing if each.day not in shut)
    gave_up = _by_holder(each for each in reopened.given_up if each.day not in shut)
    keys = [_about(closure_id, each) for each in _by_holder([*reopened.standing, *reopened.given_up])]
    spared = withdraw(session, waiting(session, Message.reason_key.in_(keys)), at)
    have_heard = heard(session, keys)
    for client_id, bookings in booked.items():
        if client_id in spared:
            continue
        starts = [each.starts_at for each in bookings if each.starts_at > at]
        fields = {"bookings": starts[:MOST_CHOICES]}
        if (
            client_id in have_heard
            and starts
            and _tell_open(session, site, closure_id, bookings[0], fields, starts[0], at)
        ):
            told.texted.append(client_id)
        else:
            tasks.leave_task(session, cause=tasks.OPEN_AGAIN, client_id=client_id, site_id=site.id, at=at)
            told.by_other_means.append(client_id)
    for client_id, bookings in gave_up.items():
        first = next((each for each in bookings if each.starts_at > at), None)
        if client_id not in have_heard or first is None:
            continue
        if _tell_open(session, site, closure_id, first, {"day": first.day}, first.starts_at, at):
            told.texted.append(client_id)
    return told


def _offer_again(session: WriteSession, site: Place, reopened: Reopened, at: datetime) -> None:
    for starts_at in scheduling.waitlist.slots_to_offer(session, place_id=site.id, now=at):
        if reopened.first_day <= starts_at.astimezone(ZoneInfo(site.zone)).date() <= reopened.last_day:
            scheduling.waitlist.pass_on(session, place_id=site.id, starts_at=starts_at, now=at)
    tell_offers(session, site=site, at=at)


def _by_holder(bookings: Iterable[Booking]) -> dict[ClientId, list[Booking]]:
    found: dict[ClientId, list[Booking]] = {}
    for each in bookings:
        found.setdefault(ClientId(each.holder_id), []).append(each)
    return found


def _tell_open(
    session: WriteSession,
    site: Place,
    closure_id: UUID,
    about: Booking,
    fields: Mapping[str, object],
    until: datetime,
    at: datetime,
) -> bool:
    """Whether a text is queued for the holder of this booking."""
    return (
        notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=about.holder_id,
            kind="open_after_all_booked" if "bookings" in fields else "open_after_all",
            reason_key=f"{_opened(site)}{about.day}:{closure_id}:{about.holder_id}",
            fields=fields,
            zone=ZoneInfo(site.zone),
            now=at,
            valid_until=until,
        )
        is not None
    )


def _about(closure_id: UUID, client_id: ClientId) -> str:
    """A closure that is made again after it was opened is told again: it has another id."""
    return f"closure:{closure_id}:{client_id}"


def _opened(site: Place) -> str:
    """What the reasons of texts begin with that say that a day at this site is open after all; the day follows."""
    return f"open:{site.id}:"


def _day_opened(message: Message) -> date:
    return date.fromisoformat(message.reason_key.split(":")[2])
