"""A bottle that is lost, broken or spilled on the way to a home: out of the balance at once, and told to both sides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot
from dispensary.stock.service import write_line
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.loss_models import BottleReport
from dispensary.supplies.losses import Lost, faults_of_report, known_report, write_report
from dispensary.supplies.models import Bottle
from dispensary.supplies.pickups import waiting_pickup
from dispensary.supplies.writing import request_digest
from dispensary.units import ClientId, DoseDay, plain


def lost_on_the_way(
    session: WriteSession,
    *,
    actor: Actor,
    carrying_id: UUID,
    bottle_ids: Sequence[UUID],
    what: Lost,
    told: str,
    police_number: str,
    key: str,
    may_for_others: bool,
    today: DoseDay,
    at: datetime,
) -> BottleReport:
    """Writes down that bottles which are out will not arrive, as the carrier tells it, and tells the prescriber.

    They still belonged to the safe: each is a line of the register. Their days are without a dose, and nothing is
    packed in their place by itself. The others stay out: they are handed over, or counted in by somebody else, and so
    is the round of a carrier who has none left. `may_for_others` lets the counter write it for whoever carried them. A
    repeated request with the same key gets the first answer. Raises BadInput, Refused, and NotThere for bottles that
    are not out there.
    """
    wanted = sorted(set(bottle_ids))
    digest = request_digest(key, "loss on the way", carrying_id, wanted, what.value)
    carrying = session.get(Carrying, carrying_id)
    if carrying is None or carrying.site_id != actor.site_id:
        raise _not_out()
    if carrying.carrier_id != actor.account_id and not may_for_others:
        raise _not_out()
    lock_client(session, ClientId(carrying.client_id), actor.site_id)
    known = known_report(session, actor=actor, key=key, digest=digest)
    if known is not None:
        return known
    waiting_pickup(session, pickup_id=carrying.pickup_id, site_id=actor.site_id)
    session.refresh(carrying, with_for_update={"key_share": True})
    if carrying.state != "out":
        raise _not_out()
    faults = faults_of_report(wanted, told)
    if faults:
        raise BadInput(*faults)
    rows = session.execute(
        select(Bottle, Lot.book_id)
        .join(Lot, Lot.id == Bottle.lot_id)
        .where(Bottle.id.in_(wanted), Bottle.pickup_id == carrying.pickup_id, Bottle.state == BottleState.OUT)
        .order_by(Lot.expires_on, Lot.batch, Bottle.dose_day, Bottle.portion)
        .execution_options(populate_existing=True)
    ).all()
    if len(rows) != len(wanted):
        raise NotThere(Refusal("no-bottle", "One of these bottles is not out any more.", "Open the page again."))
    carrier = session.get_one(Account, carrying.carrier_id)
    filled = [(bottle.lot_id, book_id, bottle.ml, bottle.serial) for bottle, book_id in rows]
    report = write_report(
        session,
        actor=actor,
        client_id=ClientId(carrying.client_id),
        bottles=[bottle for bottle, _ in rows],
        what=what,
        told=told,
        police_number=police_number,
        key=key,
        digest=digest,
        carried_by=carrier.initials,
        at=at,
    )
    for lot_id, book_id, ml, serial in filled:
        write_line(
            session,
            actor=actor,
            lot_id=lot_id,
            book_id=book_id,
            kind="lost",
            ml=-ml,
            day=today,
            at=at,
            reason=f"bottle {serial}, {plain(ml)} mL, {what.value} on the way with {carrier.initials}: {told.strip()}",
        )
    return report


def _not_out() -> NotThere:
    return NotThere(Refusal("not-carried", "These bottles are not out.", "Look at the list again."))
