"""Counting the safe: what is there against what the register says, judged by the site's own figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot, RegisterLine, StockCount
from dispensary.stock.rules import Tolerance, difference, is_investigated, judge
from dispensary.stock.safe_models import Investigation
from dispensary.stock.service import id_for_key, key_reused, settings_of, the_lot, write_line
from dispensary.units import Milligrams, Millilitres, SiteId, new_id, plain, volume_of


def count_lot(
    session: WriteSession,
    *,
    actor: Actor,
    lot_id: UUID,
    measured: Millilitres,
    reason: str,
    day: date,
    at: datetime,
    usual_mg: Milligrams | None = None,
    seen_ml: Millilitres | None = None,
    key: str = "",
) -> StockCount:
    """Records what was measured of a lot (in bulk and in prepared bottles together) against what the register says.

    A difference needs a reason and becomes a line of the register, so that the balance is what is in the safe and the
    difference stands in the book; one that must be investigated opens an investigation. `seen_ml` is what the register
    said when the page was opened: where it has moved since, nothing is counted. Once for each key. Raises BadInput
    when the reason is missing, Refused when the lot has moved.
    """
    lot = the_lot(session, actor, lot_id)
    count_id = id_for_key(actor.site_id, f"count:{lot_id}", key)
    if (known := session.get(StockCount, count_id)) is not None:
        if known.measured != measured:
            raise key_reused()
        return known
    if seen_ml is not None and seen_ml != lot.balance:
        raise Refused(
            Refusal(
                "count-moved",
                f"Lot {lot.batch} has moved since the page was opened: {plain(lot.balance)} mL now, not "
                f"{plain(seen_ml)} mL.",
                "Measure it again while nothing is poured from it.",
                {"lot": lot.batch, "expected": lot.balance, "shown": seen_ml},
                field=f"bulk_{lot_id}",
            )
        )
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
    since = last_count(session, lot_id)
    throughput = supplied_since(session, lot_id, since)
    allowed = tolerance_of(session, actor.site_id).allows(throughput)
    count = StockCount(
        id=count_id,
        site_id=actor.site_id,
        lot_id=lot_id,
        dose_day=day,
        at=at,
        expected=lot.balance,
        measured=measured,
        difference=gap,
        reason=reason if gap else "",
        account_id=actor.account_id,
        throughput=throughput,
        tolerance=allowed,
        judged=judge(gap, allowed).value,
    )
    session.add(count)
    session.flush()
    if gap:
        judged_line(
            session,
            actor=actor,
            lot=lot,
            gap=gap,
            throughput=throughput,
            reason=reason,
            usual_mg=usual_mg,
            since=since,
            day=day,
            at=at,
            count_id=count.id,
        )
    return count


def judged_line(
    session: WriteSession,
    *,
    actor: Actor,
    lot: Lot,
    gap: Decimal,
    throughput: Decimal,
    reason: str,
    usual_mg: Milligrams | None,
    since: datetime | None,
    day: date,
    at: datetime,
    count_id: UUID | None = None,
    transfer_id: UUID | None = None,
) -> None:
    """A difference as a line of the register, with its investigation where it must have one."""
    line_id = write_line(
        session,
        actor=actor,
        lot_id=lot.id,
        book_id=lot.book_id,
        kind="counted",
        ml=gap,
        day=day,
        at=at,
        reason=reason,
        transfer_id=transfer_id,
    )
    usual_ml = volume_of(usual_mg, lot.strength) if usual_mg is not None else None
    judged = judge(gap, tolerance_of(session, actor.site_id).allows(throughput))
    if not is_investigated(gap, judged, usual_ml):
        return
    session.add(
        Investigation(
            id=new_id(),
            site_id=actor.site_id,
            lot_id=lot.id,
            line_id=line_id,
            count_id=count_id,
            ml=-gap,
            since=since,
            opened_by=actor.account_id,
            opened_at=at,
            found="",
        )
    )
    session.flush()


def tolerance_of(session: ReadSession, site_id: SiteId) -> Tolerance:
    kept = settings_of(session, site_id)
    return Tolerance(kept.tolerance_percent, kept.tolerance_ml)


def last_count(session: ReadSession, lot_id: UUID) -> datetime | None:
    return session.scalar(select(func.max(StockCount.at)).where(StockCount.lot_id == lot_id))


def last_counts(session: ReadSession, *, site_id: SiteId) -> dict[UUID, datetime]:
    """When each lot of a site was counted last."""
    newest = select(StockCount.lot_id, func.max(StockCount.at)).where(StockCount.site_id == site_id)
    return dict(session.execute(newest.group_by(StockCount.lot_id)).all())


def supplied_since(session: ReadSession, lot_id: UUID, since: datetime | None) -> Millilitres:
    """What was supplied from a lot after a moment, less what was undone of it."""
    lines = (
        select(func.coalesce(-func.sum(RegisterLine.ml), 0))
        .where(RegisterLine.lot_id == lot_id, RegisterLine.kind.in_(("supplied", "corrected")))
        .where(RegisterLine.transfer_id.is_(None))
    )
    found = session.scalar(lines.where(RegisterLine.at > since) if since is not None else lines)
    return Millilitres(max(Decimal(found or 0), Decimal(0)))


@dataclass(frozen=True)
class Handled:
    """Somebody who wrote lines about a lot, and what they moved."""

    name: str
    lines: int
    out_ml: Decimal


@dataclass(frozen=True)
class Shortage:
    """An investigation with its lot and the reason that was written with it."""

    row: Investigation
    batch: str
    reason: str
    opened_by: str
    closed_by: str


def shortages(
    session: ReadSession, *, site_id: SiteId, still_open: bool = True, investigation_id: UUID | None = None
) -> Sequence[Shortage]:
    """The investigations of a site, the newest first: those that are open, or all."""
    closer = aliased(Account)
    chosen = (
        select(Investigation, Lot.batch, RegisterLine.reason, Account.name, func.coalesce(closer.name, ""))
        .join(Lot, Lot.id == Investigation.lot_id)
        .join(RegisterLine, RegisterLine.id == Investigation.line_id)
        .join(Account, Account.id == Investigation.opened_by)
        .outerjoin(closer, closer.id == Investigation.closed_by)
        .where(Investigation.site_id == site_id)
        .order_by(Investigation.opened_at.desc(), Investigation.id)
    )
    if still_open:
        chosen = chosen.where(Investigation.closed_at.is_(None))
    if investigation_id is not None:
        chosen = chosen.where(Investigation.id == investigation_id)
    return [Shortage(*row) for row in session.execute(chosen)]


def the_shortage(session: ReadSession, *, site_id: SiteId, investigation_id: UUID) -> Shortage:
    """One investigation of a site. Raises NotThere."""
    found = shortages(session, site_id=site_id, still_open=False, investigation_id=investigation_id)
    if not found:
        raise NotThere(Refusal("no-investigation", "There is no such investigation here.", "Look at the safe."))
    return found[0]


def handled_since(session: ReadSession, shortage: Investigation) -> Sequence[Handled]:
    """Who wrote lines about the lot between the count before and this one, most lines first."""
    lines = (
        select(
            Account.name,
            func.count(),
            func.coalesce(-func.sum(RegisterLine.ml).filter(RegisterLine.ml < 0), 0),
        )
        .join(Account, (Account.id == RegisterLine.account_id) | (Account.id == RegisterLine.second_id))
        .where(RegisterLine.lot_id == shortage.lot_id, RegisterLine.at <= shortage.opened_at)
        .where(RegisterLine.id != shortage.line_id)
        .group_by(Account.id)
        .order_by(func.count().desc(), Account.name)
    )
    if shortage.since is not None:
        lines = lines.where(RegisterLine.at >= shortage.since)
    return [Handled(*row) for row in session.execute(lines)]


def close_investigation(
    session: WriteSession, *, actor: Actor, investigation_id: UUID, found: str, at: datetime
) -> Investigation:
    """Closes an investigation with what was found, once. Raises BadInput, NotThere or Refused."""
    found = found.strip()
    row = session.scalar(
        select(Investigation)
        .where(Investigation.id == investigation_id, Investigation.site_id == actor.site_id)
        .with_for_update()
    )
    if row is None:
        raise NotThere(Refusal("no-investigation", "There is no such investigation here.", "Look at the safe."))
    if row.closed_at is not None:
        if (row.found, row.closed_by) == (found, actor.account_id):
            return row
        raise Refused(Refusal("closed-before", "Somebody has closed this investigation.", "Read what was found."))
    if not found:
        raise BadInput(Refusal("found", "Write what was found.", "It stays in the record.", field="found"))
    row.closed_at, row.closed_by, row.found = at, actor.account_id, found
    session.flush()
    details = {"lot": row.lot_id, "ml": row.ml}
    audit.record(
        session, actor=actor, act="closed investigation", subject="investigation", subject_id=row.id, at=at,
        details=details,
    )  # fmt: skip
    return row
