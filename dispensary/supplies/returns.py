"""Bottles that come back: empty ones, and full ones, whose day is without a dose from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text, update

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.corrections import day_was_otherwise
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.bottle_rules import MOVES, BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.models import Bottle, BottleReturn, Dose
from dispensary.supplies.writing import told_as_refusals
from dispensary.units import ClientId, DoseDay, Milligrams, in_bottles


@dataclass(frozen=True)
class TakenBack:
    """What came back: how many bottles, how many of them full, and the days that are without a dose now."""

    empty: int
    full: int
    uncovered: tuple[DoseDay, ...]


def take_back(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    bottles: Sequence[tuple[UUID, bool]],
    reason: str,
    today: DoseDay,
    at: datetime,
) -> TakenBack:
    """Takes back bottles, each empty or full (True), all of them or none.

    What is full is no longer a dose that the client has: it is voided, and of a day that is not closed may be given
    again. The outcome of a closed day stays as it was frozen, and beside it is written that the day was missed, or held
    where a prescriber held it. The bottle awaits destruction and never returns to the balance of the safe. A bottle
    that comes back empty before its day was not taken as directed: the prescriber is told, and nothing else follows by
    itself.

    Raises BadInput when nothing was chosen or a full bottle has no reason, NotThere for a bottle that this client
    does not have, and Refused for one that came back before.
    """
    lock_client(session, client_id, actor.site_id)
    states = dict(bottles)
    _asked_well(states, len(bottles), reason)
    found = session.scalars(select(Bottle).where(Bottle.id.in_(states), Bottle.client_id == client_id)).all()
    if len(found) != len(states) or any(bottle.dose_id is None for bottle in found):
        raise NotThere(Refusal("no-bottle", "The client was not given such a bottle.", "Read the labels again."))
    known = session.scalars(select(BottleReturn.bottle_id).where(BottleReturn.bottle_id.in_(states))).all()
    if known:
        raise Refused(
            Refusal(
                "returned-already",
                f"{len(known)} of these bottles came back before.",
                "Open the client again: what came back is not on the list any more.",
            )
        )
    if any(BottleState.RETURNED_EMPTY not in MOVES[BottleState(bottle.state)] for bottle in found):
        raise Refused(
            Refusal(
                "bottle-void",
                "The supply of one of these bottles was entered in error and is void.",
                "Look at the record of the supply. A bottle that is really here is shown to a second person.",
            )
        )
    uncovered = set()
    for bottle in sorted(found, key=lambda each: (each.dose_day, each.portion)):
        full = states[bottle.id]
        session.add(
            BottleReturn(
                bottle_id=bottle.id,
                site_id=actor.site_id,
                client_id=client_id,
                dose_day=bottle.dose_day,
                is_full=full,
                returned_on=today,
                reason=reason.strip() if full else "",
                recorded_by=actor.account_id,
                at=at,
            )
        )
        if full:
            with told_as_refusals():
                _uncover(session, actor, bottle, reason, at)
            uncovered.add(DoseDay(bottle.dose_day))
    for full, into in ((True, BottleState.RETURNED_FULL), (False, BottleState.RETURNED_EMPTY)):
        came = [bottle.id for bottle in found if states[bottle.id] is full]
        move_bottles(session, actor=actor, bottle_ids=came, into=into, at=at, note=reason if full else "")
    early = sorted({bottle.dose_day for bottle in found if not states[bottle.id] and bottle.dose_day > today})
    if early:
        open_alert(
            session,
            site_id=actor.site_id,
            client_id=client_id,
            cause=f"bottle empty early:{early[0]}",
            severity="warning",
            role=Role.DOCTOR,
            sentence=f"{in_bottles(len(early))} came back empty before the day, the first for {early[0]}.",
            at=at,
        )
    answer = TakenBack(
        empty=sum(not full for full in states.values()),
        full=sum(states.values()),
        uncovered=tuple(sorted(uncovered)),
    )
    details = {"empty": answer.empty, "full": answer.full, "uncovered": answer.uncovered, "bottles": sorted(states)}
    audit.record(
        session, actor=actor, act="took back bottles", subject="client", subject_id=client_id, at=at, details=details
    )
    return answer


def _asked_well(states: dict[UUID, bool], asked: int, reason: str) -> None:
    faults = []
    if not states or len(states) != asked:
        faults.append(Refusal("bottles", "No bottle was chosen, or one twice.", "Tick each bottle once."))
    if any(states.values()) and not reason.strip():
        faults.append(
            Refusal("reason", "A full bottle came back, and nobody said why.", "Write down why.", field="reason")
        )
    if faults:
        raise BadInput(*faults)


def _uncover(session: WriteSession, actor: Actor, bottle: Bottle, reason: str, at: datetime) -> None:
    """The dose in the bottle is no dose any more; a day that was frozen with it is corrected beside its outcome."""
    stood = session.execute(
        update(Dose)
        .where(Dose.id == bottle.dose_id, Dose.voided_at.is_(None))
        .values(voided_at=at)
        .returning(Dose.id)
        .execution_options(synchronize_session=False)
    )
    if stood.first() is not None:
        day_was_otherwise(
            session,
            actor=actor,
            client_id=ClientId(bottle.client_id),
            day=DoseDay(bottle.dose_day),
            portion=bottle.portion,
            kind=None,
            mg=Milligrams(bottle.mg),
            reason=f"its bottle came back full: {reason.strip()}",
            supply_id=None,
            at=at,
        )


@dataclass(frozen=True)
class OutThere:
    """A bottle that the client was given and has not brought back."""

    bottle_id: UUID
    serial: str
    day: DoseDay
    portion: int
    portions: int
    mg: Decimal
    state: str
    """`handed_over`, `recalled` while it is called back, or `lost` as somebody reported."""


_ONE = "SELECT id, serial, dose_day, portion, portions, mg, state FROM bottle WHERE client_id = :client"
_OUT = text(f"""{_ONE} AND state IN ('handed_over', 'recalled') AND dose_day >= :first
ORDER BY dose_day, portion""")
_LOST = text(f"{_ONE} AND state = 'lost' AND dose_id IS NOT NULL ORDER BY dose_day, portion")


def bottles_out(session: ReadSession, *, client_id: ClientId, first: DoseDay) -> list[OutThere]:
    """The bottles for a dose day and later ones that the client has, empty or full, as far as anybody knows, by day."""
    return [OutThere(*row) for row in session.execute(_OUT, {"client": client_id, "first": first})]


def bottles_lost(session: ReadSession, *, client_id: ClientId) -> list[OutThere]:
    """The bottles that were reported lost after the client had them. One that turns up again can be taken back."""
    return [OutThere(*row) for row in session.execute(_LOST, {"client": client_id})]
