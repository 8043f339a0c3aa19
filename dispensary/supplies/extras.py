"""What is given beside the day's dose: a vomited dose again, a top-up after an increase, and what was given in error.

An extra dose covers nothing. It belongs to one exception, leaves the safe by a supply of its own with its register
lines, and is given once however often it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from dispensary.clients.guests import lock_at_counter
from dispensary.clients.service import no_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.supplies.calls import the_call
from dispensary.supplies.exception_rows import locked_exception, still_open, write_exception
from dispensary.supplies.exceptions_rules import ExceptionKind, OrderedSince, top_up_left
from dispensary.supplies.identity import how_known
from dispensary.supplies.models import Dose, DoseException, ExtraDose
from dispensary.supplies.moment import Reading, read_moment
from dispensary.supplies.packing import Packed, pack
from dispensary.supplies.rules import DosePlan, due_portions, may_give_extra
from dispensary.supplies.unusual import HadToday, had_today
from dispensary.supplies.writing import (
    Handed,
    answer_of,
    answered,
    request_digest,
    told_as_refusals,
    write_register,
    write_supply,
)
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, new_id, plain


def replace_dose(
    session: WriteSession,
    *,
    actor: Actor,
    exception_id: UUID,
    identified_by: str,
    well: bool,
    key: str,
    today: DoseDay,
    at: datetime,
) -> Handed:
    """Gives again what a prescriber allowed of a dose that was vomited, once, and closes the exception.

    Raises Refused with every reason, and then nothing is kept: not allowed, another day, held, blocked, no stock.
    """
    digest = request_digest(key, "replacement", exception_id)
    about = locked_exception(session, actor, exception_id)
    client_id = ClientId(about.client_id)
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today, key=key)
    if reading.earlier:
        return answered(reading.earlier, digest)
    still_open(about)
    mg, dose = about.allowed_mg, session.get(Dose, about.dose_id) if about.dose_id else None
    if about.kind != ExceptionKind.VOMITED or mg is None or dose is None or about.dose_day != today:
        raise Refused(
            Refusal(
                "not-allowed-mg",
                "No prescriber has allowed that this is given again today.",
                "Call the prescriber, and write down what they allowed.",
            )
        )
    if dose.voided_at is not None:
        raise Refused(
            Refusal(
                "dose-undone",
                "The dose that was vomited has been undone since: nothing is given in its place.",
                "Look at what the client had today, close this, and call the prescriber.",
                {"dose": dose.id},
            )
        )
    identified_by = how_known(session, client_id=client_id, said=identified_by)
    _safe(reading, identified_by, well=well)
    packed = _packed(session, actor, mg, dose.order_id, today)
    handed = _hand_over(
        session, actor, reading, client_id, packed, kind="replacement", about=about, key=key, digest=digest,
        identified_by=identified_by, today=today, at=at,
    )  # fmt: skip
    about.closed_by, about.closed_at, about.outcome = actor.account_id, at, f"{plain(mg)} mg given again"
    session.flush()
    _audit(session, actor, "replaced dose", client_id, handed, about, at)
    return handed


@dataclass(frozen=True)
class ToppedUp:
    """How much of an increase may be given on top today."""

    left_mg: Decimal
    taken_mg: Decimal


def top_up_today(session: ReadSession, *, client_id: ClientId, reading: Reading, had: Sequence[HadToday]) -> ToppedUp:
    """What is left to top up of what the client had today; 0 before all of it, and when nothing was increased since."""
    moment = reading.moment
    today = moment.today
    given = sum((dose.mg for dose in had), Decimal(0))
    if not had or due_portions(moment, today):
        return ToppedUp(Decimal(0), given)
    extra = session.scalar(
        select(func.coalesce(func.sum(ExtraDose.mg), 0)).where(
            ExtraDose.client_id == client_id,
            ExtraDose.dose_day == today,
            ExtraDose.kind != "replacement",
            ExtraDose.voided_at.is_(None),
        )
    )
    taken = given + Decimal(extra or 0)
    left = top_up_left(
        _orders_for(session, client_id, today),
        taken_mg=taken,
        taken_at=max(dose.at for dose in had),
        most_today=moment.reduction.mg if moment.reduction else None,
    )
    return ToppedUp(left, taken)


def _orders_for(session: ReadSession, client_id: ClientId, today: date) -> list[OrderedSince]:
    found = []
    for day in (today, today + timedelta(days=1)):
        order = session.scalar(
            select(DoseOrder).where(
                DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None), DoseOrder.days.contains(day)
            )
        )
        if order is not None:
            found.append(OrderedSince(order.mg, order.ordered_at, for_today=day == today))
    return found


def top_up(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    mg: Milligrams,
    prescriber_id: AccountId | None,
    said: str,
    identified_by: str,
    well: bool,
    key: str,
    today: DoseDay,
    at: datetime,
) -> Handed:
    """Gives more on the day on which the dose was increased after it had been taken, as a named prescriber allows.

    Up to the increased order's mg less what was taken. Raises BadInput with what is missing of the call or when it is
    more than that, Refused with every reason why nothing may be given.
    """
    digest = request_digest(key, "top-up", client_id, mg)
    lock_at_counter(session, client_id, actor.site_id, today)
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today, key=key)
    if reading.earlier:
        return answered(reading.earlier, digest)
    faults = list(the_call(session, site_id=reading.home_id, prescriber_id=prescriber_id, said=said))
    had = had_today(session, client_id=client_id, today=today)
    room = top_up_today(session, client_id=client_id, reading=reading, had=had)
    if not 0 < mg <= room.left_mg:
        faults.append(
            Refusal(
                "above-increase",
                f"{plain(mg)} mg is not above 0 and at most {plain(room.left_mg)} mg; {plain(room.taken_mg)} mg of "
                "today were taken.",
                "A top-up goes up to what was ordered after the dose was taken.",
                {"mg": mg, "left_mg": room.left_mg, "taken_mg": room.taken_mg},
                field="mg",
            )
        )
    if faults:
        raise BadInput(*faults)
    identified_by = how_known(session, client_id=client_id, said=identified_by)
    _safe(reading, identified_by, well=well)
    order_id = reading.moment.orders[today].order_id
    packed = _packed(session, actor, mg, order_id, today)
    about = write_exception(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.TOP_UP,
        key=key,
        details={"mg": str(mg), "taken_mg": str(room.taken_mg)},
        prescriber_id=prescriber_id,
        said=said,
        allowed_mg=mg,
        outcome=f"{plain(mg)} mg given on top",
        today=today,
        at=at,
    )
    handed = _hand_over(
        session, actor, reading, client_id, packed, kind="top_up", about=about, key=key, digest=digest,
        identified_by=identified_by, today=today, at=at,
    )  # fmt: skip
    _audit(session, actor, "topped up dose", client_id, handed, about, at)
    return handed


def _safe(reading: Reading, identified_by: str, *, well: bool) -> None:
    faults = may_give_extra(reading.moment, identified_by=identified_by, well=well)
    if faults:
        raise Refused(*faults)


def _packed(session: WriteSession, actor: Actor, mg: Milligrams, order_id: UUID, today: DoseDay) -> list[Packed]:
    plan = DosePlan(
        day=today, portion=1, portions=1, kind="observed", mg=mg, order_id=order_id, closed_day=False, extra=True
    )
    return pack(session, site_id=actor.site_id, plans=[plan], bottles=[], day=today)


def _hand_over(
    session: WriteSession,
    actor: Actor,
    reading: Reading,
    client_id: ClientId,
    packed: Sequence[Packed],
    *,
    kind: str,
    about: DoseException,
    key: str,
    digest: bytes,
    identified_by: str,
    today: DoseDay,
    at: datetime,
) -> Handed:
    """A supply that holds an extra dose alone."""
    if reading.episode_id is None:
        raise no_episode()
    supply_id = new_id()
    answer = {**answer_of(supply_id, [], at), "extra": extra_answer(packed, kind)}
    with told_as_refusals():
        write_supply(
            session,
            actor,
            supply_id=supply_id,
            client_id=client_id,
            episode_id=reading.episode_id,
            today=today,
            at=at,
            key=key,
            digest=digest,
            answer=answer,
            identified_by=identified_by,
        )
        write_extra(session, actor, client_id, supply_id, packed, kind=kind, about=about, today=today)
        write_register(session, actor, supply_id, packed, today, at)
        session.flush()
    return Handed(supply_id, answer)


def extra_answer(packed: Sequence[Packed], kind: str) -> list[dict[str, Any]]:
    """The extra doses as a supply answers them, amounts as text."""
    return [{"kind": kind, "mg": str(one.plan.mg), "ml": str(one.ml)} for one in packed]


def write_extra(
    session: WriteSession,
    actor: Actor,
    client_id: ClientId,
    supply_id: UUID,
    packed: Sequence[Packed],
    *,
    kind: str,
    about: DoseException,
    today: DoseDay,
) -> None:
    for one in packed:
        session.add(
            ExtraDose(
                supply_id=supply_id,
                exception_id=about.id,
                site_id=actor.site_id,
                client_id=client_id,
                dose_day=today,
                kind=kind,
                mg=one.plan.mg,
                ml=one.ml,
                lot_id=one.lot_id,
            )
        )
    session.flush()


def _audit(
    session: WriteSession,
    actor: Actor,
    act: str,
    client_id: ClientId,
    handed: Handed,
    about: DoseException,
    at: datetime,
) -> None:
    details = {"supply": handed.supply_id, "exception": about.id, "extra": handed.answer["extra"]}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
