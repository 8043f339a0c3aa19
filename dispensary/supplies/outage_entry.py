"""Entering what was handed over on paper while the system was away: each line once, as it was, with its conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dispensary.clients.guests import lock_at_counter
from dispensary.database import WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.corrections import day_was_otherwise
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.exception_rows import cause_of, seen_again, write_exception
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.extras import extra_answer, write_extra
from dispensary.supplies.moment import Reading, read_moment
from dispensary.supplies.outage_drawing import WaitingPickup, drawn, waiting_pickup
from dispensary.supplies.outage_models import LateEntry
from dispensary.supplies.outage_reading import (
    closed_portions,
    conflicts_in_record,
    episode_then,
    giver_of,
    then_in_force,
)
from dispensary.supplies.outage_rules import (
    Kept,
    PaperLine,
    against_amount,
    for_prescriber,
    is_beyond,
    kept_as,
    seen_mark,
    told,
)
from dispensary.supplies.packing import Packed
from dispensary.supplies.pickups import end_passes
from dispensary.supplies.rules import LONGEST_SUPPLY, DosePlan, Wanted, may_dispense
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
from dispensary.supplies.wrong_doses import observe_until, ruling_on_wrong_dose
from dispensary.units import ClientId, DoseDay, Milligrams, SiteId, new_id, plain


class NotLookedAt(Refused):
    """The line is against a rule, and nobody has said yet that it is kept all the same. `mark` says what was shown."""

    def __init__(self, *conflicts: Refusal) -> None:
        super().__init__(*conflicts)
        self.mark = seen_mark(conflicts)


@dataclass(frozen=True)
class _Work:
    """A line with everything that is written of it."""

    line: PaperLine
    giver: Actor
    reading: Reading
    kept: Kept
    conflicts: tuple[Refusal, ...]
    doses: Sequence[Packed]
    extra: Sequence[Packed]
    pickup: WaitingPickup | None
    episode_id: UUID


def enter_line(
    session: WriteSession,
    *,
    actor: Actor,
    line: PaperLine,
    seen: str,
    zone: str,
    key: str,
    today: DoseDay,
    at: datetime,
) -> Handed:
    """Enters one hand-over from paper, once for each key. A line that is against a rule is kept once that was `seen`.

    The supply has the paper's time and giver; its register lines are written now. What the rules allow covers its days,
    also closed ones, beside whose frozen outcome a correction stands. All else is a dose in error under an exception
    that no dose passes until a prescriber has reviewed it. Raises BadInput with everything that cannot be on a sheet,
    NotLookedAt with every conflict that was not seen, Refused when no lot holds what left the safe.
    """
    digest = request_digest(key, "paper", *vars(line).values())
    home_id = lock_at_counter(session, line.client_id, actor.site_id, line.day)
    reading = read_moment(
        session, site_id=actor.site_id, client_id=line.client_id, today=line.day, days=line.bottle_days, key=key
    )
    if reading.earlier:
        return answered(reading.earlier, digest)
    work = _looked_through(session, actor, line, reading, today, at)
    if work.conflicts and seen != seen_mark(work.conflicts):
        raise NotLookedAt(*work.conflicts)
    supply_id = new_id()
    answer = {**answer_of(supply_id, work.doses, line.at), "extra": extra_answer(work.extra, "in_error")}
    with told_as_refusals():
        _write(session, actor, work, supply_id, answer, _by_paper(work, zone), key, digest, today, at)
    _tell(session, home_id, work, supply_id, at)
    details = {
        "supply": supply_id,
        "day": line.day,
        "doses": answer["doses"],
        "in_error_mg": plain(work.kept.in_error),
        "given_by": line.given_by,
        "conflicts": sorted({each.code for each in work.conflicts}),
    }
    audit.record(
        session,
        actor=actor,
        act="entered from paper",
        subject="client",
        subject_id=line.client_id,
        at=at,
        details=details,
    )
    return Handed(supply_id, answer)


def _looked_through(
    session: WriteSession, actor: Actor, line: PaperLine, reading: Reading, today: DoseDay, at: datetime
) -> _Work:
    then = then_in_force(session, line=line)
    known = reading.moment.reduction
    agreed = then.agreed if then.agreed and (known is None or then.agreed.mg < known.mg) else known
    moment = replace(reading.moment, reduction=agreed, blocked=then.in_force.blocked, stops=then.in_force.stops)
    reading = replace(reading, moment=moment)
    kept = kept_as(moment, then.in_force, line)
    giver = giver_of(session, actor, line)
    episode_id = reading.episode_id or episode_then(session, line)
    faults = [*_cannot_be(line, kept, at), *giver.faults]
    if episode_id is None:
        faults.append(Refusal("no-episode", "This client has never been in treatment here.", "Check the number."))
    if faults:
        raise BadInput(*faults)
    assert episode_id is not None, "looked at above"
    assert giver.actor is not None, "looked at above"
    pickup = waiting_pickup(session, actor, line, kept.doses, today=today, at=at)
    above = _in_error(kept, line)
    doses, extra, other_lots = drawn(session, actor, line, kept.doses, above, pickup, today)
    wanted = Wanted(line.observed, line.bottle_days, line.identified_by, well=True, second_look="as the paper says")
    rules = [each for each in may_dispense(moment, wanted) if each.code != "day-closed"]
    conflicts = told(
        [
            *conflicts_in_record(session, line, kept.doses),
            *_once(rules, then.refusals),
            *against_amount(kept),
            *(pickup.conflicts if pickup else ()),
            *other_lots,
        ]
    )
    return _Work(line, giver.actor, reading, kept, conflicts, doses, extra, pickup, episode_id)


def _once(rules: Sequence[Refusal], then: Sequence[Refusal]) -> list[Refusal]:
    """What stands in the way now, and what stood in the way then and does no more."""
    codes = {each.code for each in rules}
    return [*rules, *(each for each in then if each.code not in codes)]


def _cannot_be(line: PaperLine, kept: Kept, at: datetime) -> list[Refusal]:
    """What is no fact but a slip of the pen."""
    faults = []
    if line.at > at:
        faults.append(
            Refusal("time-ahead", "This time has not come yet.", "Correct the day or the time.", field="time")
        )
    if not line.observed and not line.bottle_days:
        faults.append(
            Refusal("nothing-asked", "The line has neither a dose nor a bottle.", "Write what was given.", field="mg")
        )
    if any(not 0 <= (day - line.day).days <= LONGEST_SUPPLY for day in line.bottle_days):
        faults.append(
            Refusal("day-out-of-reach", "A bottle is for a day that cannot be meant.", "Correct it.", field="bottles")
        )
    if line.identified_by not in ("photo", "second_identifier", "born"):
        faults.append(
            Refusal("not-identified", "It is not said how the client was known.", "Choose.", field="identified_by")
        )
    if kept.unknown:
        faults.append(
            Refusal(
                "mg-unknown",
                f"No order is in force for {kept.unknown[0]}: nobody knows how much it was.",
                "Write the mg that the paper says.",
                field="mg",
            )
        )
    return faults


def _in_error(kept: Kept, line: PaperLine) -> DosePlan | None:
    if kept.in_error <= 0:
        return None
    return DosePlan(line.day, 1, 1, "observed", kept.in_error, new_id(), closed_day=False)


def _by_paper(work: _Work, zone: str) -> str:
    """Why a register line of today is about another time."""
    line, when = work.line, work.line.at.astimezone(ZoneInfo(zone))
    sheet = f", sheet {line.sheet}" if line.sheet else ""
    return f"entered afterwards from paper{sheet} for {line.day} {when:%H:%M}, given by {work.giver.initials}"


def _write(
    session: WriteSession,
    actor: Actor,
    work: _Work,
    supply_id: UUID,
    answer: Mapping[str, Any],
    reason: str,
    key: str,
    digest: bytes,
    today: DoseDay,
    at: datetime,
) -> None:
    line, client_id = work.line, work.line.client_id
    pickup = work.pickup.whole if work.pickup else None
    write_supply(
        session,
        work.giver,
        supply_id=supply_id,
        client_id=client_id,
        episode_id=work.episode_id,
        today=line.day,
        at=line.at,
        key=key,
        digest=digest,
        answer=dict(answer),
        identified_by=line.identified_by,
        decision_id=work.reading.decision.id if work.reading.decision else None,
        pickup_id=pickup.id if pickup else None,
        origin="outage",
    )
    session.add(_late_entry(actor, work, supply_id, at))
    session.flush()
    for portion in closed_portions(session, client_id, [one.plan for one in work.doses]):
        day_was_otherwise(
            session,
            actor=actor,
            client_id=client_id,
            day=portion.day,
            portion=portion.portion,
            kind=portion.kind,
            mg=portion.mg,
            reason=reason,
            supply_id=supply_id,
            at=at,
        )  # before the dose, which no closed day takes without it
    dose_ids = write_doses(session, work.giver, client_id, supply_id, work.doses, line.at)
    if work.extra or work.kept.due_mg not in (None, work.kept.swallowed):
        _write_wrong(session, actor, work, supply_id, dose_ids[0] if dose_ids and _is_of_dose(work) else None, key, at)
    if pickup:
        pickup.state, pickup.closed_at = "collected", line.at
        end_passes(session, pickup_id=pickup.id, reason="redeemed", at=at)
    write_register(session, actor, supply_id, [*work.doses, *work.extra], today, at, reason=reason)
    if line.observed and work.reading.moment.waits:
        seen_again(session, actor=actor, client_id=client_id, outcome="seen again, dosed", today=line.day, at=at)
    session.flush()


def _late_entry(actor: Actor, work: _Work, supply_id: UUID, at: datetime) -> LateEntry:
    said: dict[str, str] = {}
    for each in work.conflicts:
        said[each.code] = f"{said[each.code]} {each.sentence}" if each.code in said else each.sentence
    assert actor.account_id is not None, "paper is entered by a person"
    return LateEntry(
        supply_id=supply_id,
        site_id=actor.site_id,
        recorded_by=actor.account_id,
        recorded_at=at,
        sheet=work.line.sheet.strip(),
        line=work.line.line,
        witnessed_by=work.line.witnessed_by,
        conflicts=said,
        beyond_decision=work.kept.carried and is_beyond(said),
    )


def _is_of_dose(work: _Work) -> bool:
    """Whether the first dose is the one that was swallowed, in another amount than ordered."""
    return work.doses[0].plan.kind == "observed" and work.doses[0].plan.day == work.line.day


def _write_wrong(
    session: WriteSession,
    actor: Actor,
    work: _Work,
    supply_id: UUID,
    dose_id: UUID | None,
    key: str,
    at: datetime,
) -> None:
    """The exception under which stands what was given in error; or that less was given, which blocks nothing."""
    line, kept = work.line, work.kept
    ordered = Milligrams(kept.due_mg or Decimal(0))
    given = Milligrams(min(kept.swallowed, ordered) + kept.in_error if kept.in_error else kept.swallowed)
    ruling = ruling_on_wrong_dose(
        session,
        client_id=line.client_id,
        reading=work.reading,
        ordered_mg=ordered,
        given_mg=given,
        intoxicated=False,
        today=line.day,
    )
    about = write_exception(
        session,
        actor=actor,
        client_id=line.client_id,
        kind=ExceptionKind.WRONG_DOSE,
        key=key,
        details={
            "given_mg": str(given),
            "ordered_mg": str(ordered),
            "happened": " ".join(each.sentence for each in for_prescriber(work.conflicts)) or "entered from paper",
            "intoxicated": False,
        },
        ruling=ruling,
        dose_id=dose_id,
        observe_until=observe_until(ruling, None, line.at) if kept.in_error else None,
        blocks=bool(work.extra),
        today=line.day,
        at=at,
    )  # after the dose, which it would block; before what is given under it
    write_extra(session, actor, line.client_id, supply_id, work.extra, kind="in_error", about=about, today=line.day)
    open_alert(
        session,
        site_id=work.reading.home_id,
        client_id=line.client_id,
        cause=cause_of(about),
        severity="urgent",
        role=Role.DOCTOR,
        sentence=_alert(work),
        at=at,
    )


def _tell(session: WriteSession, home_id: SiteId, work: _Work, supply_id: UUID, at: datetime) -> None:
    """What is clinical and not told with a wrong dose already."""
    if work.extra or work.kept.due_mg not in (None, work.kept.swallowed) or not for_prescriber(work.conflicts):
        return
    open_alert(
        session,
        site_id=home_id,
        client_id=ClientId(work.line.client_id),
        cause=f"late entry:{supply_id}",
        severity="warning",
        role=Role.DOCTOR,
        sentence=_alert(work),
        at=at,
    )


def _alert(work: _Work) -> str:
    sentences = " ".join(each.sentence for each in for_prescriber(work.conflicts))
    return f"Entered afterwards from paper for {work.line.day}: {sentences}"
