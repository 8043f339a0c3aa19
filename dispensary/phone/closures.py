"""Telling everybody who is booked on days that a place closes, and that they are open after all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select

import notifications.service
import scheduling.queries
import scheduling.standing
import scheduling.waitlist
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import tasks
from dispensary.phone.offering import tell_offers
from dispensary.phone.regulars import make_for
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from notifications.models import Message, State
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
) -> Told:
    """Texts each client who is booked on these days, once for this closure; call it with what `close` returned.

    Places that are kept for somebody on these days are taken back, and they are told too.

    Their bookings stand until they move them: the time that they choose after SLOTS is where the booking goes. A text
    that still waits, and says that one of these days is open after all, is not sent any more.
    """
    open_again = _waiting(session, Message.reason_key.startswith(_opened(site)))
    _withdraw(session, [each for each in open_again if first_day <= _day_opened(each) <= last_day], at)
    offered = scheduling.waitlist.withdraw_on(session, place_id=site.id, first_day=first_day, last_day=last_day, now=at)
    kind, fields = "closure", {"day": first_day}
    if last_day > first_day:
        kind, fields = "closure_days", {"day": first_day, "last": last_day}
    told = Told([], [])
    closure_id = scheduling.queries.newest_closure(session, site.id, first_day, last_day)
    assert closure_id is not None, "the days were closed before anybody is told"
    concerned = [(one.holder_id, one.starts_at) for one in bookings]
    concerned += [(one.holder_id, one.starts_at) for one in offered]
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
    Weekly times are booked on these days again, and who waits for a place on them is offered what is free.
    """
    told = Told([], [])
    for holder_id in scheduling.standing.holders(session, site.id, reopened.first_day):
        make_for(session, site=site, client_id=ClientId(holder_id), at=at)
    _offer_again(session, site, reopened, at)
    shut = set(reopened.still_shut)
    booked = _by_holder(each for each in reopened.standing if each.day not in shut)
    gave_up = _by_holder(each for each in reopened.given_up if each.day not in shut)
    keys = [_about(closure_id, each) for each in _by_holder([*reopened.standing, *reopened.given_up])]
    spared = _withdraw(session, _waiting(session, Message.reason_key.in_(keys)), at)
    heard = _heard(session, keys)
    for client_id, bookings in booked.items():
        if client_id in spared:
            continue
        starts = [each.starts_at for each in bookings if each.starts_at > at]
        fields = {"bookings": starts[:MOST_CHOICES]}
        if client_id in heard and starts and _tell_open(session, site, closure_id, bookings[0], fields, starts[0], at):
            told.texted.append(client_id)
        else:
            tasks.leave_task(session, cause=tasks.OPEN_AGAIN, client_id=client_id, site_id=site.id, at=at)
            told.by_other_means.append(client_id)
    for client_id, bookings in gave_up.items():
        first = next((each for each in bookings if each.starts_at > at), None)
        if client_id not in heard or first is None:
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


def _heard(session: ReadSession, keys: Sequence[str]) -> set[ClientId]:
    """To whom one of these texts may have gone."""
    out = (State.SENDING, State.UNKNOWN, State.SENT, State.DELIVERED)
    found = session.scalars(select(Message.recipient_id).where(Message.reason_key.in_(keys), Message.state.in_(out)))
    return {ClientId(each) for each in found if each is not None}


def _waiting(session: WriteSession, which: ColumnElement[bool]) -> Sequence[Message]:
    """The texts of these that nobody has tried to send yet, locked.

    A sender that claims texts passes over what is locked here; one that it has claimed is not `queued` any more.
    """
    waiting = select(Message).where(which, Message.state == State.QUEUED).order_by(Message.id)
    return session.scalars(waiting.with_for_update()).all()


def _withdraw(session: WriteSession, messages: Iterable[Message], at: datetime) -> set[ClientId]:
    """Takes texts back before they are sent; returns whose they were."""
    spared = set()
    for message in messages:
        notifications.service.move(
            session, message_id=message.id, state=State.EXPIRED, code=tasks.WITHDRAWN, provider_id=None, now=at
        )
        assert message.recipient_id is not None, "a closure is told to somebody we know"
        spared.add(ClientId(message.recipient_id))
    return spared


def _about(closure_id: UUID, client_id: ClientId) -> str:
    """A closure that is made again after it was opened is told again: it has another id."""
    return f"closure:{closure_id}:{client_id}"


def _opened(site: Place) -> str:
    """What the reasons of texts begin with that say that a day at this site is open after all; the day follows."""
    return f"open:{site.id}:"


def _day_opened(message: Message) -> date:
    return date.fromisoformat(message.reason_key.split(":")[2])
