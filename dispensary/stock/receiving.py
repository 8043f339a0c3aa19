"""Stock comes into the safe: from whom, by which paper, and what was measured of it. And a lot's bottle is opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.database import WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.stock.counting import judged_line
from dispensary.stock.models import Lot, RegisterBook
from dispensary.stock.safe_models import Delivery
from dispensary.stock.service import alone_in_safe, id_for_key, key_reused, settings_of, the_lot, write_line
from dispensary.units import Milligrams, Millilitres, SiteId, Strength, new_id, plain

PRODUCT = "methadone oral solution"


def product_of(strength: Strength) -> str:
    """What the register of such a strength is called at every site."""
    return f"{PRODUCT} {plain(strength)} mg/mL"


@dataclass(frozen=True)
class Came:
    """How a delivery came: from whom, by which document, and what was measured where that is not what it says."""

    supplier_name: str
    supplier_address: str
    document_no: str
    measured_ml: Millilitres | None = None
    reason: str = ""
    """Why what was measured is more or less."""


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
    came: Came | None = None,
    usual_mg: Milligrams | None = None,
    key: str = "",
) -> Lot:
    """Puts a batch into the safe and writes it into the register of its strength, as many mL as the paper says.

    A batch that is there already gets another line. What was measured more or less is a line of its own with its
    reason, and a shortage is investigated as one that is counted. Without `came` it is what stood in the safe when the
    register began. Once for each key. Raises BadInput or Refused.
    """
    batch = batch.strip().upper()
    faults = _batch_faults(batch, expires_on, day)
    if came is not None:
        faults += _paper_faults(came, ml)
    if faults:
        raise BadInput(*faults)
    alone_in_safe(session, actor.site_id)
    delivery_id = id_for_key(actor.site_id, "delivery", key)
    if (known := session.get(Delivery, delivery_id)) is not None:
        lot = session.get_one(Lot, known.lot_id)
        if (lot.batch, known.paper_ml) != (batch, ml):
            raise key_reused()
        return lot
    lot = lot_for(session, actor=actor, batch=batch, strength=strength, expires_on=expires_on, at=at)
    line_id = write_line(
        session,
        actor=actor,
        lot_id=lot.id,
        book_id=lot.book_id,
        kind="received",
        ml=ml,
        day=day,
        at=at,
        reason=f"{came.supplier_name.strip()}, {came.document_no.strip()}" if came else "",
    )
    details = {"batch": batch, "ml": ml, "strength": strength, "expires_on": expires_on}
    if came is not None:
        measured = came.measured_ml if came.measured_ml is not None else ml
        delivery = Delivery(
            id=delivery_id,
            site_id=actor.site_id,
            lot_id=lot.id,
            line_id=line_id,
            supplier_name=came.supplier_name.strip(),
            supplier_address=came.supplier_address.strip(),
            document_no=came.document_no.strip(),
            paper_ml=ml,
            measured_ml=measured,
            reason=came.reason.strip() if measured != ml else "",
            account_id=actor.account_id,
            at=at,
        )
        session.add(delivery)
        session.flush()
        if measured != ml:
            details["measured_ml"] = measured
            judged_line(
                session,
                actor=actor,
                lot=lot,
                gap=measured - ml,
                throughput=ml,
                reason=f"delivery {delivery.document_no}: {delivery.reason}",
                usual_mg=usual_mg,
                since=at,
                day=day,
                at=at,
            )
    audit.record(session, actor=actor, act="received lot", subject="lot", subject_id=lot.id, at=at, details=details)
    session.refresh(lot)
    return lot


def _batch_faults(batch: str, expires_on: date, day: date) -> list[Refusal]:
    faults = []
    if not 1 <= len(batch) <= 40:
        faults.append(
            Refusal("batch", "A batch number has 1 to 40 characters.", "Copy it from the bottle.", field="batch")
        )
    if expires_on < day:
        faults.append(Refusal("expired", f"The lot expired on {expires_on}.", "Quarantine it.", field="expires_on"))
    return faults


def _paper_faults(came: Came, ml: Millilitres) -> list[Refusal]:
    faults = [
        Refusal("missing", "This is missing.", "Copy it from the delivery's paper.", field=field)
        for field in ("supplier_name", "document_no")
        if not getattr(came, field).strip()
    ]
    if came.measured_ml is not None and came.measured_ml != ml and not came.reason.strip():
        gap = came.measured_ml - ml
        kind = "more" if gap > 0 else "less"
        faults.append(
            Refusal(
                "delivery-differs",
                f"{plain(abs(gap))} mL {kind} than the paper says ({plain(ml)} mL).",
                "Measure again. If it stays so, tell the supplier and write the reason: it will stand in the register.",
                {"paper_ml": ml, "measured_ml": came.measured_ml},
                field="reason",
            )
        )
    return faults


def lot_for(
    session: WriteSession,
    *,
    actor: Actor,
    batch: str,
    strength: Strength,
    expires_on: date,
    at: datetime,
) -> Lot:
    """The lot of a batch at the actor's site, locked, or made anew. Raises Refused when it is known as another."""
    known = session.scalar(select(Lot.id).where(Lot.site_id == actor.site_id, Lot.batch == batch))
    if known is not None:
        lot = the_lot(session, actor, known)
        if (lot.strength, lot.expires_on) != (strength, expires_on):
            raise Refused(
                Refusal(
                    "batch-known",
                    f"Lot {batch} is in the register already, with {plain(lot.strength)} mg/mL and expiry "
                    f"{lot.expires_on}.",
                    "Check the batch, the strength and the expiry on the bottle.",
                    {"strength": lot.strength, "expires_on": lot.expires_on},
                    field="batch",
                )
            )
        return lot
    lot = Lot(
        site_id=actor.site_id,
        book_id=_book(session, actor.site_id, product_of(strength)),
        batch=batch,
        strength=strength,
        expires_on=expires_on,
        received_at=at,
        balance=Decimal(0),
        bottled=Decimal(0),
    )
    session.add(lot)
    session.flush()
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


def open_lot(session: WriteSession, *, actor: Actor, lot_id: UUID, day: date, at: datetime) -> Lot:
    """Writes down that the lot's first bottle is opened, by whom and when. Opened before, it stays as it was written.

    Where the site keeps one lot of a product open, another is refused while that one still holds something to pour.
    Pouring from a lot opens it as well: a dose is never refused for it. Raises Refused or NotThere.
    """
    alone_in_safe(session, actor.site_id)
    lot = the_lot(session, actor, lot_id)
    if lot.opened_at is not None:
        return lot
    if lot.expires_on < day:
        raise Refused(
            Refusal("expired", f"Lot {lot.batch} expired on {lot.expires_on}.", "Set it apart to be destroyed.")
        )
    if settings_of(session, actor.site_id).one_open_lot:
        other = session.scalar(
            select(Lot.batch)
            .where(Lot.book_id == lot.book_id, Lot.id != lot.id, Lot.opened_at.is_not(None))
            .where(Lot.balance > Lot.bottled, Lot.expires_on >= day)
            .order_by(Lot.expires_on, Lot.batch)
            .limit(1)
        )
        if other is not None:
            raise Refused(
                Refusal(
                    "another-open",
                    f"Lot {other} of the same product is open and holds more to pour.",
                    "Use that one up first, or count it.",
                    {"open": other},
                )
            )
    lot.opened_at, lot.opened_by = at, actor.account_id
    session.flush()
    audit.record(
        session, actor=actor, act="opened lot", subject="lot", subject_id=lot.id, at=at, details={"batch": lot.batch}
    )
    return lot
