"""Handing over: the observed dose and the bottles, in one act."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from dispensary.clients.service import lock_client, no_episode, the_client
from dispensary.database import WriteSession, broken_constraint
from dispensary.monitoring.service import open_alert
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.stock.service import write_line
from dispensary.supplies.models import Bottle
from dispensary.supplies.moment import Earlier, read_moment
from dispensary.supplies.packing import Packed, bottle_row, pack
from dispensary.supplies.pickups import end_passes, prepared_bottles, the_pickup
from dispensary.supplies.rules import Wanted, doses_of, may_dispense
from dispensary.units import ClientId, DoseDay, new_id

BROKEN = {
    "uq_dose_covers_once": Refusal(
        "already-covered", "This dose day was covered a moment ago, at this or another counter.", "Look at the record."
    ),
    "dose_day_open": Refusal("day-closed", "The dose day has just been closed.", "Dose on the next day."),
    "dose_not_held": Refusal("held", "The prescriber has just held the dose.", "Call the prescriber."),
    "dose_order_in_force": Refusal("no-order", "The order has just been changed.", "Open the client again."),
    "dose_not_above_order": Refusal("no-order", "The order has just been changed.", "Open the client again."),
    "take_home_decided": Refusal("no-decision", "The take-home decision has just ended.", "Open the client again."),
    "take_home_per_supply": Refusal("take-home-limit", "More bottles than decided.", "Choose fewer days."),
    "take_home_per_week": Refusal("take-home-limit", "More bottles in a week than decided.", "Choose fewer days."),
    "ck_lot_balance_not_negative": Refusal("no-stock", "The lot was used up a moment ago.", "Try again."),
    "ck_lot_bottled_is_there": Refusal("no-stock", "The lot was promised a moment ago.", "Try again."),
    "uq_supply_pickup": Refusal("pass-used", "This pickup was handed over a moment ago.", "Look at the record."),
}
"""What PostgreSQL's own refusals mean at the counter: who came second is told so, and nothing of theirs is kept."""

_SUPPLY = """
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, decision_id, pickup_id,
    identified_by, observation, second_look, dispensed_by, origin, answer)
VALUES (%(id)s, %(site_id)s, %(client_id)s, %(episode_id)s, %(dose_day)s, %(at)s, %(key)s, %(request_sha256)s,
    %(decision_id)s, %(pickup_id)s, %(identified_by)s, %(observation)s, %(second_look)s, %(dispensed_by)s, 'counter',
    %(answer)s)
"""
_DOSE = """
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id,
    closed_day)
VALUES (%(id)s, %(supply_id)s, %(site_id)s, %(client_id)s, %(order_id)s, %(dose_day)s, %(portion)s, %(portions)s,
    %(kind)s, %(mg)s, %(ml)s, %(lot_id)s, %(closed_day)s)
"""


@dataclass(frozen=True)
class Handed:
    """The answer to a supply: the same for each request with the same key."""

    supply_id: UUID
    answer: dict[str, Any]
    repeated: bool = False


def dispense(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    wanted: Wanted,
    key: str,
    today: DoseDay,
    at: datetime,
) -> Handed:
    """Hands over what was asked, all of it or nothing, once for each key.

    Supply, doses, bottles, register lines, pickup, pass and audit entry are one unit of work. Raises Refused with every
    reason; a repeated key with another content is refused.
    """
    digest = _digest(client_id, wanted, key)
    lock_client(session, client_id, actor.site_id)
    bottles = prepared_bottles(session, wanted.pickup_id) if wanted.pickup_id else []
    days = sorted({*wanted.take_home_days, *(DoseDay(bottle.dose_day) for bottle in bottles)})
    wanted = replace(wanted, take_home_days=tuple(days))
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today, days=days, key=key)
    if reading.earlier:
        return _answered(reading.earlier, digest)
    pickup = the_pickup(session, wanted.pickup_id, client_id=client_id, today=today) if wanted.pickup_id else None
    faults = may_dispense(reading.moment, wanted)
    if faults:
        raise Refused(*faults)
    if reading.episode_id is None:
        raise no_episode()
    packed = pack(session, site_id=actor.site_id, plans=doses_of(reading.moment, wanted), bottles=bottles, day=today)
    supply_id = new_id()
    answer = _answer(supply_id, packed, at)
    try:
        session.run(
            _SUPPLY,
            {
                "id": supply_id,
                "site_id": actor.site_id,
                "client_id": client_id,
                "episode_id": reading.episode_id,
                "dose_day": today,
                "at": at,
                "key": key,
                "request_sha256": digest,
                "decision_id": reading.decision.id if reading.decision else None,
                "pickup_id": pickup.id if pickup else None,
                "identified_by": wanted.identified_by,
                "observation": wanted.observation.strip(),
                "second_look": wanted.second_look.strip(),
                "dispensed_by": actor.account_id,
                "answer": Jsonb(answer),
            },
        )
        _write_doses(session, actor, client_id, supply_id, packed, at)
        if pickup:
            pickup.state, pickup.closed_at = "collected", at
            end_passes(session, pickup_id=pickup.id, reason="redeemed", at=at)
        _write_register(session, actor, supply_id, packed, today, at)
        session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) in BROKEN:
            raise Refused(BROKEN[broken_constraint(reason)]) from None
        raise
    details = {"supply": supply_id, "doses": answer["doses"], "identified_by": wanted.identified_by}
    audit.record(session, actor=actor, act="dispensed", subject="client", subject_id=client_id, at=at, details=details)
    return Handed(supply_id, answer)


def _digest(client_id: ClientId, wanted: Wanted, key: str) -> bytes:
    if not 8 <= len(key) <= 80:
        raise BadInput(Refusal("key", "The request has no idempotency key of 8 to 80 characters.", "Send one."))
    asked = [client_id, wanted.observed, sorted(wanted.take_home_days), wanted.pickup_id]
    return sha256(json.dumps(asked, default=str).encode()).digest()


def _answered(earlier: Earlier, digest: bytes) -> Handed:
    if earlier.request_sha256 != digest:
        raise Refused(
            Refusal(
                "key-reused",
                "This key belongs to another supply.",
                "Open the client again and look at what was handed over.",
                {"supply": earlier.supply_id},
            )
        )
    return Handed(earlier.supply_id, earlier.answer, repeated=True)


def _answer(supply_id: UUID, packed: Sequence[Packed], at: datetime) -> dict[str, Any]:
    return {
        "supply": str(supply_id),
        "at": at.isoformat(),
        "doses": [
            {
                "day": one.plan.day.isoformat(),
                "portion": one.plan.portion,
                "of": one.plan.portions,
                "kind": one.plan.kind,
                "mg": str(one.plan.mg),
                "ml": str(one.ml),
            }
            for one in packed
        ],
    }


def _write_doses(
    session: WriteSession,
    actor: Actor,
    client_id: ClientId,
    supply_id: UUID,
    packed: Sequence[Packed],
    at: datetime,
) -> None:
    dose_ids = [new_id() for _ in packed]
    rows = [
        {
            "id": dose_id,
            "supply_id": supply_id,
            "site_id": actor.site_id,
            "client_id": client_id,
            "order_id": one.plan.order_id,
            "dose_day": one.plan.day,
            "portion": one.plan.portion,
            "portions": one.plan.portions,
            "kind": one.plan.kind,
            "mg": one.plan.mg,
            "ml": one.ml,
            "lot_id": one.lot_id,
            "closed_day": one.plan.closed_day,
        }
        for dose_id, one in zip(dose_ids, packed, strict=True)
    ]
    session.straight.run_each(_DOSE, rows)
    fresh = []
    for dose_id, one in zip(dose_ids, packed, strict=True):
        if one.bottle_id:
            session.execute(
                update(Bottle).where(Bottle.id == one.bottle_id).values(state="handed_over", dose_id=dose_id)
            )
        elif one.plan.kind == "take_home":
            fresh.append(bottle_row(actor, client_id, one, at, state="handed_over", dose_id=dose_id))
    if fresh:
        session.execute(insert(Bottle), fresh)


def _write_register(
    session: WriteSession, actor: Actor, supply_id: UUID, packed: Sequence[Packed], day: DoseDay, at: datetime
) -> None:
    """One line for each lot that was drawn from: what was consumed and what was taken home stand apart in it."""
    drawn: dict[tuple[UUID, UUID], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in packed:
        drawn[one.book_id, one.lot_id][one.plan.kind] += one.ml
    for (book_id, lot_id), amounts in sorted(drawn.items()):
        write_line(
            session,
            actor=actor,
            lot_id=lot_id,
            book_id=book_id,
            kind="supplied",
            ml=-(amounts["observed"] + amounts["take_home"]),
            day=day,
            at=at,
            consumed_ml=amounts["observed"],
            taken_home_ml=amounts["take_home"],
            supply_id=supply_id,
        )


def withhold(
    session: WriteSession, *, actor: Actor, client_id: ClientId, observation: str, today: DoseDay, at: datetime
) -> None:
    """Withholds today's dose for now, since the client did not seem safe to dose, and tells the prescriber.

    The client is seen again later the same day: nothing is blocked by it. Raises BadInput when nothing was written.
    """
    if not observation.strip():
        raise BadInput(Refusal("observation", "Write what you saw.", "One sentence is enough.", field="observation"))
    client = the_client(session, client_id, actor.site_id)
    open_alert(
        session,
        site_id=actor.site_id,
        client_id=client.id,
        cause=f"withheld:{at.isoformat()}",  # each time that the client was seen stands for itself
        severity="urgent",
        role=Role.DOCTOR,
        sentence=f"Dose withheld for now at the counter: {observation.strip()}",
        at=at,
    )
    details = {"day": today}
    audit.record(
        session, actor=actor, act="withheld for now", subject="client", subject_id=client_id, at=at, details=details
    )
