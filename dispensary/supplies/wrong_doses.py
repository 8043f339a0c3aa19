"""Another amount than ordered was swallowed: recorded as it was, so that the safe and the record say what is true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from dispensary.clients.guests import lock_at_counter
from dispensary.clients.service import no_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.guideline import Ruling
from dispensary.prescribing.queries import outcomes_of
from dispensary.prescribing.sections import Topic
from dispensary.prescribing.wrong_dose import after_wrong_dose
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.calls import the_call
from dispensary.supplies.exception_rows import cause_of, exception_id_of, seen_again, write_exception
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.extras import extra_answer, write_extra
from dispensary.supplies.models import Dose
from dispensary.supplies.moment import Reading, day_of_treatment, read_moment
from dispensary.supplies.packing import Packed, pack
from dispensary.supplies.poured import Poured, poured_today, undo_dose
from dispensary.supplies.rules import DosePlan
from dispensary.supplies.writing import (
    Handed,
    answer_of,
    answered,
    request_digest,
    told_as_refusals,
    write_doses,
    write_register,
    write_supply,
)
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, Millilitres, new_id, plain, volume_of

MOST_HOURS = 72
_LOOK_BACK = timedelta(days=14)


@dataclass(frozen=True)
class Wrong:
    """What was found of a dose that was another than ordered."""

    given_mg: Milligrams
    """What was swallowed at the counter, in place of the portion that was due or is recorded."""
    happened: str
    intoxicated: bool = False
    prescriber_id: AccountId | None = None
    """Who was called, when somebody was reached already."""
    said: str = ""
    observe_hours: int | None = None
    """As the prescriber said; never fewer than the guideline's hours."""


@dataclass(frozen=True)
class _Split:
    """What was swallowed: as much as is ordered is the dose, what is above it was given in error."""

    ordered_mg: Milligrams
    swallowed_mg: Milligrams
    doses: list[Packed]
    extra: list[Packed]
    undone: Dose | None
    """A recorded dose that was less than it says."""
    stands: Dose | None
    """A recorded dose that was given, with more."""

    @property
    def above(self) -> bool:
        return self.swallowed_mg > self.ordered_mg


def wrong_dose(
    session: WriteSession, *, actor: Actor, client_id: ClientId, wrong: Wrong, key: str, today: DoseDay, at: datetime
) -> Handed:
    """Records that another amount than ordered was swallowed. The answer names the exception.

    What is above the order is a dose in error: with its register line, under an exception that blocks every further
    dose until a prescriber has closed it. The doctor has an urgent alert; the client is observed for the guideline's
    hours. Less than ordered makes the dose what was given, and blocks nothing. Raises BadInput when nothing was wrong
    or something is missing; Refused when the safe does not hold so much.
    """
    digest = request_digest(key, "wrong", client_id, wrong.given_mg)
    lock_at_counter(session, client_id, actor.site_id, today)
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today, key=key)
    if reading.earlier:
        return answered(reading.earlier, digest)
    if reading.episode_id is None:
        raise no_episode()
    split = _split(session, actor, client_id, reading, wrong, today)
    _looked_at(session, reading, wrong, split)
    ruling = ruling_on_wrong_dose(
        session,
        client_id=client_id,
        reading=reading,
        ordered_mg=split.ordered_mg,
        given_mg=split.swallowed_mg,
        intoxicated=wrong.intoxicated,
        today=today,
    )
    supply_id, exception_id = new_id(), exception_id_of(actor.site_id, client_id, key)
    answer = {
        **answer_of(supply_id, split.doses, at),
        "extra": extra_answer(split.extra, "in_error"),
        "exception": str(exception_id),
    }
    with told_as_refusals():
        if split.undone is not None:
            undo_dose(session, actor=actor, dose=split.undone, reason="less was given than recorded", day=today, at=at)
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
            identified_by="second_identifier",
        )
        dose_ids = write_doses(session, actor, client_id, supply_id, split.doses, at)
        about = write_exception(
            session,
            actor=actor,
            client_id=client_id,
            kind=ExceptionKind.WRONG_DOSE,
            key=key,
            details={
                "given_mg": str(split.swallowed_mg),
                "ordered_mg": str(split.ordered_mg),
                "happened": wrong.happened.strip(),
                "intoxicated": wrong.intoxicated,
            },
            ruling=ruling,
            dose_id=dose_ids[0] if dose_ids else split.stands.id if split.stands else None,
            prescriber_id=wrong.prescriber_id,
            said=wrong.said,
            observe_until=observe_until(ruling, wrong.observe_hours, at) if split.above else None,
            blocks=split.above,
            today=today,
            at=at,
        )  # after the dose, which it would block; before what is given under it
        write_extra(session, actor, client_id, supply_id, split.extra, kind="in_error", about=about, today=today)
        write_register(session, actor, supply_id, [*split.doses, *split.extra], today, at)
        if split.doses and reading.moment.waits:
            seen_again(session, actor=actor, client_id=client_id, outcome="seen again, dosed", today=today, at=at)
        session.flush()
    given, ordered = plain(split.swallowed_mg), plain(split.ordered_mg)
    open_alert(
        session,
        site_id=reading.home_id,
        client_id=client_id,
        cause=cause_of(about),
        severity="urgent",
        role=Role.DOCTOR,
        sentence=f"{given} mg were given where {ordered} mg were due: {wrong.happened.strip()}",
        at=at,
    )
    details = {"supply": supply_id, "exception": about.id, "given_mg": given, "ordered_mg": ordered}
    audit.record(
        session, actor=actor, act="gave wrong dose", subject="client", subject_id=client_id, at=at, details=details
    )
    return Handed(supply_id, answer)


def _split(
    session: WriteSession, actor: Actor, client_id: ClientId, reading: Reading, wrong: Wrong, today: DoseDay
) -> _Split:
    """A dose was due or is recorded: up to it is the dose. Otherwise everything was given in error.

    What the client has for the day anyway, such as a bottle at home, counts as ordered and as given.
    """
    given = wrong.given_mg
    poured = poured_today(session, actor, client_id, reading, today, holding=given)
    if poured is None:
        has = Milligrams(_covered_mg(session, client_id, today))
        plan = DosePlan(
            day=today,
            portion=1,
            portions=1,
            kind="observed",
            mg=given,
            order_id=new_id(),
            closed_day=False,
            extra=True,
        )
        extra = pack(session, site_id=actor.site_id, plans=[plan], bottles=[], day=today) if given > 0 else []
        return _Split(has, Milligrams(has + given), [], extra, undone=None, stands=None)
    due = poured.packed.plan.mg
    dose = poured.part(min(given, due)) if given > 0 else None
    above = [_above(poured, Milligrams(given - due))] if given > due else []
    if poured.recorded is None:
        return _Split(due, given, [dose] if dose else [], above, undone=None, stands=None)
    if above:
        return _Split(due, given, [], above, undone=None, stands=poured.recorded)
    return _Split(due, given, [dose] if dose else [], [], undone=poured.recorded, stands=None)


def _above(poured: Poured, mg: Milligrams) -> Packed:
    """What was drawn above the dose, from the last lot of the dose where it holds so much.

    Where one lot gave all of it, both volumes together are that of the whole.
    """
    last = poured.packed.drawn[-1]
    if poured.above is not None and poured.above.lot_id != last.lot_id:
        return poured.above
    strength = poured.strengths[last.lot_id]
    whole = volume_of(Milligrams(last.mg + mg), strength)
    plan = replace(poured.packed.plan, mg=mg, extra=True)
    return Packed(plan, last.lot_id, last.book_id, Millilitres(whole - last.ml))


def _covered_mg(session: ReadSession, client_id: ClientId, today: DoseDay) -> Decimal:
    found = session.scalar(
        select(func.sum(Dose.mg)).where(Dose.client_id == client_id, Dose.dose_day == today, Dose.voided_at.is_(None))
    )
    return found or Decimal(0)


def _looked_at(session: ReadSession, reading: Reading, wrong: Wrong, split: _Split) -> None:
    faults = []
    if wrong.given_mg <= 0 or split.swallowed_mg == split.ordered_mg:
        faults.append(
            Refusal(
                "nothing-wrong",
                f"{plain(wrong.given_mg)} mg is what was due, or nothing.",
                "Write what was really swallowed. When nothing was, the dose was spilled or refused.",
                {"mg": wrong.given_mg, "due_mg": split.ordered_mg},
                field="mg",
            )
        )
    if not wrong.happened.strip():
        faults.append(Refusal("happened", "Write what happened.", "One sentence is enough.", field="happened"))
    if wrong.observe_hours is not None and not 0 <= wrong.observe_hours <= MOST_HOURS:
        faults.append(
            Refusal("observe-hours", "Write for how many hours.", f"From 0 to {MOST_HOURS}.", field="observe_hours")
        )
    if wrong.prescriber_id is not None or wrong.said.strip():
        faults += the_call(session, site_id=reading.home_id, prescriber_id=wrong.prescriber_id, said=wrong.said)
    if faults:
        raise BadInput(*faults)


def ruling_on_wrong_dose(
    session: ReadSession,
    *,
    client_id: ClientId,
    reading: Reading,
    ordered_mg: Milligrams,
    given_mg: Milligrams,
    intoxicated: bool,
    today: DoseDay,
) -> Ruling | None:
    """What the site's guideline says of another amount than ordered; nothing where it follows none."""
    guideline = guideline_of(session, reading.home_id, Topic.WRONG_DOSE, today)
    if guideline is None:
        return None
    return after_wrong_dose(
        guideline,
        ordered_mg=ordered_mg,
        given_mg=given_mg,
        day_of_treatment=day_of_treatment(session, client_id=client_id, on=today),
        takes_home_or_not_daily=_not_seen_daily(session, client_id, reading, today),
        intoxicated=intoxicated,
    )


def _not_seen_daily(session: ReadSession, client_id: ClientId, reading: Reading, today: DoseDay) -> bool:
    """Whether tolerance was not seen at the counter day by day: bottles, or a day of the last two weeks missed."""
    if reading.moment.absence.days > 0:
        return True
    carried = select(Dose.id).where(
        Dose.client_id == client_id,
        Dose.kind == "take_home",
        Dose.voided_at.is_(None),
        Dose.dose_day >= today - _LOOK_BACK,
    )
    known = outcomes_of(session, client_id=client_id, first=today - _LOOK_BACK, last=today)
    return any(day.outcome in ("missed", "held") for day in known) or bool(session.scalar(select(carried.exists())))


def observe_until(ruling: Ruling | None, hours_said: int | None, at: datetime) -> datetime | None:
    """Until when the client is observed, from `at` on: the guideline's hours, or more where the prescriber said so."""
    ruled = ruling.figures.get("observe_hours") if ruling else None
    hours = max(Decimal(str(ruled or 0)), Decimal(hours_said or 0))
    return at + timedelta(minutes=int(hours * 60)) if hours else None
