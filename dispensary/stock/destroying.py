"""Stock is destroyed: by two people, with the reason, the method and the number of the form."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.countersign import the_second_person
from dispensary.staff.rules import Actor
from dispensary.stock.safe_models import Destruction
from dispensary.stock.service import alone_in_safe, enough_free, id_for_key, key_reused, the_lot, write_line
from dispensary.units import AccountId, Millilitres


def destroy(
    session: WriteSession,
    *,
    actor: Actor,
    lot_id: UUID,
    ml: Millilitres,
    reason: str,
    method: str,
    reference: str,
    second_id: AccountId | None,
    pin: str,
    day: date,
    at: datetime,
    key: str = "",
) -> Destruction:
    """Writes so much of a lot off as destroyed, before the eyes of a second person who proves it by PIN.

    Never more than there is beyond what stands in prepared bottles; once for each key. Raises BadInput with everything
    that is missing, or NotThere.
    """
    destruction_id = id_for_key(actor.site_id, "destruction", key)
    if (known := _known(session, destruction_id, lot_id, ml)) is not None:
        return known
    unproven = the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at)  # before anybody waits
    alone_in_safe(session, actor.site_id)
    if (known := _known(session, destruction_id, lot_id, ml)) is not None:
        return known
    lot = the_lot(session, actor, lot_id)
    faults = enough_free(lot, ml, "destroyed")
    if not reason.strip():
        faults.append(Refusal("reason", "Write why it is destroyed.", "It stands in the register.", field="reason"))
    if not method.strip():
        faults.append(Refusal("method", "Write how it is destroyed.", "It stands in the register.", field="method"))
    faults += unproven
    if faults:
        raise BadInput(*faults)
    words = [reason.strip(), method.strip(), reference.strip()]
    line_id = write_line(
        session,
        actor=actor,
        lot_id=lot.id,
        book_id=lot.book_id,
        kind="destroyed",
        ml=-ml,
        day=day,
        at=at,
        reason=". ".join(filter(None, words)),
        second_id=second_id,
    )
    done = Destruction(
        id=destruction_id,
        site_id=actor.site_id,
        lot_id=lot.id,
        line_id=line_id,
        ml=ml,
        reason=words[0],
        method=words[1],
        reference=words[2],
        at=at,
    )
    session.add(done)
    session.flush()
    details = {"batch": lot.batch, "ml": ml, "second": second_id}
    audit.record(session, actor=actor, act="destroyed stock", subject="lot", subject_id=lot.id, at=at, details=details)
    return done


def _known(session: ReadSession, destruction_id: UUID, lot_id: UUID, ml: Millilitres) -> Destruction | None:
    known = session.get(Destruction, destruction_id)
    if known is not None and (known.lot_id, known.ml) != (lot_id, ml):
        raise key_reused()
    return known
