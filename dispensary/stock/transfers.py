"""Stock between two sites: sent, on its way in nobody's balance, and received there or taken back, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import aliased

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Actor
from dispensary.stock.counting import judged_line
from dispensary.stock.models import RegisterLine
from dispensary.stock.receiving import lot_for, product_of
from dispensary.stock.safe_models import StockTransfer
from dispensary.stock.service import alone_in_safe, enough_free, id_for_key, key_reused, the_lot, write_line
from dispensary.stock.sharing_rules import Moved
from dispensary.units import Milligrams, Millilitres, SiteId, Strength, plain

MOST_SHOWN = 50


def send(
    session: WriteSession,
    *,
    actor: Actor,
    lot_id: UUID,
    to_site_id: SiteId,
    ml: Millilitres,
    carried_by: str,
    day: date,
    at: datetime,
    key: str = "",
) -> StockTransfer:
    """Sends so much of a lot to another site: out of the balance by a line of the register, and in transit.

    Once for each key. Raises BadInput with everything that is wrong, or NotThere.
    """
    alone_in_safe(session, actor.site_id)
    transfer_id = id_for_key(actor.site_id, "transfer", key)
    if (known := session.get(StockTransfer, transfer_id)) is not None:
        if (known.from_lot_id, known.to_site_id, known.ml) != (lot_id, to_site_id, ml):
            raise key_reused()
        return known
    lot = the_lot(session, actor, lot_id)
    faults = enough_free(lot, ml, "sent")
    if to_site_id == actor.site_id or session.get(Site, to_site_id) is None:
        faults.append(Refusal("no-site", "Choose another site of the programme.", field="to_site_id"))
    if lot.expires_on < day:
        faults.append(
            Refusal(
                "expired",
                f"Lot {lot.batch} expired on {lot.expires_on}: it is destroyed here.",
                "Choose another lot.",
                field="lot_id",
            )
        )
    if not carried_by.strip():
        faults.append(
            Refusal(
                "carried-by", "Write who carries it, or the number of the seal.", "One is enough.", field="carried_by"
            )
        )
    if faults:
        raise BadInput(*faults)
    transfer = StockTransfer(
        id=transfer_id,
        from_site_id=actor.site_id,
        to_site_id=to_site_id,
        from_lot_id=lot.id,
        batch=lot.batch,
        strength=lot.strength,
        expires_on=lot.expires_on,
        ml=ml,
        state="in_transit",
        carried_by=carried_by.strip(),
        sent_by=actor.account_id,
        sent_at=at,
        reason="",
    )
    session.add(transfer)
    session.flush()
    write_line(
        session,
        actor=actor,
        lot_id=lot.id,
        book_id=lot.book_id,
        kind="sent",
        ml=-ml,
        day=day,
        at=at,
        reason=f"transfer {transfer.number} to {session.get_one(Site, to_site_id).code}, {transfer.carried_by}",
        transfer_id=transfer.id,
    )
    _audit(session, actor, "sent stock", transfer, at)
    return transfer


def receive(
    session: WriteSession,
    *,
    actor: Actor,
    transfer_id: UUID,
    measured: Millilitres,
    reason: str,
    day: date,
    at: datetime,
    usual_mg: Milligrams | None = None,
) -> StockTransfer:
    """Receives a transfer into the safe of the actor's site: what was sent, and a difference as a line of its own.

    By another person than who sent it. Received again by the same person with the same figure, it is as it was. Raises
    BadInput, NotThere or Refused.
    """
    alone_in_safe(session, actor.site_id)
    transfer = _locked(session, StockTransfer.to_site_id == actor.site_id, transfer_id)
    reason = reason.strip()
    if transfer.state == "received" and (transfer.settled_by, transfer.measured_ml) == (actor.account_id, measured):
        return transfer
    _refuse_settled(transfer)
    gap = measured - transfer.ml
    faults = []
    if actor.account_id == transfer.sent_by:
        faults.append(
            Refusal("sent-yourself", "You sent it yourself.", "Another person receives it, signed in at this site.")
        )
    if gap and not reason:
        kind = "more" if gap > 0 else "less"
        faults.append(
            Refusal(
                "transfer-differs",
                f"{plain(abs(gap))} mL {kind} than was sent ({plain(transfer.ml)} mL).",
                "Measure again. If it stays so, write the reason: both sites will read it.",
                {"sent_ml": transfer.ml, "measured_ml": measured},
                field="reason",
            )
        )
    if faults:
        raise BadInput(*faults)
    sender = session.get_one(Site, transfer.from_site_id)
    lot = lot_for(
        session,
        actor=actor,
        batch=transfer.batch,
        strength=Strength(transfer.strength),
        expires_on=transfer.expires_on,
        at=at,
    )
    write_line(
        session,
        actor=actor,
        lot_id=lot.id,
        book_id=lot.book_id,
        kind="received",
        ml=transfer.ml,
        day=day,
        at=at,
        reason=f"transfer {transfer.number} from {sender.code}",
        transfer_id=transfer.id,
    )
    if gap:
        judged_line(
            session,
            actor=actor,
            lot=lot,
            gap=gap,
            throughput=transfer.ml,
            reason=f"transfer {transfer.number}: {reason}",
            usual_mg=usual_mg,
            since=transfer.sent_at,
            day=day,
            at=at,
            transfer_id=transfer.id,
        )
    transfer.state, transfer.settled_by, transfer.settled_at = "received", actor.account_id, at
    transfer.to_lot_id, transfer.measured_ml, transfer.reason = lot.id, measured, reason if gap else ""
    session.flush()
    _audit(session, actor, "received transfer", transfer, at)
    return transfer


def take_back(
    session: WriteSession, *, actor: Actor, transfer_id: UUID, reason: str, day: date, at: datetime
) -> StockTransfer:
    """Takes back what never left: a counter-entry to the line by which it was sent. Raises as `receive` does."""
    alone_in_safe(session, actor.site_id)
    transfer = _locked(session, StockTransfer.from_site_id == actor.site_id, transfer_id)
    reason = reason.strip()
    if transfer.state == "taken_back" and (transfer.settled_by, transfer.reason) == (actor.account_id, reason):
        return transfer
    _refuse_settled(transfer)
    if not reason:
        raise BadInput(Refusal("reason", "Write why it did not leave.", "It stands in the register.", field="reason"))
    the_lot(session, actor, transfer.from_lot_id)
    sent = session.scalars(
        select(RegisterLine).where(RegisterLine.transfer_id == transfer.id, RegisterLine.kind == "sent")
    ).one()
    write_line(
        session,
        actor=actor,
        lot_id=sent.lot_id,
        book_id=sent.book_id,
        kind="corrected",
        ml=-sent.ml,
        day=day,
        at=at,
        corrects_id=sent.id,
        reason=f"transfer {transfer.number} taken back: {reason}",
        transfer_id=transfer.id,
    )
    transfer.state, transfer.settled_by, transfer.settled_at = "taken_back", actor.account_id, at
    transfer.reason = reason
    session.flush()
    _audit(session, actor, "took back transfer", transfer, at)
    return transfer


def _locked(session: WriteSession, mine: ColumnElement[bool], transfer_id: UUID) -> StockTransfer:
    transfer = session.scalar(
        select(StockTransfer)
        .where(StockTransfer.id == transfer_id, mine)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if transfer is None:
        raise NotThere(Refusal("no-transfer", "There is no such transfer for this site.", "Look at the list again."))
    return transfer


def _refuse_settled(transfer: StockTransfer) -> None:
    if transfer.state != "in_transit":
        became = {"received": "received at the other site", "taken_back": "taken back by its sender"}[transfer.state]
        raise Refused(
            Refusal(
                "transfer-settled",
                f"Transfer {transfer.number} was {became} before.",
                "Look at the list of transfers: who, and when.",
                {"state": transfer.state},
            )
        )


def _audit(session: WriteSession, actor: Actor, act: str, transfer: StockTransfer, at: datetime) -> None:
    details = {"batch": transfer.batch, "ml": transfer.ml, "measured_ml": transfer.measured_ml}
    audit.record(session, actor=actor, act=act, subject="transfer", subject_id=transfer.id, at=at, details=details)


@dataclass(frozen=True)
class Transfer:
    """A transfer as both sites read it."""

    row: StockTransfer
    from_code: str
    to_code: str
    sent_by: str
    settled_by: str


def the_transfer(session: ReadSession, *, site_id: SiteId, transfer_id: UUID) -> Transfer:
    """A transfer that a site sent or was sent. Raises NotThere."""
    found = transfers(session, site_id=site_id, transfer_id=transfer_id)
    if not found:
        raise NotThere(Refusal("no-transfer", "There is no such transfer for this site.", "Look at the list again."))
    return found[0]


def transfers(
    session: ReadSession, *, site_id: SiteId, in_transit_only: bool = False, transfer_id: UUID | None = None
) -> Sequence[Transfer]:
    """What a site sent and what is or was on its way to it, the newest first."""
    here, there, settler = aliased(Site), aliased(Site), aliased(Account)
    chosen = (
        select(StockTransfer, here.code, there.code, Account.name, settler.name)
        .join(here, here.id == StockTransfer.from_site_id)
        .join(there, there.id == StockTransfer.to_site_id)
        .join(Account, Account.id == StockTransfer.sent_by)
        .outerjoin(settler, settler.id == StockTransfer.settled_by)
        .where(or_(StockTransfer.from_site_id == site_id, StockTransfer.to_site_id == site_id))
        .order_by(StockTransfer.sent_at.desc(), StockTransfer.id)
        .limit(MOST_SHOWN)
    )
    if in_transit_only:
        chosen = chosen.where(StockTransfer.state == "in_transit")
    if transfer_id is not None:
        chosen = chosen.where(StockTransfer.id == transfer_id)
    return [Transfer(*row[:4], row[4] or "") for row in session.execute(chosen)]


def moves(session: ReadSession, *, site_ids: Collection[UUID], since: datetime) -> list[Moved]:
    """What is on its way from or to any of these sites, and what was sent or settled since, the longest first."""
    of_theirs = or_(StockTransfer.from_site_id.in_(site_ids), StockTransfer.to_site_id.in_(site_ids))
    lately = or_(StockTransfer.state == "in_transit", StockTransfer.sent_at > since, StockTransfer.settled_at > since)
    return [
        Moved(
            each.from_site_id, each.to_site_id, product_of(each.strength), each.ml, each.sent_at, each.state,
            each.settled_at, each.measured_ml,
        )
        for each in session.scalars(select(StockTransfer).where(of_theirs, lately).order_by(StockTransfer.sent_at))
    ]  # fmt: skip
