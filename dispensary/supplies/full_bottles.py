"""Full bottles that came back from clients: apart from the stock, until two people destroy them or the site's rule
lets them go back into the safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import case, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from dispensary.clients.models import Client
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession, through
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.countersign import the_second_person
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot
from dispensary.stock.service import write_line
from dispensary.supplies.bottle_models import BottleEvent, BottleSetting
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.models import Bottle, BottleReturn
from dispensary.units import AccountId, ClientId, DoseDay, SiteId, plain
from dispensary.wall import Door

DESTROY: Final = "destroy"
RESTOCK: Final = "restock"


@dataclass(frozen=True)
class Awaiting:
    """A full bottle that came back and is still here."""

    bottle: Bottle
    number: str
    batch: str
    expires_on: date
    returned_on: date
    reason: str
    filled_at: str
    """The code of another site whose safe filled it: it can be destroyed here, and never put into this safe."""


@through(Door.OWN_ACTS)
def awaiting(session: ReadSession, *, site_id: SiteId) -> Sequence[Awaiting]:
    """The full bottles at a site that wait to be destroyed or put back, the longest here first."""
    rows = session.execute(
        select(
            Bottle,
            Client.number,
            Lot.batch,
            Lot.expires_on,
            BottleReturn.returned_on,
            BottleReturn.reason,
            case((Lot.site_id == site_id, ""), else_=Site.code),
        )
        .join(BottleReturn, BottleReturn.bottle_id == Bottle.id)
        .join(Client, Client.id == Bottle.client_id)
        .join(Lot, Lot.id == Bottle.lot_id)
        .join(Site, Site.id == Lot.site_id)
        .where(BottleReturn.site_id == site_id, BottleReturn.is_full, Bottle.state == BottleState.RETURNED_FULL)
        .order_by(BottleReturn.at, Bottle.dose_day, Bottle.portion)
    )
    return [Awaiting(*row) for row in rows]


@dataclass(frozen=True)
class Destroyed:
    """A returned bottle that two people destroyed."""

    at: datetime
    serial: str
    mg: Decimal
    ml: Decimal
    by: str
    second: str
    how: str


def destroyed_lately(session: ReadSession, *, site_id: SiteId) -> Sequence[Destroyed]:
    """The returned bottles that were destroyed at a site in the last year of its record, the newest first."""
    one, other = aliased(Account), aliased(Account)
    rows = session.execute(
        select(BottleEvent.at, Bottle.serial, Bottle.mg, Bottle.ml, one.initials, other.initials, BottleEvent.note)
        .join(Bottle, Bottle.id == BottleEvent.bottle_id)
        .join(BottleReturn, BottleReturn.bottle_id == Bottle.id)
        .join(one, one.id == BottleEvent.account_id)
        .join(other, other.id == BottleEvent.second_id)
        .where(BottleReturn.site_id == site_id, BottleReturn.is_full, BottleEvent.state == BottleState.DESTROYED)
        .order_by(BottleEvent.at.desc(), Bottle.serial)
    )
    every = [Destroyed(*row) for row in rows]
    return [each for each in every if each.at > every[0].at - timedelta(days=366)]


def rule_of(session: ReadSession, *, site_id: SiteId) -> tuple[str, str]:
    """What the site does with full bottles, `destroy` unless it has said otherwise, and where that rule stands."""
    found = session.get(BottleSetting, site_id)
    return (found.full_returns, found.source) if found else (DESTROY, "")


def set_rule(session: WriteSession, *, actor: Actor, full_returns: str, source: str, at: datetime) -> None:
    """Sets what the site does with full bottles. Raises BadInput; putting back asks for where the law allows it."""
    if full_returns not in (DESTROY, RESTOCK):
        raise BadInput(Refusal("full-returns", "Choose one of the two.", "Choose again.", field="full_returns"))
    if full_returns == RESTOCK and not source.strip():
        raise BadInput(
            Refusal(
                "source",
                "Many laws forbid that a bottle which left the premises is used again.",
                "Write down where yours allows it.",
                field="source",
            )
        )
    assert actor.account_id is not None, "a person sets a site's rule"
    values = {
        "full_returns": full_returns,
        "source": source.strip(),
        "set_by": actor.account_id,
        "set_at": at,
    }
    session.execute(
        upsert(BottleSetting)
        .values(site_id=actor.site_id, **values)
        .on_conflict_do_update(index_elements=["site_id"], set_=values)
    )
    details = {"full_returns": full_returns}
    audit.record(
        session, actor=actor, act="set bottle rule", subject="site", subject_id=actor.site_id, at=at, details=details
    )


@through(Door.OWN_ACTS)
def destroy_bottles(
    session: WriteSession,
    *,
    actor: Actor,
    bottle_ids: Sequence[UUID],
    how: str,
    second_id: AccountId | None,
    pin: str,
    at: datetime,
) -> int:
    """Destroys full bottles that came back, before a second person who proves to be there. Returns how many.

    They are in no balance: their register lines say that they were handed over, and each bottle's record how it ended.
    Raises BadInput with everything that is missing, NotThere or Refused for a bottle that is not here any more.
    """
    found = _locked(session, actor, bottle_ids)
    faults = list(the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at))
    if not how.strip():
        faults.append(
            Refusal("how", "Say how they are destroyed.", "The inspector will ask for the method.", field="how")
        )
    if faults:
        raise BadInput(*faults)
    move_bottles(
        session,
        actor=actor,
        bottle_ids=[bottle.id for bottle in found],
        into=BottleState.DESTROYED,
        at=at,
        note=how,
        second_id=second_id,
    )
    _write_down(session, actor, found, "destroyed returned bottles", at)
    return len(found)


@through(Door.OWN_ACTS)
def restock_bottles(
    session: WriteSession, *, actor: Actor, bottle_ids: Sequence[UUID], reason: str, day: DoseDay, at: datetime
) -> int:
    """Puts full, sealed bottles that came back into the safe again, where the site's rule allows it. Returns how many.

    Each is a line of the register, back in the lot that it came from. Raises Refused when the rule does not allow it,
    the lot has expired or another site's safe filled the bottle, BadInput without a reason.
    """
    rule, source = rule_of(session, site_id=actor.site_id)
    if rule != RESTOCK:
        raise Refused(
            Refusal(
                "no-restock",
                "This site destroys what comes back.",
                "Destroy it with a second person, or keep it apart.",
            )
        )
    if not reason.strip():
        raise BadInput(
            Refusal("reason", "Say who found the seals whole.", "It stands in the register.", field="reason")
        )
    found = _locked(session, actor, bottle_ids)
    lots = {lot.id: lot for lot in session.scalars(select(Lot).where(Lot.id.in_({b.lot_id for b in found})))}
    foreign = [bottle.serial for bottle in found if lots[bottle.lot_id].site_id != actor.site_id]
    if foreign:
        raise Refused(
            Refusal(
                "lot-of-another-site",
                f"{len(foreign)} of these bottles were filled from another site's safe, and stand in its register.",
                "Destroy them here with a second person, or leave them out.",
                {"serials": foreign},
            )
        )
    expired = sorted({lots[b.lot_id].batch for b in found if lots[b.lot_id].expires_on < day})
    if expired:
        raise Refused(
            Refusal("expired", f"Lot {', '.join(expired)} has expired.", "Destroy these bottles.", {"lots": expired})
        )
    move_bottles(
        session,
        actor=actor,
        bottle_ids=[bottle.id for bottle in found],
        into=BottleState.BACK_IN_STOCK,
        at=at,
        note=reason,
    )
    for bottle in sorted(found, key=lambda each: (lots[each.lot_id].expires_on, lots[each.lot_id].batch)):
        note = f"bottle {bottle.serial}, {plain(bottle.ml)} mL, back full from the client: {reason.strip()} ({source})"
        write_line(
            session,
            actor=actor,
            lot_id=bottle.lot_id,
            book_id=lots[bottle.lot_id].book_id,
            kind="returned",
            ml=bottle.ml,
            day=day,
            at=at,
            reason=note,
        )
    _write_down(session, actor, found, "put returned bottles back", at)
    return len(found)


def _locked(session: WriteSession, actor: Actor, bottle_ids: Sequence[UUID]) -> Sequence[Bottle]:
    """These bottles, their clients locked, all of them here and waiting. Raises BadInput, NotThere or Refused."""
    if not bottle_ids:
        raise BadInput(Refusal("bottles", "No bottle was chosen.", "Tick the bottles.", field="bottles"))
    wanted = set(bottle_ids)
    owners = session.execute(
        select(Bottle.client_id, Client.site_id)
        .join(BottleReturn, BottleReturn.bottle_id == Bottle.id)
        .join(Client, Client.id == Bottle.client_id)
        .where(Bottle.id.in_(wanted), BottleReturn.site_id == actor.site_id)
        .distinct()
    ).all()
    for client_id, site_id in sorted(owners):
        lock_client(session, ClientId(client_id), site_id)
    found = session.scalars(
        select(Bottle)
        .join(BottleReturn, BottleReturn.bottle_id == Bottle.id)
        .where(Bottle.id.in_(wanted), BottleReturn.site_id == actor.site_id)
        .execution_options(populate_existing=True)
    ).all()
    if len(found) != len(wanted):
        raise NotThere(Refusal("no-bottle", "There is no such bottle at this site.", "Open the list again."))
    gone = [bottle.serial for bottle in found if bottle.state != BottleState.RETURNED_FULL]
    if gone:
        raise Refused(
            Refusal(
                "bottle-gone",
                f"{len(gone)} of these bottles were destroyed or put back before.",
                "Open the list again.",
                {"serials": gone},
            )
        )
    return found


def _write_down(session: WriteSession, actor: Actor, found: Sequence[Bottle], act: str, at: datetime) -> None:
    by_client: dict[ClientId, list[str]] = {}
    for bottle in found:
        by_client.setdefault(ClientId(bottle.client_id), []).append(bottle.serial)
    for client_id, serials in sorted(by_client.items()):
        audit.record(
            session,
            actor=actor,
            act=act,
            subject="client",
            subject_id=client_id,
            at=at,
            details={"bottles": sorted(serials)},
        )
