"""The rows of a hand-over: the supply, its doses and bottles, its register lines. What PostgreSQL's refusals mean."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from dispensary.database import WriteSession, broken_constraint
from dispensary.monitoring import refills
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.stock.service import write_line
from dispensary.supplies import collecting
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.collecting import Collector
from dispensary.supplies.models import Bottle
from dispensary.supplies.moment import Earlier
from dispensary.supplies.packing import Packed, bottle_row
from dispensary.units import ClientId, DoseDay, new_id

BROKEN = {
    "uq_dose_covers_once": Refusal(
        "already-covered", "This dose day was covered a moment ago, at this or another counter.", "Look at the record."
    ),
    "dose_day_open": Refusal("day-closed", "The dose day has just been closed.", "Dose on the next day."),
    "dose_not_held": Refusal("held", "The prescriber has just held the dose.", "Call the prescriber."),
    "dose_order_in_force": Refusal("no-order", "The order has just been changed.", "Open the client again."),
    "dose_not_above_order": Refusal("no-order", "The order has just been changed.", "Open the client again."),
    "dose_not_above_reduction": Refusal(
        "reduced", "This is more than was agreed with the prescriber for the day.", "Open the client again."
    ),
    "dose_not_stopped": Refusal("stop-dose", "A prescriber has just stopped the dose.", "Open the client again."),
    "bottles_not_stopped": Refusal(
        "stop-bottles", "No bottle is carried home any more: that was just said.", "Open the client again."
    ),
    "dose_not_blocked": Refusal(
        "review-first", "Another dose than ordered was given a moment ago.", "Call the prescriber."
    ),
    "dose_at_its_site": Refusal(
        "guest-elsewhere", "Another site gives the doses of this day since a moment ago.", "Open the client again."
    ),
    "guest_observed_only": Refusal(
        "guest-observed-only", "The client's home site allowed no bottles here.", "Give today's dose at the counter."
    ),
    "take_home_decided": Refusal("no-decision", "The take-home decision has just ended.", "Open the client again."),
    "take_home_per_supply": Refusal("take-home-limit", "More bottles than decided.", "Choose fewer days."),
    "take_home_per_week": Refusal("take-home-limit", "More bottles in a week than decided.", "Choose fewer days."),
    "take_home_weekday": Refusal("take-home-limit", "A day outside of the weekly pattern.", "Choose other days."),
    "take_home_consecutive": Refusal("take-home-limit", "More days in a row than decided.", "Choose fewer days."),
    "ck_lot_balance_not_negative": Refusal("no-stock", "The lot was used up a moment ago.", "Try again."),
    "ck_lot_bottled_is_there": Refusal("no-stock", "The lot was promised a moment ago.", "Try again."),
    "uq_supply_pickup": Refusal("pass-used", "This pickup was handed over a moment ago.", "Look at the record."),
    "lot_in_date": Refusal("no-stock", "The lot will have expired on the day on which it is taken.", "Try again."),
    "bottle_checked_first": Refusal(
        "unchecked", "A prepared bottle has not been checked by a second person.", "Let a colleague check it first."
    ),
    "uq_extra_dose_exception": Refusal("given-already", "This was given a moment ago.", "Look at the record."),
    "extra_dose_once": Refusal("given-already", "This dose was replaced before.", "Call the prescriber."),
    "dose_replaced_stands": Refusal(
        "dose-replaced", "This dose was vomited and given again: it cannot be undone.", "Call the prescriber."
    ),
    "bottle_in_one_place": Refusal(
        "bottle-prepared",
        "A bottle for one of these days stands prepared or is with the client already.",
        "Hand over the prepared one, or put its pickup back into stock first.",
    ),
    "extra_dose_allowed": Refusal("not-allowed-mg", "More than the prescriber allowed.", "Call the prescriber."),
    **collecting.BROKEN,
    **refills.BROKEN,
}
"""What PostgreSQL's own refusals mean at the counter: who came second is told so, and nothing of theirs is kept."""

_SUPPLY = """
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, decision_id, pickup_id,
    identified_by, found, observation, second_look, dispensed_by, origin, answer, collected_by, agent_id,
    agent_consent_id, id_requested, id_provided)
VALUES (%(id)s, %(site_id)s, %(client_id)s, %(episode_id)s, %(dose_day)s, %(at)s, %(key)s, %(request_sha256)s,
    %(decision_id)s, %(pickup_id)s, %(identified_by)s, %(found)s, %(observation)s,
    %(second_look)s, %(dispensed_by)s, %(origin)s, %(answer)s, %(collected_by)s, %(agent_id)s,
    %(agent_consent_id)s, %(id_requested)s, %(id_provided)s)
"""
_DOSE = """
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id,
    closed_day)
VALUES (%(id)s, %(supply_id)s, %(site_id)s, %(client_id)s, %(order_id)s, %(dose_day)s, %(portion)s, %(portions)s,
    %(kind)s, %(mg)s, %(ml)s, %(lot_id)s, %(closed_day)s)
"""
_PART = "INSERT INTO dose_part (dose_id, lot_id, mg, ml) VALUES (%(dose_id)s, %(lot_id)s, %(mg)s, %(ml)s)"


@dataclass(frozen=True)
class Handed:
    """The answer to a supply: the same for each request with the same key."""

    supply_id: UUID
    answer: dict[str, Any]
    repeated: bool = False


@contextmanager
def told_as_refusals() -> Iterator[None]:
    """What PostgreSQL refuses within the block is raised as Refused, in the words of the counter."""
    try:
        yield
    except IntegrityError as reason:
        if broken_constraint(reason) in BROKEN:
            raise Refused(BROKEN[broken_constraint(reason)]) from None
        raise


def request_digest(key: str, *asked: object) -> bytes:
    """The digest by which a repeated request is known. Raises BadInput for a key that is none."""
    if not 8 <= len(key) <= 80:
        raise BadInput(Refusal("key", "The request has no idempotency key of 8 to 80 characters.", "Send one."))
    return sha256(json.dumps(asked, default=str).encode()).digest()


def answered(earlier: Earlier, digest: bytes) -> Handed:
    """The first answer again. Raises Refused when the key was used for something else."""
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


def answer_of(supply_id: UUID, packed: Sequence[Packed], at: datetime) -> dict[str, Any]:
    """What a supply answers, amounts as text."""
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
                **(
                    {"lots": [{"lot": str(each.lot_id), "ml": str(each.ml)} for each in one.shares]}
                    if one.shares
                    else {}
                ),
            }
            for one in packed
        ],
    }


def write_supply(
    session: WriteSession,
    actor: Actor,
    *,
    supply_id: UUID,
    client_id: ClientId,
    episode_id: UUID,
    today: DoseDay,
    at: datetime,
    key: str,
    digest: bytes,
    answer: dict[str, Any],
    identified_by: str,
    found: str = "",
    observation: str = "",
    second_look: str = "",
    decision_id: UUID | None = None,
    pickup_id: UUID | None = None,
    collector: Collector = Collector(),
    origin: str = "counter",
) -> None:
    session.run(
        _SUPPLY,
        {
            "id": supply_id,
            "site_id": actor.site_id,
            "client_id": client_id,
            "episode_id": episode_id,
            "dose_day": today,
            "at": at,
            "key": key,
            "request_sha256": digest,
            "decision_id": decision_id,
            "pickup_id": pickup_id,
            "identified_by": identified_by,
            "found": found or None,
            "observation": observation.strip(),
            "second_look": second_look.strip(),
            "dispensed_by": actor.account_id,
            "origin": origin,
            "answer": Jsonb(answer),
            "collected_by": collector.by,
            "agent_id": collector.agent_id,
            "agent_consent_id": collector.consent_id,
            "id_requested": collector.id_requested,
            "id_provided": collector.id_provided,
        },
    )


def write_doses(
    session: WriteSession,
    actor: Actor,
    client_id: ClientId,
    supply_id: UUID,
    packed: Sequence[Packed],
    at: datetime,
) -> list[UUID]:
    """The doses and the bottles that they are in; the ids of the doses in the order of `packed`."""
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
    if rows:
        session.straight.run_each(_DOSE, rows)
    parts = [
        {"dose_id": dose_id, "lot_id": share.lot_id, "mg": share.mg, "ml": share.ml}
        for dose_id, one in zip(dose_ids, packed, strict=True)
        for share in one.shares
    ]
    if parts:
        session.straight.run_each(_PART, parts)
    prepared: dict[UUID, UUID] = {}
    fresh = []
    for dose_id, one in zip(dose_ids, packed, strict=True):
        if one.bottle_id:
            prepared[one.bottle_id] = dose_id
        elif one.plan.kind == "take_home":
            fresh.append(bottle_row(actor, client_id, one, at, state="handed_over", dose_id=dose_id))
    move_bottles(session, actor=actor, bottle_ids=prepared, into=BottleState.HANDED_OVER, at=at, dose_ids=prepared)
    if fresh:
        session.execute(insert(Bottle), fresh)
    return dose_ids


def write_register(
    session: WriteSession,
    actor: Actor,
    supply_id: UUID,
    packed: Sequence[Packed],
    day: DoseDay,
    at: datetime,
    *,
    reason: str = "",
) -> None:
    """One line for each lot that was drawn from: what was consumed and what was taken home stand apart in it."""
    drawn: dict[tuple[UUID, UUID], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in packed:
        for share in one.drawn:
            drawn[share.book_id, share.lot_id][one.plan.kind] += share.ml
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
            reason=reason,
        )
