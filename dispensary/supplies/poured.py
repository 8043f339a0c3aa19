"""What was poured for a client today, from which lots; and a recorded dose undone, each lot credited with its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot, RegisterLine
from dispensary.stock.rules import Share
from dispensary.stock.service import write_line
from dispensary.supplies.models import Dose, Supply
from dispensary.supplies.moment import Reading
from dispensary.supplies.packing import Packed, pack, packed_from
from dispensary.supplies.part_models import DosePart
from dispensary.supplies.rules import DosePlan, Wanted, doses_of, may_dispense
from dispensary.units import ClientId, DoseDay, Milligrams, Millilitres, Strength, volume_of


@dataclass(frozen=True)
class Poured:
    """Today's portion at the counter: recorded as given already, or only poured."""

    packed: Packed
    strengths: Mapping[UUID, Strength]
    """Of the lots that it came from."""
    recorded: Dose | None
    above: Packed | None = None
    """What was poured on top of it, when more was asked for than is due."""

    def part(self, mg: Milligrams) -> Packed:
        """So many mg of what was poured, from the same lots in their order. More than that comes from the last one."""
        missing, shares, drawn = mg, [], self.packed.drawn
        for nth, share in enumerate(drawn, 1):
            if missing > 0:
                given = missing if nth == len(drawn) else min(share.mg, missing)
                ml = share.ml if given == share.mg else volume_of(given, self.strengths[share.lot_id])
                shares.append(replace(share, mg=given, ml=ml))
                missing = Milligrams(missing - given)
        return packed_from(replace(self.packed.plan, mg=mg), shares)


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

    A portion that was only poured is taken from the lots that hold it, and up to `holding` mg on top of it from one.
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
        plan = DosePlan(
            day=today,
            portion=recorded.portion,
            portions=recorded.portions,
            kind="observed",
            mg=recorded.mg,
            order_id=recorded.order_id,
            closed_day=recorded.closed_day,
        )
        packed = packed_from(plan, _given_by(session, recorded))
        return Poured(packed, _strengths(session, [packed]), recorded)
    wanted = Wanted(observed=True, identified_by="photo", well=True, second_look="it was poured")
    if may_dispense(reading.moment, wanted):
        return None
    (plan,) = doses_of(reading.moment, wanted)
    plans = [plan]
    if holding > plan.mg:
        plans.append(replace(plan, mg=Milligrams(holding - plan.mg), extra=True))
    packed, *above = pack(session, site_id=actor.site_id, plans=plans, bottles=[], day=today)
    return Poured(packed, _strengths(session, [packed]), None, above=above[0] if above else None)


def _given_by(session: ReadSession, dose: Dose) -> list[Share]:
    """What each lot gave of a recorded dose, first expired first."""
    rows = session.execute(
        select(Lot.id, Lot.book_id, DosePart.mg, DosePart.ml)
        .join(DosePart, DosePart.lot_id == Lot.id)
        .where(DosePart.dose_id == dose.id)
        .order_by(Lot.expires_on, Lot.batch)
    )
    parts = [Share(*row) for row in rows]
    if parts:
        return parts
    lot = session.get_one(Lot, dose.lot_id)
    return [Share(lot.id, lot.book_id, dose.mg, dose.ml or volume_of(dose.mg, lot.strength))]


def _strengths(session: ReadSession, packed: Sequence[Packed]) -> dict[UUID, Strength]:
    lots = {share.lot_id for one in packed for share in one.drawn}
    rows = session.execute(select(Lot.id, Lot.strength).where(Lot.id.in_(lots)))
    return dict(rows.all())


def undo_dose(session: WriteSession, *, actor: Actor, dose: Dose, reason: str, day: DoseDay, at: datetime) -> None:
    """A dose that was recorded and not given as it says is void, and its register lines get counter-entries.

    Each lot is credited with what it gave. What else a line holds (bottles of the same lot) is written again at once.
    Raises Refused when a line was corrected before.
    """
    shares = _given_by(session, dose)
    correction = aliased(RegisterLine)
    lines = {
        line.lot_id: line
        for line in session.scalars(
            select(RegisterLine)
            .outerjoin(correction, correction.corrects_id == RegisterLine.id)
            .where(RegisterLine.supply_id == dose.supply_id, RegisterLine.lot_id.in_([each.lot_id for each in shares]))
            .where(RegisterLine.kind == "supplied", correction.id.is_(None))
        )
    }
    if len(lines) < len(shares) or dose.ml is None:
        raise Refused(
            Refusal(
                "corrected-already",
                "The register line of this dose was corrected before.",
                "Look at the register; a difference in the safe is entered when it is counted.",
            )
        )
    dose.voided_at = at
    session.flush()
    for share in shares:
        _credit(session, actor, lines[share.lot_id], share.ml, reason, day, at)


def _credit(
    session: WriteSession,
    actor: Actor,
    line: RegisterLine,
    ml: Millilitres,
    reason: str,
    day: DoseDay,
    at: datetime,
) -> None:
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
    consumed = line.consumed_ml - ml
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
