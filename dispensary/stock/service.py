"""Receiving a lot, writing the register, counting the safe."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from dispensary.database import WriteSession, broken_constraint
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot, RegisterBook, StockCount
from dispensary.stock.rules import difference
from dispensary.units import AccountId, Millilitres, SiteId, Strength, new_id, plain

PRODUCT = "methadone oral solution"
_LINE = """
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, supply_id, corrects_id, reason, account_id, second_id)
VALUES (%(id)s, %(book_id)s, 0, %(lot_id)s, %(at)s, %(dose_day)s, %(kind)s, %(ml)s, %(consumed_ml)s, %(taken_home_ml)s,
    0, 0, %(supply_id)s, %(corrects_id)s, %(reason)s, %(account_id)s, %(second_id)s)
"""


def receive_lot(
    session: WriteSession,
    *,
    actor: Actor,
    batch: str,
    strength: Strength,
    expires_on: date,
    ml: Millilitres,
    day: date,
    at: datetime,
) -> Lot:
    """Puts a batch into the safe and writes it into the register of its strength. Raises BadInput or Refused."""
    batch = batch.strip().upper()
    faults = []
    if not 1 <= len(batch) <= 40:
        faults.append(
            Refusal("batch", "A batch number has 1 to 40 characters.", "Copy it from the bottle.", field="batch")
        )
    if expires_on < day:
        faults.append(Refusal("expired", f"The lot expired on {expires_on}.", "Quarantine it.", field="expires_on"))
    if faults:
        raise BadInput(*faults)
    book_id = _book(session, actor.site_id, f"{PRODUCT} {plain(strength)} mg/mL")
    lot = Lot(
        site_id=actor.site_id, book_id=book_id, batch=batch, strength=strength, expires_on=expires_on, received_at=at
    )
    session.add(lot)
    try:
        session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) == "uq_lot_site_id_batch":
            known = Refusal(
                "batch-known", f"Lot {batch} is already in the register.", "Check the batch.", field="batch"
            )
            raise Refused(known) from None
        raise
    write_line(session, actor=actor, lot_id=lot.id, book_id=book_id, kind="received", ml=ml, day=day, at=at)
    details = {"batch": batch, "ml": ml, "strength": strength, "expires_on": expires_on}
    audit.record(session, actor=actor, act="received lot", subject="lot", subject_id=lot.id, at=at, details=details)
    session.refresh(lot)
    return lot


def _book(session: WriteSession, site_id: SiteId, product: str) -> UUID:
    session.execute(
        upsert(RegisterBook)
        .values(id=new_id(), site_id=site_id, product=product)
        .on_conflict_do_nothing(index_elements=["site_id", "product"])
    )
    return session.execute(
        select(RegisterBook.id).where(RegisterBook.site_id == site_id, RegisterBook.product == product)
    ).scalar_one()


def write_line(
    session: WriteSession,
    *,
    actor: Actor,
    lot_id: UUID,
    book_id: UUID,
    kind: str,
    ml: Decimal,
    day: date,
    at: datetime,
    consumed_ml: Decimal = Decimal(0),
    taken_home_ml: Decimal = Decimal(0),
    supply_id: UUID | None = None,
    corrects_id: UUID | None = None,
    reason: str = "",
    account_id: AccountId | None = None,
    second_id: AccountId | None = None,
) -> None:
    """Adds a line to the register. PostgreSQL numbers it, moves both balances, and refuses one below zero."""
    session.run(
        _LINE,
        {
            "id": new_id(),
            "book_id": book_id,
            "lot_id": lot_id,
            "at": at,
            "dose_day": day,
            "kind": kind,
            "ml": ml,
            "consumed_ml": consumed_ml,
            "taken_home_ml": taken_home_ml,
            "supply_id": supply_id,
            "corrects_id": corrects_id,
            "reason": reason,
            "account_id": account_id or actor.account_id,
            "second_id": second_id,
        },
    )


def count_lot(
    session: WriteSession, *, actor: Actor, lot_id: UUID, measured: Millilitres, reason: str, day: date, at: datetime
) -> StockCount:
    """Records what was measured of a lot (in bulk and in prepared bottles together) against what the register says.

    A difference needs a reason and becomes a line of the register, so that the balance is what is in the safe and the
    difference stands in the book. Raises BadInput when the reason is missing.
    """
    lot = session.scalar(select(Lot).where(Lot.id == lot_id, Lot.site_id == actor.site_id).with_for_update())
    if lot is None:
        raise NotThere(Refusal("no-lot", "There is no such lot at this site.", "Look at the register."))
    gap = difference(lot.balance, measured)
    reason = reason.strip()
    if gap and not reason:
        kind = "more" if gap > 0 else "less"
        raise BadInput(
            Refusal(
                "count-differs",
                f"Lot {lot.batch}: {plain(abs(gap))} mL {kind} than the register says ({plain(lot.balance)} mL).",
                "Measure again. If it stays so, write the reason: it will stand in the register.",
                {"lot": lot.batch, "expected": lot.balance, "measured": measured},
                field=f"reason_{lot_id}",
            )
        )
    count = StockCount(
        site_id=actor.site_id,
        lot_id=lot_id,
        dose_day=day,
        at=at,
        expected=lot.balance,
        measured=measured,
        difference=gap,
        reason=reason if gap else "",
        account_id=actor.account_id,
    )
    session.add(count)
    session.flush()
    if gap:
        write_line(
            session,
            actor=actor,
            lot_id=lot_id,
            book_id=lot.book_id,
            kind="counted",
            ml=gap,
            day=day,
            at=at,
            reason=reason,
        )
    return count
