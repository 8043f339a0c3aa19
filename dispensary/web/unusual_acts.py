"""Acts on what is not as usual at the counter, for pages and API alike, and what comes next after each.

Each function is one act within the caller's unit of work, done once for its key. Where something was swallowed, the
client has been served, and their visit ends in the same act, as it does with a usual dose.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import scheduling.service
from dispensary.clients.guests import home_of
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.rules import Actor
from dispensary.supplies import extras, mishaps, wrong_doses
from dispensary.supplies.exception_rows import exception_id_of
from dispensary.supplies.exceptions_rules import SEEN_AGAIN, ExceptionKind
from dispensary.supplies.models import DoseException
from dispensary.supplies.unusual import Unusual, unusual_of
from dispensary.supplies.writing import Handed
from dispensary.supplies.wrong_doses import Wrong
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams


class Next(StrEnum):
    """What is to be done about an exception, in the order in which it is done."""

    CALL_AT_ONCE = "call_at_once"
    CALL_PRESCRIBER = "call_prescriber"
    OBSERVE = "observe"
    GIVE_NALOXONE = "give_naloxone"
    GIVE_AGAIN = "give_again"
    SEE_AGAIN = "see_again"
    PRESCRIBER_REVIEWS = "prescriber_reviews"
    CLOSE = "close"
    PRESCRIBER_WAS_TOLD = "prescriber_was_told"
    AS_MISSED_DAYS_SAY = "as_missed_days_say"


_AT_ONCE, _NALOXONE = "call_prescriber_at_once", "give_naloxone"


def what_comes_next(one: Unusual, today: DoseDay) -> tuple[Next, ...]:
    """What is still to be done about it on this day; nothing once it is closed and nobody waits for anything."""
    row, kind = one.row, ExceptionKind(one.row.kind)
    if row.closed_at is not None:
        left = {
            ExceptionKind.PARTLY_TAKEN: (Next.PRESCRIBER_WAS_TOLD,),
            ExceptionKind.LATE: (Next.AS_MISSED_DAYS_SAY,),
        }
        return left.get(kind, ())
    if kind in SEEN_AGAIN:
        return (Next.SEE_AGAIN,) if row.dose_day == today else (Next.CLOSE,)
    steps = []
    if one.awaits_answer:
        steps.append(Next.CALL_AT_ONCE if _AT_ONCE in one.consequences else Next.CALL_PRESCRIBER)
    if row.observe_until is not None:
        steps.append(Next.OBSERVE)
    if _NALOXONE in one.consequences:
        steps.append(Next.GIVE_NALOXONE)
    if one.to_give_mg is not None and row.dose_day == today:
        steps.append(Next.GIVE_AGAIN)
    elif row.blocks:
        steps.append(Next.PRESCRIBER_REVIEWS)
    elif not one.awaits_answer:
        steps.append(Next.CLOSE)
    return tuple(steps)


def exception_of(session: ReadSession, *, actor: Actor, client_id: ClientId, exception_id: UUID) -> DoseException:
    """An exception of this client, written at the actor's site or about its own client. Raises NotThere."""
    about = session.get(DoseException, exception_id)
    if (
        about is None
        or about.client_id != client_id
        or actor.site_id not in (about.site_id, home_of(session, client_id))
    ):
        raise NotThere(Refusal("no-exception", "There is no such thing to answer here.", "Open the client again."))
    return about


def as_read(session: ReadSession, *, about: DoseException) -> Unusual:
    """The exception as the counter reads it: with its client, who was called, and what was given under it."""
    found = unusual_of(session, client_id=ClientId(about.client_id), today=about.dose_day)
    return next(one for one in found if one.row.id == about.id)


def partly_taken(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    swallowed_mg: Milligrams,
    reason: str,
    second_id: AccountId | None,
    second_pin: str,
    identified_by: str,
    key: str,
    today: DoseDay,
    at: datetime,
) -> tuple[DoseException, Handed]:
    """Records what was swallowed of today's portion. Raises as `mishaps.partly_taken`."""
    handed = mishaps.partly_taken(
        session,
        actor=actor,
        client_id=client_id,
        swallowed_mg=swallowed_mg,
        reason=reason,
        second_id=second_id,
        second_pin=second_pin,
        identified_by=identified_by,
        key=key,
        today=today,
        at=at,
    )
    return _served(session, actor, client_id, handed, key, at)


def top_up(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    mg: Milligrams,
    prescriber_id: AccountId | None,
    said: str,
    identified_by: str,
    well: bool,
    key: str,
    today: DoseDay,
    at: datetime,
) -> tuple[DoseException, Handed]:
    """Gives more on the day of an increase. Raises as `extras.top_up`."""
    handed = extras.top_up(
        session,
        actor=actor,
        client_id=client_id,
        mg=mg,
        prescriber_id=prescriber_id,
        said=said,
        identified_by=identified_by,
        well=well,
        key=key,
        today=today,
        at=at,
    )
    return _served(session, actor, client_id, handed, key, at)


def wrong_dose(
    session: WriteSession, *, actor: Actor, client_id: ClientId, wrong: Wrong, key: str, today: DoseDay, at: datetime
) -> tuple[DoseException, Handed]:
    """Records that another amount than ordered was swallowed. Raises as `wrong_doses.wrong_dose`."""
    handed = wrong_doses.wrong_dose(session, actor=actor, client_id=client_id, wrong=wrong, key=key, today=today, at=at)
    return _served(session, actor, client_id, handed, key, at)


def give_again(
    session: WriteSession,
    *,
    actor: Actor,
    exception_id: UUID,
    identified_by: str,
    well: bool,
    key: str,
    today: DoseDay,
    at: datetime,
) -> tuple[DoseException, Handed]:
    """Gives again what was allowed of a vomited dose. Raises as `extras.replace_dose`."""
    handed = extras.replace_dose(
        session,
        actor=actor,
        exception_id=exception_id,
        identified_by=identified_by,
        well=well,
        key=key,
        today=today,
        at=at,
    )
    about = session.get_one(DoseException, exception_id)
    _ends_visit(session, actor, ClientId(about.client_id), handed, at)
    return about, handed


def _served(
    session: WriteSession, actor: Actor, client_id: ClientId, handed: Handed, key: str, at: datetime
) -> tuple[DoseException, Handed]:
    """The exception that was written with the supply, and the supply."""
    _ends_visit(session, actor, client_id, handed, at)
    return session.get_one(DoseException, exception_id_of(actor.site_id, client_id, key)), handed


def _ends_visit(session: WriteSession, actor: Actor, client_id: ClientId, handed: Handed, at: datetime) -> None:
    if not handed.repeated:
        scheduling.service.finish_for(session, place_id=actor.site_id, holder_id=client_id, now=at)
