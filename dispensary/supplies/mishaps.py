"""What goes wrong with a dose at the counter and moves stock: spilled, or taken in part.

What was recorded as given and was not is voided, and its register line gets a counter-entry: the book says what it
said, and what was true. What was lost has a line of its own, with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.guests import lock_at_counter
from dispensary.clients.service import no_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.stock.rules import Share
from dispensary.stock.service import write_line
from dispensary.supplies.calls import the_second
from dispensary.supplies.exception_rows import known_exception, seen_again, write_exception
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.identity import how_known
from dispensary.supplies.models import Dose, DoseException
from dispensary.supplies.moment import Reading, read_moment
from dispensary.supplies.packing import Packed
from dispensary.supplies.poured import poured_today, undo_dose
from dispensary.supplies.rules import Moment, Wanted, may_dispense
from dispensary.supplies.safety_rules import identified
from dispensary.supplies.writing import (
    Handed,
    answer_of,
    answered,
    request_digest,
    told_as_refusals,
    write_doses,
    write_register,
    write_supply,
)
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, Millilitres, new_id, plain


def spilled(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    reason: str,
    second_id: AccountId | None,
    second_pin: str,
    key: str,
    today: DoseDay,
    at: datetime,
) -> DoseException:
    """Writes off today's portion, spilled before anything of it was swallowed; it can be poured again.

    If it was recorded as given, that is undone. Raises BadInput with everything that is missing, Refused when nothing
    was poured today.
    """
    lock_at_counter(session, client_id, actor.site_id, today)
    if (known := known_exception(session, actor, client_id, key, ExceptionKind.SPILLED)) is not None:
        return known
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today)
    poured = poured_today(session, actor, client_id, reading, today)
    if poured is None:
        raise _nothing_poured(reading.moment)
    _refuse_swallowed(session, poured.recorded)
    if faults := _lacks(session, actor, reason, second_id, second_pin, at):
        raise BadInput(*faults)
    said = f"spilled: {reason.strip()}"
    with told_as_refusals():
        if poured.recorded is not None:
            undo_dose(session, actor=actor, dose=poured.recorded, reason=said, day=today, at=at)
        _lost(session, actor, poured.packed.drawn, said, second_id, today, at)
    return write_exception(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.SPILLED,
        key=key,
        details={"mg": str(poured.packed.plan.mg), "ml": str(poured.packed.ml), "reason": reason.strip()},
        dose_id=poured.recorded.id if poured.recorded else None,
        today=today,
        at=at,
    )


def _refuse_swallowed(session: ReadSession, recorded: Dose | None) -> None:
    """What was swallowed in part is not undone: the portion would be due again, beside that part and a top-up."""
    if recorded is None:
        return
    in_part = select(DoseException.id).where(
        DoseException.dose_id == recorded.id, DoseException.kind == ExceptionKind.PARTLY_TAKEN.value
    )
    if session.scalar(in_part.limit(1)) is not None:
        raise Refused(
            Refusal(
                "swallowed-in-part",
                "A part of this dose was swallowed, and the rest is written off already.",
                "Call the prescriber about what is missing.",
            )
        )


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
) -> Handed:
    """Records today's portion as what was swallowed of it; what was left is written off, and the prescriber told.

    The day has its dose then: more of it is a prescriber's word (`extras.top_up`). Raises BadInput with everything
    that is missing, Refused when nothing was poured today.
    """
    digest = request_digest(key, "partly", client_id, swallowed_mg)
    lock_at_counter(session, client_id, actor.site_id, today)
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today, key=key)
    if reading.earlier:
        return answered(reading.earlier, digest)
    poured = poured_today(session, actor, client_id, reading, today)
    if poured is None:
        raise _nothing_poured(reading.moment)
    whole = poured.packed.plan.mg
    identified_by = how_known(session, client_id=client_id, said=identified_by)
    faults = [*identified(identified_by), *_lacks(session, actor, reason, second_id, second_pin, at)]
    if not 0 < swallowed_mg < whole:
        faults.append(
            Refusal(
                "not-a-part",
                f"{plain(swallowed_mg)} mg is not a part of {plain(whole)} mg.",
                "Write what was swallowed. When nothing was, it was spilled or refused.",
                {"mg": swallowed_mg, "whole_mg": whole},
                field="mg",
            )
        )
    if faults:
        raise BadInput(*faults)
    said = f"partly taken: {reason.strip()}"
    part = poured.part(swallowed_mg)
    with told_as_refusals():
        if poured.recorded is not None:
            undo_dose(session, actor=actor, dose=poured.recorded, reason=said, day=today, at=at)
        handed, dose_id = _given(
            session, actor, client_id, reading, part, key=key, digest=digest, identified_by=identified_by,
            today=today, at=at,
        )  # fmt: skip
        left = Millilitres(poured.packed.ml - part.ml)
        _lost(session, actor, _left_of(poured.packed, part), said, second_id, today, at)
    open_alert(
        session,
        site_id=reading.home_id,
        client_id=client_id,
        cause=f"partly taken:{at.isoformat()}",
        severity="warning",
        role=Role.DOCTOR,
        sentence=f"{plain(swallowed_mg)} of {plain(whole)} mg were swallowed: {reason.strip()}",
        at=at,
    )
    write_exception(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.PARTLY_TAKEN,
        key=key,
        details={"mg": str(swallowed_mg), "whole_mg": str(whole), "lost_ml": str(left), "reason": reason.strip()},
        dose_id=dose_id,
        outcome="recorded as swallowed",
        today=today,
        at=at,
    )
    return handed


def _given(
    session: WriteSession,
    actor: Actor,
    client_id: ClientId,
    reading: Reading,
    part: Packed,
    *,
    key: str,
    digest: bytes,
    identified_by: str,
    today: DoseDay,
    at: datetime,
) -> tuple[Handed, UUID]:
    """A supply of this dose alone, with its register line."""
    if reading.episode_id is None:
        raise no_episode()
    supply_id = new_id()
    answer = answer_of(supply_id, [part], at)
    write_supply(
        session,
        actor,
        supply_id=supply_id,
        client_id=client_id,
        episode_id=reading.episode_id,
        today=today,
        at=at,
        key=key,
        digest=digest,
        answer=answer,
        identified_by=identified_by,
    )
    (dose_id,) = write_doses(session, actor, client_id, supply_id, [part], at)
    write_register(session, actor, supply_id, [part], today, at)
    if reading.moment.waits:
        seen_again(session, actor=actor, client_id=client_id, outcome="seen again, dosed", today=today, at=at)
    return Handed(supply_id, answer), dose_id


def _left_of(whole: Packed, part: Packed) -> list[Share]:
    """What is left in the cup, by the lots that it came from."""
    gone = {share.lot_id: share.ml for share in part.drawn}
    left = [replace(share, ml=Millilitres(share.ml - gone.get(share.lot_id, Decimal(0)))) for share in whole.drawn]
    return [share for share in left if share.ml > 0]


def _lost(
    session: WriteSession,
    actor: Actor,
    shares: Sequence[Share],
    reason: str,
    second_id: AccountId | None,
    day: DoseDay,
    at: datetime,
) -> None:
    for share in shares:
        write_line(
            session,
            actor=actor,
            lot_id=share.lot_id,
            book_id=share.book_id,
            kind="lost",
            ml=-share.ml,
            day=day,
            at=at,
            reason=reason,
            second_id=second_id,
        )


def _lacks(
    session: WriteSession, actor: Actor, reason: str, second_id: AccountId | None, second_pin: str, at: datetime
) -> list[Refusal]:
    faults = list(the_second(session, actor=actor, second_id=second_id, pin=second_pin, at=at))
    if not reason.strip():
        faults.append(Refusal("reason", "Write how it was lost.", "It stands in the register.", field="reason"))
    return faults


def _nothing_poured(moment: Moment) -> Refused:
    wanted = Wanted(observed=True, identified_by="photo", well=True, second_look="it was poured")
    return Refused(*may_dispense(moment, wanted))
