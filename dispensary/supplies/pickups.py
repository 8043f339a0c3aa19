"""Preparing bottles for a client to collect, issuing the pass that verifies it, and putting bottles back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from dispensary.clients.service import lock_client, the_client, the_episode
from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.keys import Vault
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot
from dispensary.stock.service import write_line
from dispensary.supplies import passes
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.models import Bottle, Pickup, PickupPass
from dispensary.supplies.moment import read_moment
from dispensary.supplies.packing import bottle_row, pack
from dispensary.supplies.rules import Wanted, doses_of, may_prepare
from dispensary.supplies.writing import BROKEN
from dispensary.units import ClientId, DoseDay, SiteId, new_id


@dataclass(frozen=True)
class Prepared:
    """A prepared pickup with what shows it: the card's QR, the typed code, the link of the page. None is stored."""

    pickup_id: UUID
    pass_id: UUID
    token: str
    code: str
    link: str
    bottles: int


def prepare_pickup(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    collect_on: DoseDay,
    take_home_days: Sequence[DoseDay],
    valid: tuple[datetime, datetime],
    today: DoseDay,
    at: datetime,
) -> Prepared:
    """Packs a bottle for each portion of these days, promises their stock, and issues a pass for the day of collection.

    Orders, coverage and the take-home decision are judged as of the day of collection. Raises Refused.
    """
    client = the_client(session, client_id, actor.site_id)
    if collect_on < today:
        raise BadInput(Refusal("collect-past", "A pickup is collected today or later.", "Correct the day."))
    episode = the_episode(session, client.id, collect_on)
    wanted = Wanted(observed=False, take_home_days=tuple(sorted(take_home_days)))
    reading = read_moment(
        session, site_id=actor.site_id, client_id=client_id, today=collect_on, days=wanted.take_home_days
    )
    faults = may_prepare(reading.moment, wanted)
    if faults:
        raise Refused(*faults)
    plans = doses_of(reading.moment, wanted)
    packed = pack(session, site_id=actor.site_id, plans=plans, bottles=[], day=collect_on)
    pickup = Pickup(
        site_id=actor.site_id,
        client_id=client_id,
        episode_id=episode.id,
        collect_on=collect_on,
        state="prepared",
        prepared_by=actor.account_id,
        prepared_at=at,
    )
    session.add(pickup)
    try:
        session.flush()
        rows = [bottle_row(actor, client_id, one, at, state="prepared", pickup_id=pickup.id) for one in packed]
        session.execute(insert(Bottle), rows)
    except IntegrityError as reason:
        if broken_constraint(reason) == "uq_pickup_open":
            raise Refused(_prepared_already(collect_on)) from None
        if broken_constraint(reason) == "bottle_in_one_place":
            raise Refused(BROKEN["bottle_in_one_place"]) from None
        if broken_constraint(reason) == "ck_lot_bottled_is_there":
            raise Refused(Refusal("no-stock", "The lot was promised a moment ago.", "Try again.")) from None
        raise
    issued = issue_pass(session, actor=actor, pickup=pickup, valid=valid, at=at)
    details = {"pickup": pickup.id, "collect_on": collect_on, "days": list(wanted.take_home_days)}
    audit.record(
        session, actor=actor, act="prepared pickup", subject="client", subject_id=client_id, at=at, details=details
    )
    token, code = shown(session, issued.id)
    link = passes.link_of(signer_of(session, issued.id), issued.id)
    return Prepared(pickup.id, issued.id, token, code, link, bottles=len(packed))


def _prepared_already(day: date) -> Refusal:
    return Refusal(
        "prepared-already",
        f"A pickup is already prepared for {day}.",
        "Hand that one over, or put it back into stock first.",
        {"day": day},
    )


def shown(session: ReadSession, pass_id: UUID) -> tuple[str, str]:
    """The card's token and the code of a pass, made again from its id and the key."""
    signer = signer_of(session, pass_id)
    return passes.token_of(signer, pass_id), passes.code_of(signer, pass_id)


def signer_of(session: ReadSession, pass_id: UUID) -> Vault:
    """The vault that makes this pass again. Raises BadKeys when the key that signed it was dropped."""
    return session.vault.signing_by(session.scalars(select(PickupPass.signed_by).filter_by(id=pass_id)).one())


def issue_pass(
    session: WriteSession,
    *,
    actor: Actor,
    pickup: Pickup,
    valid: tuple[datetime, datetime],
    at: datetime,
    key: str = "",
) -> PickupPass:
    """Issues a pass for a pickup; an earlier live one is revoked, since a lost one must not open it too."""
    end_passes(session, pickup_id=pickup.id, reason="revoked", at=at)
    signed_by = session.vault.ring.signing.current
    signer = session.vault.signing_by(signed_by)
    for _ in range(20):  # a code that a live pass of this site has is passed over: one chance in thousands
        pass_id = new_id()
        code = passes.code_of(signer, pass_id)
        taken = session.scalar(
            select(PickupPass.id).where(
                PickupPass.site_id == pickup.site_id,
                PickupPass.code_digest.in_(passes.code_digests(session.vault, pickup.site_id, code)),
                PickupPass.ended_at.is_(None),
            )
        )
        if taken is None:
            break
    issued = PickupPass(
        id=pass_id,
        site_id=pickup.site_id,
        pickup_id=pickup.id,
        token_digest=passes.token_digest(signer, pass_id),
        code_digest=passes.code_digest(signer, pickup.site_id, code),
        signed_by=signed_by,
        issued_by=actor.account_id,
        key=key,
        issued_at=at,
        valid_from=valid[0],
        valid_until=valid[1],
    )
    session.add(issued)
    session.flush()
    return issued


def live_pass(session: ReadSession, *, pickup_id: UUID) -> PickupPass | None:
    """The pass that opens this pickup now."""
    return session.scalar(select(PickupPass).where(PickupPass.pickup_id == pickup_id, PickupPass.ended_at.is_(None)))


def passes_of(session: ReadSession, *, pickup_id: UUID) -> Sequence[PickupPass]:
    """Every pass that was issued for a pickup, the newest first."""
    return session.scalars(
        select(PickupPass).where(PickupPass.pickup_id == pickup_id).order_by(PickupPass.issued_at.desc(), PickupPass.id)
    ).all()


def end_passes(session: WriteSession, *, pickup_id: UUID, reason: str, at: datetime) -> None:
    """Ends every live pass of a pickup: redeemed, revoked, expired, or shown by the wrong person."""
    session.execute(
        update(PickupPass)
        .where(PickupPass.pickup_id == pickup_id, PickupPass.ended_at.is_(None))
        .values(ended_at=at, end_reason=reason)
    )


def prepared_bottles(session: ReadSession, pickup_id: UUID, *, carried: bool = False) -> Sequence[Bottle]:
    """The bottles of a pickup that wait to be collected, or are out with a carrier, by day and portion."""
    states = (BottleState.OUT,) if carried else (BottleState.PREPARED, BottleState.CHECKED)
    return session.scalars(
        select(Bottle)
        .where(Bottle.pickup_id == pickup_id, Bottle.state.in_(states))
        .order_by(Bottle.dose_day, Bottle.portion)
    ).all()


def bottles_of(session: ReadSession, *, pickup_id: UUID) -> Sequence[Bottle]:
    """Every bottle of a pickup, wherever it is now, by day and portion."""
    return session.scalars(
        select(Bottle).where(Bottle.pickup_id == pickup_id).order_by(Bottle.dose_day, Bottle.portion)
    ).all()


def waiting_pickup(session: WriteSession, *, pickup_id: UUID, site_id: SiteId) -> Pickup:
    """A pickup of the site that waits to be collected or is on its way, with its client and itself locked, in order.

    Raises NotThere for any other.
    """
    gone = NotThere(Refusal("no-pickup", "No such pickup is waiting.", "Look at the list again."))
    pickup = session.get(Pickup, pickup_id)
    if pickup is None or pickup.site_id != site_id:
        raise gone
    lock_client(session, ClientId(pickup.client_id), site_id)
    session.refresh(pickup, with_for_update=True)
    if pickup.state not in ("prepared", "out"):
        raise gone
    return pickup


def the_pickup(
    session: WriteSession,
    pickup_id: UUID,
    *,
    site_id: SiteId,
    client_id: ClientId,
    today: DoseDay,
    carried: bool = False,
) -> Pickup:
    """The pickup, locked, when it waits for this client today, in the safe or with a carrier.

    Raises Refused with what became of it otherwise.
    """
    pickup = session.get(Pickup, pickup_id, with_for_update=True)
    if pickup is None or (pickup.client_id, pickup.site_id) != (client_id, site_id):
        raise NotThere(Refusal("no-pickup", "There is no such pickup for this client.", "Scan the pass again."))
    if pickup.state == "out" and not carried:
        raise Refused(OUT)
    if pickup.state != ("out" if carried else "prepared"):
        raise Refused(
            Refusal(
                "pass-used",
                f"This pickup was {_BECAME[pickup.state]} before.",
                "Hand nothing over. Look at the record: who, and when.",
                {"pickup": pickup.id, "state": pickup.state},
            )
        )
    if pickup.collect_on != today:
        raise Refused(
            Refusal(
                "pickup-other-day",
                f"This pickup is for {pickup.collect_on}, not for today.",
                "Give today's dose at the counter; prepare the bottles for the right day.",
                {"collect_on": pickup.collect_on},
            )
        )
    return pickup


OUT = Refusal(
    "pickup-out",
    "These bottles are with a carrier, on the way to the client's home.",
    "Call the carrier who is named under Pickups. The bottles are handed over there, or brought back first.",
)
_BECAME = {
    "prepared": "brought back",
    "collected": "collected",
    "unclaimed": "not collected and put back into stock",
    "cancelled": "cancelled",
}


def put_back(
    session: WriteSession, *, actor: Actor, pickup: Pickup, state: str, reason: str, day: DoseDay, at: datetime
) -> int:
    """Puts the bottles of a pickup back into stock, each noted in the register with the reason. Returns how many."""
    bottles = prepared_bottles(session, pickup.id)
    for bottle in bottles:
        book_id = session.execute(select(Lot.book_id).where(Lot.id == bottle.lot_id)).scalar_one()
        note = f"bottle {bottle.serial} for {bottle.dose_day}, {bottle.ml} mL, back in stock: {reason}"
        write_line(
            session,
            actor=actor,
            lot_id=bottle.lot_id,
            book_id=book_id,
            kind="note",
            ml=Decimal(0),
            day=day,
            at=at,
            reason=note,
        )
    move_bottles(
        session,
        actor=actor,
        bottle_ids=[bottle.id for bottle in bottles],
        into=BottleState.BACK_IN_STOCK,
        at=at,
        note=reason,
    )
    pickup.state, pickup.closed_at, pickup.reason = state, at, reason
    end_passes(session, pickup_id=pickup.id, reason="revoked" if state == "cancelled" else "expired", at=at)
    session.flush()
    return len(bottles)


def cancel_pickup(
    session: WriteSession, *, actor: Actor, pickup_id: UUID, reason: str, day: DoseDay, at: datetime
) -> None:
    """Cancels a prepared pickup: its bottles go back into stock. Raises BadInput or NotThere."""
    if not reason.strip():
        raise BadInput(Refusal("reason", "Say why the bottles go back.", "It stands in the register.", field="reason"))
    owner = session.scalar(select(Pickup.client_id).where(Pickup.id == pickup_id, Pickup.site_id == actor.site_id))
    if owner is not None:
        lock_client(session, ClientId(owner), actor.site_id)  # before the pickup: the order in which every act locks
    pickup = session.get(Pickup, pickup_id, with_for_update=True)
    if pickup is None or owner is None or pickup.state != "prepared":
        raise NotThere(Refusal("no-pickup", "No such pickup is waiting.", "Look at the list again."))
    put_back(session, actor=actor, pickup=pickup, state="cancelled", reason=reason.strip(), day=day, at=at)
    audit.record(session, actor=actor, act="cancelled pickup", subject="client", subject_id=pickup.client_id, at=at)
