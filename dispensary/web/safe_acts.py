"""Acts in the safe that need to know what is ordered, for pages and API alike; and what the safe has to say.

Each function is one act within the caller's unit of work. A shortage above one usual dose is always investigated, so
that counting and receiving ask what a usual dose is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.stock import transfers
from dispensary.stock.counting import count_lot
from dispensary.stock.discrepancies import findings, look
from dispensary.stock.lasting_rules import Lasting
from dispensary.stock.models import Lot, StockCount
from dispensary.stock.queries import lots
from dispensary.stock.receiving import Came, receive_lot
from dispensary.stock.safe_models import Investigation, StockTransfer
from dispensary.stock.service import alone_in_safe
from dispensary.supplies.lasting import running_low, usual_dose
from dispensary.units import DoseDay, Millilitres, SiteId, Strength


@dataclass(frozen=True)
class Delivered:
    """A delivery as its paper says it."""

    batch: str
    strength: Strength
    expires_on: date
    ml: Millilitres
    came: Came


def receive(
    session: WriteSession, *, actor: Actor, delivered: Delivered, key: str, today: DoseDay, at: datetime
) -> Lot:
    """Receives a delivery into the safe. Raises BadInput or Refused."""
    return receive_lot(
        session,
        actor=actor,
        batch=delivered.batch,
        strength=delivered.strength,
        expires_on=delivered.expires_on,
        ml=delivered.ml,
        came=delivered.came,
        usual_mg=usual_dose(session, site_id=actor.site_id, day=today),
        key=key,
        day=today,
        at=at,
    )


@dataclass(frozen=True)
class Measured:
    """What was measured of a lot in bulk, and what the register said when the page was opened."""

    bulk: Millilitres
    reason: str = ""
    seen_ml: Millilitres | None = None


def count(
    session: WriteSession, *, actor: Actor, measured: Mapping[UUID, Measured], key: str, today: DoseDay, at: datetime
) -> Sequence[StockCount]:
    """Counts some lots or all, at any time: what is in bulk, and beside it the prepared bottles by their labels.

    All of it or nothing. Raises BadInput with every fault, Refused when a lot has moved meanwhile.
    """
    if not measured:
        raise BadInput(Refusal("nothing-counted", "Nothing was measured.", "Measure at least one lot."))
    alone_in_safe(session, actor.site_id)
    usual_mg = usual_dose(session, site_id=actor.site_id, day=today)
    done: list[StockCount] = []
    faults: list[Refusal] = []
    for lot in lots(session, site_id=actor.site_id, with_stock_only=False):
        one = measured.get(lot.id)
        if one is None:
            continue
        session.refresh(lot, with_for_update={"key_share": True})
        try:
            done.append(
                count_lot(
                    session,
                    actor=actor,
                    lot_id=lot.id,
                    measured=Millilitres(one.bulk + lot.bottled),
                    reason=one.reason,
                    seen_ml=one.seen_ml,
                    usual_mg=usual_mg,
                    key=key,
                    day=today,
                    at=at,
                )
            )
        except BadInput as reason:
            faults += reason.refusals
    if faults:
        raise BadInput(*faults)
    details = {str(each.lot_id): each.difference for each in done}
    audit.record(
        session, actor=actor, act="counted safe", subject="site", subject_id=actor.site_id, at=at, details=details
    )
    return done


def receive_transfer(
    session: WriteSession,
    *,
    actor: Actor,
    transfer_id: UUID,
    measured: Millilitres,
    reason: str,
    today: DoseDay,
    at: datetime,
) -> StockTransfer:
    """Receives what another site sent. Raises BadInput, NotThere or Refused."""
    return transfers.receive(
        session,
        actor=actor,
        transfer_id=transfer_id,
        measured=measured,
        reason=reason,
        usual_mg=usual_dose(session, site_id=actor.site_id, day=today),
        day=today,
        at=at,
    )


def look_after_close(database: Database, *, actor: Actor, at: datetime) -> None:
    """Looks for discrepancies, in a unit of its own: what it finds undoes no close, and is looked at in any case."""
    database.write(lambda session: look(session, actor=actor, at=at))


@dataclass(frozen=True)
class SafeSays:
    """What the safe has to say to whoever opens the counter. Each is nothing on a usual day."""

    discrepancies: int
    investigations: int
    coming: int
    """Transfers on their way here."""
    low: Lasting | None

    @property
    def something(self) -> bool:
        return bool(self.discrepancies or self.investigations or self.coming or self.low)


def safe_says(session: ReadSession, *, site_id: SiteId, today: DoseDay) -> SafeSays:
    """Discrepancies, open investigations, transfers to receive, and stock below the site's own limit."""
    still_open = select(func.count()).select_from(Investigation)
    coming = select(func.count()).select_from(StockTransfer)
    return SafeSays(
        discrepancies=len(findings(session, site_id=site_id)),
        investigations=session.scalar(
            still_open.where(Investigation.site_id == site_id, Investigation.closed_at.is_(None))
        )
        or 0,
        coming=session.scalar(coming.where(StockTransfer.to_site_id == site_id, StockTransfer.state == "in_transit"))
        or 0,
        low=running_low(session, site_id=site_id, today=today),
    )
