"""A supply that was entered in error is voided: whole, once, with its reason, each lot credited with what it gave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from dispensary.clients.guests import home_of, lock_for_record
from dispensary.database import ReadSession, WriteSession, through
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.corrections import day_was_otherwise, is_closed
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.countersign import the_second_person
from dispensary.staff.rules import Actor, Role
from dispensary.stock.models import Lot, RegisterLine
from dispensary.stock.service import write_line
from dispensary.supplies.bottle_models import SupplyVoid
from dispensary.supplies.bottle_rules import WITH_CLIENT, BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.exception_rows import exception_id_of
from dispensary.supplies.exceptions import close
from dispensary.supplies.models import Bottle, Dose, DoseException, ExtraDose, Pickup, Supply
from dispensary.supplies.refilling import take_back_refills
from dispensary.supplies.writing import request_digest, told_as_refusals
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, SiteId
from dispensary.wall import Door


@through(Door.OWN_ACTS)
def void_supply(
    session: WriteSession,
    *,
    actor: Actor,
    supply_id: UUID,
    reason: str,
    second_id: AccountId | None,
    pin: str,
    key: str,
    today: DoseDay,
    at: datetime,
) -> SupplyVoid:
    """Voids a supply of which nothing was handed over, or which belongs to somebody else's record.

    Its doses cover nothing any more, so that the client's day is due again; every register line of it gets its
    counter-entry to the same lot. Other medicine that came with it is taken back for the same reason. Bottles that were
    packed at the counter are void; those of a pickup stand prepared again, and need a new pass. A day that had closed
    with it is corrected beside its frozen outcome, and the prescriber is told. A second person proves to be there when
    it holds bottles, touches a closed day, or has what a line of paper said was given in error: no dose leaves until a
    prescriber, who is told, has looked at that all the same.

    A repeated request with the same key gets the first answer. Raises NotThere, BadInput with everything that is
    missing, and Refused for a supply that was voided before or that something else rests on.
    """
    digest = request_digest(key, "void", supply_id)
    if (known := _voided_by(session, actor, key, digest)) is not None:
        return known
    supply = _the_supply(session, actor, supply_id)
    client_id = ClientId(supply.client_id)
    doses, bottles, closed, wrong = _contents(session, supply_id)
    from_paper = _written_with_it(supply)
    _refuse_what_rests_on_it(session, supply, doses, bottles, wrong, from_paper)
    needs_two = bool(bottles or closed or wrong)
    _asked_well(session, actor, reason, second_id, pin, at, needs_two=needs_two)
    assert actor.account_id is not None, "a supply is voided by a person"
    voided = SupplyVoid(
        supply_id=supply_id,
        site_id=actor.site_id,
        key=key,
        request_sha256=digest,
        reason=reason.strip(),
        account_id=actor.account_id,
        second_id=second_id if needs_two else None,
        at=at,
    )
    with told_as_refusals():
        _undo_doses(session, supply_id, doses, at)
        _credit_lots(session, actor, supply_id, reason, voided.second_id, today, at)
        _undo_bottles(session, actor, supply, bottles, reason, voided.second_id, at)
        supply.voided_at = at
        session.add(voided)
        session.flush()
    _correct_days(session, actor, client_id, supply_id, closed, reason, at)
    if from_paper is not None:
        _tell_of_paper(session, actor, client_id, from_paper, reason, at)
    refills = take_back_refills(
        session, actor=actor, client_id=client_id, supply_id=supply_id, reason=reason, today=today, at=at
    )
    days = sorted({dose.dose_day for dose in doses})
    details: dict[str, object] = {"supply": supply_id, "second": voided.second_id, "days": days}
    if refills:
        details["refills"] = refills
    audit.record(
        session, actor=actor, act="voided supply", subject="client", subject_id=client_id, at=at, details=details
    )
    return voided


def void_of(session: ReadSession, *, supply_id: UUID) -> SupplyVoid | None:
    """Why, when and by whom a supply was voided; nothing while it stands."""
    return session.get(SupplyVoid, supply_id)


def asks_for_two(session: ReadSession, *, supply_id: UUID) -> bool:
    """Whether voiding this supply takes a second person: for bottles, a closed day, or what was given in error."""
    _, bottles, closed, wrong = _contents(session, supply_id)
    return bool(bottles or closed or wrong)


def _contents(
    session: ReadSession, supply_id: UUID
) -> tuple[Sequence[Dose], Sequence[Bottle], Sequence[Dose], Sequence[ExtraDose]]:
    """The standing doses of a supply, its bottles wherever they are, the doses whose day has closed, and the errors."""
    doses = session.scalars(select(Dose).where(Dose.supply_id == supply_id, Dose.voided_at.is_(None))).all()
    bottles = session.scalars(
        select(Bottle)
        .join(Dose, Dose.id == Bottle.dose_id)
        .where(Dose.supply_id == supply_id)
        .order_by(Bottle.dose_day, Bottle.portion)
    ).all()
    closed = [
        dose for dose in doses if is_closed(session, client_id=ClientId(dose.client_id), day=DoseDay(dose.dose_day))
    ]
    wrong = session.scalars(
        select(ExtraDose).where(ExtraDose.supply_id == supply_id, ExtraDose.kind == "in_error")
    ).all()
    return doses, bottles, closed, wrong


def _written_with_it(supply: Supply) -> UUID | None:
    """What a line of paper wrote about itself when it was against a rule: it falls with the line."""
    if supply.origin != "outage":
        return None
    return exception_id_of(SiteId(supply.site_id), ClientId(supply.client_id), supply.key)


def _voided_by(session: WriteSession, actor: Actor, key: str, digest: bytes) -> SupplyVoid | None:
    known = session.scalar(select(SupplyVoid).where(SupplyVoid.site_id == actor.site_id, SupplyVoid.key == key))
    if known is not None and known.request_sha256 != digest:
        raise Refused(Refusal("key-reused", "This key belongs to another act.", "Open the supply again."))
    return known


def _the_supply(session: WriteSession, actor: Actor, supply_id: UUID) -> Supply:
    """The supply, its client locked, when it stands. Raises NotThere or Refused."""
    owner = session.scalar(select(Supply.client_id).where(Supply.id == supply_id, Supply.site_id == actor.site_id))
    if owner is None:
        raise NotThere(Refusal("no-supply", "There is no such supply at this site.", "Look at the client's page."))
    lock_for_record(session, ClientId(owner))
    supply = session.scalars(
        select(Supply).where(Supply.id == supply_id).execution_options(populate_existing=True)
    ).one()
    if supply.voided_at is not None:
        raise Refused(Refusal("void-already", "This supply was voided before.", "Look at its record: who, and when."))
    if supply.origin == "import":
        raise Refused(
            Refusal("imported", "This supply was brought in from another system.", "Its own register holds it.")
        )
    if supply.pickup_id is not None:
        session.get(Pickup, supply.pickup_id, with_for_update=True)
    return supply


def _refuse_what_rests_on_it(
    session: ReadSession,
    supply: Supply,
    doses: Sequence[Dose],
    bottles: Sequence[Bottle],
    wrong: Sequence[ExtraDose],
    from_paper: UUID | None,
) -> None:
    ids = [dose.id for dose in doses]
    about = select(DoseException.id, DoseException.kind).where(DoseException.dose_id.in_(ids))
    rests = {kind for id_, kind in session.execute(about) if id_ != from_paper}
    faults = []
    if rests or any(extra.exception_id != from_paper for extra in wrong):
        faults.append(
            Refusal(
                "void-reported",
                "Something was written down of this dose: it was swallowed, at least in part.",
                "It cannot have been entered in error. Look at “Not as usual” of that day.",
                {"kinds": sorted(rests)},
            )
        )
    back = [bottle.serial for bottle in bottles if BottleState(bottle.state) not in WITH_CLIENT]
    if back:
        faults.append(
            Refusal(
                "void-came-back",
                f"{len(back)} of its bottles were brought back or reported lost: the client had them.",
                "It cannot have been entered in error. A difference in the safe is entered when it is counted.",
                {"serials": back},
            )
        )
    if faults:
        raise Refused(*faults)


def _asked_well(
    session: WriteSession,
    actor: Actor,
    reason: str,
    second_id: AccountId | None,
    pin: str,
    at: datetime,
    *,
    needs_two: bool,
) -> None:
    faults = []
    if not reason.strip():
        faults.append(Refusal("reason", "Say what was entered wrongly.", "It stands in the register.", field="reason"))
    if needs_two:
        faults += the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at)
    if faults:
        raise BadInput(*faults)


def _undo_doses(session: WriteSession, supply_id: UUID, doses: Sequence[Dose], at: datetime) -> None:
    for dose in doses:
        dose.voided_at = at
    extras = select(ExtraDose).where(ExtraDose.supply_id == supply_id, ExtraDose.voided_at.is_(None))
    for extra in session.scalars(extras):
        extra.voided_at = at
    session.flush()


def _credit_lots(
    session: WriteSession,
    actor: Actor,
    supply_id: UUID,
    reason: str,
    second_id: AccountId | None,
    day: DoseDay,
    at: datetime,
) -> None:
    """A counter-entry for each line of the supply that has none, to the lot that it came from."""
    correction = aliased(RegisterLine)
    lines = session.scalars(
        select(RegisterLine)
        .join(Lot, Lot.id == RegisterLine.lot_id)
        .outerjoin(correction, correction.corrects_id == RegisterLine.id)
        .where(RegisterLine.supply_id == supply_id, RegisterLine.kind == "supplied", correction.id.is_(None))
        .order_by(Lot.expires_on, Lot.batch, RegisterLine.seq)
    ).all()
    for line in lines:
        write_line(
            session,
            actor=actor,
            lot_id=line.lot_id,
            book_id=line.book_id,
            kind="corrected",
            ml=-line.ml,
            day=day,
            at=at,
            supply_id=supply_id,
            corrects_id=line.id,
            reason=f"entered in error: {reason.strip()}",
            second_id=second_id,
        )


def _undo_bottles(
    session: WriteSession,
    actor: Actor,
    supply: Supply,
    bottles: Sequence[Bottle],
    reason: str,
    second_id: AccountId | None,
    at: datetime,
) -> None:
    for prepared, into in ((False, BottleState.VOID), (True, BottleState.PREPARED)):
        move_bottles(
            session,
            actor=actor,
            bottle_ids=[bottle.id for bottle in bottles if (bottle.pickup_id is not None) is prepared],
            into=into,
            at=at,
            note=f"entered in error: {reason.strip()}",
            second_id=second_id,
        )
    if supply.pickup_id is not None:
        pickup = session.get_one(Pickup, supply.pickup_id)
        pickup.state, pickup.closed_at = "prepared", None


def _tell_of_paper(
    session: WriteSession, actor: Actor, client_id: ClientId, exception_id: UUID, reason: str, at: datetime
) -> None:
    """What the line wrote about itself is closed, but for what a prescriber alone may close: they are told."""
    about = session.get(DoseException, exception_id)
    if about is None or about.closed_at is not None:
        return
    if not about.blocks:
        close(session, actor=actor, exception_id=about.id, outcome=f"entered in error: {reason.strip()}", at=at)
        return
    open_alert(
        session,
        site_id=home_of(session, client_id),
        client_id=client_id,
        cause=f"voided line:{about.id}",
        severity="urgent",
        role=Role.DOCTOR,
        sentence=f"The line of {about.dose_day} was entered in error and is void: {reason.strip()}."
        " No dose leaves until you have reviewed it.",
        at=at,
    )


def _correct_days(
    session: WriteSession,
    actor: Actor,
    client_id: ClientId,
    supply_id: UUID,
    closed: Sequence[Dose],
    reason: str,
    at: datetime,
) -> None:
    for dose in closed:
        day_was_otherwise(
            session,
            actor=actor,
            client_id=client_id,
            day=DoseDay(dose.dose_day),
            portion=dose.portion,
            kind=None,
            mg=Milligrams(dose.mg),
            reason=f"entered in error: {reason.strip()}",
            supply_id=supply_id,
            at=at,
        )
    if closed:
        days = sorted({dose.dose_day for dose in closed})
        open_alert(
            session,
            site_id=home_of(session, client_id),
            client_id=client_id,
            cause=f"day corrected:{supply_id}",
            severity="warning",
            role=Role.DOCTOR,
            sentence=f"{days[0]} had closed with a dose that was entered in error: {reason.strip()}",
            at=at,
        )
