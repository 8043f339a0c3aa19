"""Bottles on the way to a home: counted out, taken by a carrier, handed over or brought back, never left unanswered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select

import notifications.service
from dispensary.clients.models import Client
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account, RoleGrant, Site
from dispensary.staff.rules import Act, Actor, Role, dose_day, may
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.models import Bottle, Pickup
from dispensary.supplies.pickups import prepared_bottles, put_back, waiting_pickup
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import Handed, dispense
from dispensary.supplies.verifying import verify_pass
from dispensary.units import AccountId, ClientId, DoseDay, SiteId

_OPEN = ("counted", "out")


def carriers(session: ReadSession, *, actor: Actor) -> list[tuple[AccountId, str]]:
    """Who of the site's staff may carry, by name, but for whoever counts out: two people know what leaves."""
    rows = session.execute(
        select(Account.id, Account.name, RoleGrant.role)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.site_id == actor.site_id, Account.left_at.is_(None), Account.id != actor.account_id)
        .order_by(Account.name)
    )
    return list(
        dict.fromkeys((AccountId(id_), name) for id_, name, role in rows if may([Role(role)], Act.CARRY, actor.own))
    )


def count_out(
    session: WriteSession,
    *,
    actor: Actor,
    pickup_id: UUID,
    carrier_id: UUID | None,
    bottles: int | None,
    today: DoseDay,
    at: datetime,
) -> Carrying:
    """The pharmacist counts a prepared pickup of today out to a carrier, who has yet to confirm the count.

    Pressed twice for the same carrier, it is done once. Raises BadInput, Refused or NotThere.
    """
    pickup = waiting_pickup(session, pickup_id=pickup_id, site_id=actor.site_id)
    waiting = prepared_bottles(session, pickup_id)
    faults = []
    if carrier_id not in {id_ for id_, _ in carriers(session, actor=actor)}:
        faults.append(Refusal("no-carrier", "Somebody else of the staff carries.", "Choose who.", field="carrier_id"))
    if bottles != len(waiting):
        faults.append(
            Refusal(
                "carrier-count",
                f"{len(waiting)} bottles are prepared, not {bottles if bottles is not None else 'none'}.",
                "Count them again, each sealed and labelled.",
                {"prepared": len(waiting)},
                field="bottles",
            )
        )
    if pickup.collect_on != today:
        faults.append(
            Refusal("pickup-other-day", f"This pickup is for {pickup.collect_on}, not for today.", "Wait for its day.")
        )
    if faults:
        raise BadInput(*faults)
    before = open_carrying(session, pickup_id=pickup_id)
    if before is not None:
        if before.carrier_id == carrier_id and before.state == "counted":
            return before
        raise Refused(Refusal("carried-already", "It was counted out before.", "Look at who carries it."))
    carrying = Carrying(
        site_id=actor.site_id,
        client_id=pickup.client_id,
        pickup_id=pickup_id,
        carrier_id=carrier_id,
        bottles=len(waiting),
        state="counted",
        counted_out_by=actor.account_id,
        counted_out_at=at,
    )
    session.add(carrying)
    session.flush()
    _write_down(session, actor, "counted out", carrying, at)
    return carrying


def open_carrying(session: ReadSession, *, pickup_id: UUID) -> Carrying | None:
    """Who carries a pickup, or is about to."""
    return session.scalar(select(Carrying).where(Carrying.pickup_id == pickup_id, Carrying.state.in_(_OPEN)))


def take(
    session: WriteSession, *, actor: Actor, carrying_id: UUID, bottles: int | None, today: DoseDay, at: datetime
) -> None:
    """The carrier confirms the count and takes the bottles: from now on they are out, and nobody else's.

    Taken once is taken. Raises NotThere, or BadInput when the carrier counts otherwise.
    """
    carrying, pickup = _mine(session, actor, carrying_id)
    if carrying.state == "out":
        return
    waiting = prepared_bottles(session, pickup.id)
    if bottles != carrying.bottles or len(waiting) != carrying.bottles:
        raise BadInput(
            Refusal(
                "carrier-count",
                f"{carrying.bottles} sealed bottles were counted out to you.",
                "Count again together with the pharmacist. Take nothing that you have not counted.",
                field="bottles",
            )
        )
    if pickup.state != "prepared" or pickup.collect_on != today:
        raise Refused(Refusal("not-carried", "This pickup does not wait any more.", "Call the pharmacist."))
    move_bottles(session, actor=actor, bottle_ids=[bottle.id for bottle in waiting], into=BottleState.OUT, at=at)
    carrying.state, carrying.taken_at = "out", at
    pickup.state = "out"
    session.flush()
    _write_down(session, actor, "took bottles out", carrying, at)


def deliver(
    session: WriteSession,
    *,
    actor: Actor,
    carrying_id: UUID,
    shown: str,
    identified_by: str,
    well: bool,
    happened_at: datetime | None,
    key: str,
    zone: str,
    at: datetime,
) -> Handed:
    """Hands the bottles over at the home: the client's pass confirms it, the carrier knows them by photo or identifier.

    `happened_at` is when it was, where it is entered late: the pass is judged, and the supply written, for that moment.
    Once for each key. Raises Refused with every reason, and then the bottles are still out.
    """
    carrying, pickup = _mine(session, actor, carrying_id, also_delivered=True)
    then = happened_at or at
    if carrying.state == "out" and not (carrying.taken_at or at) <= then <= at:
        raise BadInput(
            Refusal(
                "delivered-when",
                "It was handed over after the bottles were taken, and not later than now.",
                "Correct the time.",
                field="happened_at",
            )
        )
    if carrying.state == "out":
        verified = verify_pass(session, site_id=actor.site_id, text=shown, at=then, carried=True, typed_at=at)
        if verified.pickup_id != pickup.id:
            raise Refused(
                Refusal(
                    "pass-of-another",
                    "This pass belongs to other bottles than these.",
                    "Hand nothing over. Compare the photo, and ask for this client's own pass.",
                    {"pass": verified.pass_id},
                )
            )
    site = session.get_one(Site, actor.site_id)
    handed = dispense(
        session,
        actor=actor,
        client_id=ClientId(carrying.client_id),
        wanted=Wanted(
            observed=False,
            identified_by=identified_by,
            well=well,
            pickup_id=pickup.id,
            collected_by="carrier",
        ),
        key=key,
        today=dose_day(site.zone, site.day_starts, then),
        at=then,
    )
    if handed.repeated:
        return handed
    carrying.state, carrying.happened_at = "delivered", then
    carrying.ended_by, carrying.ended_at = actor.account_id, at
    session.flush()
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=carrying.client_id,
        kind="collected",
        reason_key=f"collected:{handed.supply_id}",
        fields={"at": then},
        zone=ZoneInfo(zone),
        now=at,
        valid_until=at + timedelta(hours=12),
    )
    return handed


def bring_back(
    session: WriteSession,
    *,
    actor: Actor,
    carrying_id: UUID,
    bottles: int | None,
    reason: str,
    into_stock: bool,
    today: DoseDay,
    at: datetime,
) -> None:
    """Bottles come back and are counted in by somebody else than who carried them.

    They wait to be collected again, or go back into stock. Where all of them were lost on the way the round ends with
    none. Raises BadInput, Refused or NotThere.
    """
    carrying = session.get(Carrying, carrying_id)
    if carrying is None or carrying.site_id != actor.site_id:
        raise _not_out()
    pickup = waiting_pickup(session, pickup_id=carrying.pickup_id, site_id=actor.site_id)
    session.refresh(carrying, with_for_update={"key_share": True})
    if carrying.state != "out":
        raise _not_out()
    faults = []
    if carrying.carrier_id == actor.account_id:
        faults.append(
            Refusal(
                "carrier-counts-in", "Who carried them does not count them in.", "Let somebody else of the staff do it."
            )
        )
    if not reason.strip():
        faults.append(Refusal("reason", "Say why they come back.", "It stands in the record.", field="reason"))
    out = prepared_bottles(session, pickup.id, carried=True)
    if bottles != len(out):
        faults.append(
            Refusal(
                "carrier-count",
                f"{len(out)} sealed bottles are out, not {bottles if bottles is not None else 'none'}.",
                "Count again. If one is missing, write it down first as lost on the way; the others stay sealed.",
                {"out": len(out)},
                field="bottles",
            )
        )
    if faults:
        raise BadInput(*faults)
    move_bottles(
        session,
        actor=actor,
        bottle_ids=[bottle.id for bottle in out],
        into=BottleState.PREPARED,
        at=at,
        note=reason,
    )
    pickup.state = "prepared"
    carrying.state, carrying.note = "brought_back", reason.strip()
    carrying.ended_by, carrying.ended_at = actor.account_id, at
    session.flush()
    if into_stock or not out:
        put_back(session, actor=actor, pickup=pickup, state="cancelled", reason=reason.strip(), day=today, at=at)
    _write_down(session, actor, "counted bottles in", carrying, at)


def call_off(session: WriteSession, *, actor: Actor, carrying_id: UUID, reason: str, at: datetime) -> None:
    """Ends what was counted out and never taken. Raises BadInput or NotThere."""
    if not reason.strip():
        raise BadInput(Refusal("reason", "Say why nobody carries it.", "It stands in the record.", field="reason"))
    carrying = session.get(Carrying, carrying_id)
    if carrying is None or carrying.site_id != actor.site_id:
        raise _not_out()
    lock_client(session, ClientId(carrying.client_id), actor.site_id)
    session.refresh(carrying, with_for_update={"key_share": True})
    if carrying.state != "counted":
        raise _not_out()
    carrying.state, carrying.note = "called_off", reason.strip()
    carrying.ended_by, carrying.ended_at = actor.account_id, at
    session.flush()
    _write_down(session, actor, "called off carrying", carrying, at)


def carried_to(session: ReadSession, *, client_id: ClientId, on: date | None = None) -> Sequence[tuple[Carrying, str]]:
    """What is counted out or out for a client, for one day where asked, and who carries it."""
    found = (
        select(Carrying, Account.name)
        .join(Account, Account.id == Carrying.carrier_id)
        .join(Pickup, Pickup.id == Carrying.pickup_id)
        .where(Carrying.client_id == client_id, Carrying.state.in_(_OPEN))
        .order_by(Carrying.counted_out_at, Carrying.id)
    )
    if on is not None:
        found = found.where(Pickup.collect_on == on)
    return [(carrying, name) for carrying, name in session.execute(found)]


def _not_out() -> NotThere:
    return NotThere(Refusal("not-carried", "These bottles are not out.", "Look at the list again."))


def _mine(
    session: WriteSession, actor: Actor, carrying_id: UUID, *, also_delivered: bool = False
) -> tuple[Carrying, Pickup]:
    """What the actor carries, with its client, pickup and itself locked, in order."""
    carrying = session.get(Carrying, carrying_id)
    if carrying is None or carrying.site_id != actor.site_id or carrying.carrier_id != actor.account_id:
        raise _not_out()
    if also_delivered and carrying.state == "delivered":
        return carrying, session.get_one(Pickup, carrying.pickup_id)
    pickup = waiting_pickup(session, pickup_id=carrying.pickup_id, site_id=actor.site_id)
    session.refresh(carrying, with_for_update={"key_share": True})
    if carrying.state not in _OPEN:
        raise _not_out()
    return carrying, pickup


def _write_down(session: WriteSession, actor: Actor, act: str, carrying: Carrying, at: datetime) -> None:
    details = {"pickup": carrying.pickup_id, "carrier": carrying.carrier_id, "bottles": carrying.bottles}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=carrying.client_id, at=at, details=details)


@dataclass(frozen=True)
class OutNow:
    """What somebody carries, or is about to take."""

    carrying: Carrying
    carrier: str
    number: str
    left: int
    """Bottles that are still to be handed over or brought back."""


def out_now(session: ReadSession, *, site_id: SiteId, carrier_id: UUID | None = None) -> Sequence[OutNow]:
    """What is counted out or out at a site, or with one carrier of it, the longest first."""
    out = (
        select(func.count())
        .where(Bottle.pickup_id == Carrying.pickup_id, Bottle.state == BottleState.OUT)
        .correlate(Carrying)
        .scalar_subquery()
    )
    found = (
        select(Carrying, Account.name, Client.number, case((Carrying.state == "out", out), else_=Carrying.bottles))
        .join(Account, Account.id == Carrying.carrier_id)
        .join(Client, Client.id == Carrying.client_id)
        .where(Carrying.site_id == site_id, Carrying.state.in_(_OPEN))
        .order_by(Carrying.counted_out_at, Carrying.id)
    )
    if carrier_id is not None:
        found = found.where(Carrying.carrier_id == carrier_id)
    return [OutNow(*row) for row in session.execute(found)]
