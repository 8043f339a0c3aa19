"""What goes wrong with a dose at the counter and moves stock: spilled, or taken in part.

What was recorded as given and was not is voided, and its register line gets a counter-entry: the book says what it
said, and what was true. What was lost has a line of its own, with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from dispensary.clients.guests import lock_at_counter
from dispensary.clients.service import no_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.stock.models import Lot, RegisterLine
from dispensary.stock.service import write_line
from dispensary.supplies.calls import the_second
from dispensary.supplies.exception_rows import known_exception, seen_again, write_exception
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.identity import how_known
from dispensary.supplies.models import Dose, DoseException, Supply
from dispensary.supplies.moment import Reading, read_moment
from dispensary.supplies.packing import Packed, pack
from dispensary.supplies.rules import DosePlan, Moment, Wanted, doses_of, may_dispense
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
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, Millilitres, Strength, new_id, plain, volume_of


@dataclass(frozen=True)
class Poured:
    """Today's portion at the counter: recorded as given already, or only poured."""

    packed: Packed
    strength: Strength
    recorded: Dose | None


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
        _lost(session, actor, poured, poured.packed.ml, said, second_id, today, at)
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
    part = part_of(poured, swallowed_mg)
    with told_as_refusals():
        if poured.recorded is not None:
            undo_dose(session, actor=actor, dose=poured.recorded, reason=said, day=today, at=at)
        handed, dose_id = _given(
            session, actor, client_id, reading, part, key=key, digest=digest, identified_by=identified_by,
            today=today, at=at,
        )  # fmt: skip
        left = Millilitres(poured.packed.ml - part.ml)
        _lost(session, actor, poured, left, said, second_id, today, at)
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


def poured_today(
    session: WriteSession,
    actor: Actor,
    client_id: ClientId,
    reading: Reading,
    today: DoseDay,
    *,
    holding: Milligrams = Milligrams(Decimal(0)),
) -> Poured | None:
    """Today's portion at the counter: the one that was recorded last, or the one that may be given now; nothing else.

    A portion that was only poured is taken from a lot that holds it, and at least `holding` mg.
    """
    recorded = session.scalars(
        select(Dose)
        .join(Supply, Supply.id == Dose.supply_id)
        .where(Dose.client_id == client_id, Dose.dose_day == today, Dose.kind == "observed", Dose.voided_at.is_(None))
        .where(Supply.origin != "import", Supply.site_id == actor.site_id, Supply.dose_day == today)
        .order_by(Supply.at.desc(), Dose.portion.desc())
        .limit(1)
    ).one_or_none()
    if recorded is not None:
        lot = session.get_one(Lot, recorded.lot_id)
        plan = DosePlan(
            day=today,
            portion=recorded.portion,
            portions=recorded.portions,
            kind="observed",
            mg=recorded.mg,
            order_id=recorded.order_id,
            closed_day=recorded.closed_day,
        )
        ml = recorded.ml or volume_of(recorded.mg, lot.strength)
        return Poured(Packed(plan, lot.id, lot.book_id, ml), lot.strength, recorded)
    wanted = Wanted(observed=True, identified_by="photo", well=True, second_look="it was poured")
    if may_dispense(reading.moment, wanted):
        return None
    (plan,) = doses_of(reading.moment, wanted)
    (packed,) = pack(
        session, site_id=actor.site_id, plans=[replace(plan, mg=max(plan.mg, holding))], bottles=[], day=today
    )
    strength = session.get_one(Lot, packed.lot_id).strength
    return Poured(replace(packed, plan=plan, ml=volume_of(plan.mg, strength)), strength, None)


def part_of(poured: Poured, mg: Milligrams) -> Packed:
    """So many mg of what was poured, from the same lot."""
    return replace(poured.packed, plan=replace(poured.packed.plan, mg=mg), ml=volume_of(mg, poured.strength))


def undo_dose(session: WriteSession, *, actor: Actor, dose: Dose, reason: str, day: DoseDay, at: datetime) -> None:
    """A dose that was recorded and not given as it says is void, and its register line gets a counter-entry.

    What else the line holds (bottles of the same lot) is written again at once. Raises Refused when the line was
    corrected before.
    """
    correction = aliased(RegisterLine)
    line = session.scalar(
        select(RegisterLine)
        .outerjoin(correction, correction.corrects_id == RegisterLine.id)
        .where(RegisterLine.supply_id == dose.supply_id, RegisterLine.lot_id == dose.lot_id)
        .where(RegisterLine.kind == "supplied", correction.id.is_(None))
    )
    if line is None or dose.ml is None:
        raise Refused(
            Refusal(
                "corrected-already",
                "The register line of this dose was corrected before.",
                "Look at the register; a difference in the safe is entered when it is counted.",
            )
        )
    dose.voided_at = at
    session.flush()
    write_line(
        session,
        actor=actor,
        lot_id=line.lot_id,
        book_id=line.book_id,
        kind="corrected",
        ml=-line.ml,
        day=day,
        at=at,
        supply_id=line.supply_id,
        corrects_id=line.id,
        reason=reason,
    )
    consumed = line.consumed_ml - dose.ml
    if consumed + line.taken_home_ml > 0:
        write_line(
            session,
            actor=actor,
            lot_id=line.lot_id,
            book_id=line.book_id,
            kind="supplied",
            ml=-(consumed + line.taken_home_ml),
            day=day,
            at=at,
            consumed_ml=consumed,
            taken_home_ml=line.taken_home_ml,
            supply_id=line.supply_id,
        )


def _lost(
    session: WriteSession,
    actor: Actor,
    poured: Poured,
    ml: Millilitres,
    reason: str,
    second_id: AccountId | None,
    day: DoseDay,
    at: datetime,
) -> None:
    write_line(
        session,
        actor=actor,
        lot_id=poured.packed.lot_id,
        book_id=poured.packed.book_id,
        kind="lost",
        ml=-ml,
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
