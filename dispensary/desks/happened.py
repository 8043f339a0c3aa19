"""What happened to a client in the last months, read from every room and put onto one chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.home_models import ClientHome
from dispensary.clients.models import Episode, Task
from dispensary.database import ReadSession
from dispensary.desks.timeline import (
    PERIODS,
    USUAL,
    Allowed,
    Became,
    Happening,
    Known,
    Lane,
    Timeline,
    became,
    timeline,
)
from dispensary.monitoring.models import Alert
from dispensary.prescribing.models import DoseOrder, DosePlan, Hold, Reduction
from dispensary.prescribing.queries import outcomes_of
from dispensary.staff.queries import Place
from dispensary.supplies.models import BottleReturn, Dose, DoseException, ExtraDose, Recall
from dispensary.takehome.models import Assessment, Decision
from dispensary.units import ClientId, DoseDay

_CHANGED_COURSE = {"stopped": "stopped", "as_written": "ran out"}
"""Ends of an order that no other order or end of stay explains."""


@dataclass(frozen=True)
class _Asked:
    """Whose days, at which site, and from when to when."""

    session: ReadSession
    place: Place
    client_id: ClientId
    first: date
    today: date


def timeline_of(
    session: ReadSession,
    *,
    place: Place,
    client_id: ClientId,
    orders: Sequence[DoseOrder],
    decisions: Sequence[Decision],
    holds: Sequence[Hold],
    today: date,
    months: int = USUAL,
) -> Timeline:
    """The client's chart up to today. `months` is one of PERIODS; orders, decisions and holds are all there are."""
    asked = _Asked(session, place, client_id, today - timedelta(days=PERIODS[months] - 1), today)
    known = _days(asked, orders)
    return timeline(
        Known(
            became=known.became,
            ordered=known.ordered,
            given=known.given,
            allowed=tuple(_allowed(decisions)),
            happened=tuple(_happened(asked, orders, holds)),
        ),
        today=today,
        months=months,
    )


def _days(asked: _Asked, orders: Sequence[DoseOrder]) -> Known:
    session, client_id, first, today = asked.session, asked.client_id, asked.first, asked.today
    outcomes: dict[date, list[str]] = defaultdict(list)
    for frozen in outcomes_of(session, client_id=client_id, first=first, last=today):
        outcomes[frozen.dose_day].append(frozen.outcome)
    kinds: dict[date, list[str]] = defaultdict(list)
    taken: dict[date, Decimal] = defaultdict(Decimal)
    doses = select(Dose.dose_day, Dose.kind, Dose.mg).where(
        Dose.client_id == client_id, Dose.dose_day.between(first, today), Dose.voided_at.is_(None)
    )
    for day, kind, mg in session.execute(doses):
        kinds[day].append(kind)
        taken[day] += mg
    # A replacement of what was vomited makes up for it; what came on top makes the day's dose larger.
    extras = select(ExtraDose.dose_day, ExtraDose.mg).where(
        ExtraDose.client_id == client_id,
        ExtraDose.dose_day.between(first, today),
        ExtraDose.voided_at.is_(None),
        ExtraDose.kind != "replacement",
    )
    for day, mg in session.execute(extras):
        taken[day] += mg
    state: dict[date, Became] = {}
    ordered: dict[date, Decimal] = {}
    given: dict[date, Decimal] = {}
    for n in range((today - first).days + 1):
        day = DoseDay(first + timedelta(days=n))
        order = next((order for order in orders if _covers(order.days, day)), None)
        portions = len(order.portions) if order else 1
        if order:
            ordered[day] = order.mg
        state[day] = became(outcomes[day], kinds[day], portions, ordered=order is not None, passed=day < today)
        waits_for_more = day == today and len(kinds[day]) < portions
        if day in taken and taken[day] != ordered.get(day) and not waits_for_more:
            given[day] = taken[day]
    return Known(became=state, ordered=ordered, given=given)


def _covers(days: Range[date], day: date) -> bool:
    return (days.lower is None or days.lower <= day) and (days.upper is None or days.upper > day)


def _last(days: Range[date]) -> date | None:
    return days.upper - timedelta(days=1) if days.upper else None


def _allowed(decisions: Sequence[Decision]) -> Iterator[Allowed]:
    for one in decisions:
        if one.voided_at is None and one.days.lower:
            yield Allowed(one.days.lower, _last(one.days), one.kind, one.per_supply, one.per_week, one.reason)


def _happened(asked: _Asked, orders: Sequence[DoseOrder], holds: Sequence[Hold]) -> Iterator[Happening]:
    yield from _ordered(asked, orders)
    yield from _held(asked, holds)
    yield from _mishaps(asked)
    yield from _bottles(asked)
    yield from _watched(asked)
    yield from _reviewed(asked)
    yield from _stays(asked)


def _ordered(asked: _Asked, orders: Sequence[DoseOrder]) -> Iterator[Happening]:
    for order in orders:
        first = order.days.lower
        if first is None or first > asked.today:
            continue
        yield Happening(Lane.ORDER, "ordered", first, first, order.mg, order.reason, order.ordered_by)
        ended = order.days.upper
        if ended and ended <= asked.today and order.end_reason in _CHANGED_COURSE and not _follows(orders, ended):
            yield Happening(Lane.ORDER, _CHANGED_COURSE[order.end_reason], ended, ended, order.mg)
    plans = select(DosePlan).where(DosePlan.client_id == asked.client_id)
    for plan in asked.session.scalars(plans):
        signed = asked.place.dose_day(plan.signed_at)
        yield Happening(Lane.ORDER, f"plan {plan.kind}", signed, signed, None, plan.reason, plan.signed_by)


def _follows(orders: Sequence[DoseOrder], day: date) -> bool:
    return any(order.days.lower == day for order in orders)


def _held(asked: _Asked, holds: Sequence[Hold]) -> Iterator[Happening]:
    for hold in holds:
        first, last = hold.days.lower, _last(hold.days)
        if first is None:
            continue
        if hold.released_at is not None:
            released = asked.place.dose_day(hold.released_at)
            last = max(first, min(last or released, released))
        yield Happening(Lane.HOLD, "held", first, last, None, hold.reason, hold.placed_by)
    reductions = select(Reduction).where(Reduction.client_id == asked.client_id)
    for one in asked.session.scalars(reductions):
        last = max(one.from_day, asked.place.dose_day(one.ended_at)) if one.ended_at else None
        yield Happening(Lane.REDUCED, "reduced", one.from_day, last, one.mg, one.said, one.agreed_with)


def _mishaps(asked: _Asked) -> Iterator[Happening]:
    mishaps = select(DoseException).where(
        DoseException.client_id == asked.client_id, DoseException.dose_day.between(asked.first, asked.today)
    )
    for one in asked.session.scalars(mishaps):
        said = one.outcome or one.said
        yield Happening(Lane.MISHAP, one.kind, one.dose_day, one.dose_day, one.allowed_mg, said, one.recorded_by)


def _bottles(asked: _Asked) -> Iterator[Happening]:
    recalls = select(Recall).where(Recall.client_id == asked.client_id)
    for one in asked.session.scalars(recalls):
        last = max(one.called_on, asked.place.dose_day(one.closed_at)) if one.closed_at else None
        yield Happening(Lane.BOTTLES, f"recall {one.state}", one.called_on, last, None, one.note, one.called_by)
    full = select(BottleReturn).where(
        BottleReturn.client_id == asked.client_id,
        BottleReturn.is_full,
        BottleReturn.returned_on.between(asked.first, asked.today),
    )
    for back in asked.session.scalars(full):
        yield Happening(Lane.BOTTLES, "full", back.returned_on, back.returned_on, None, back.reason, back.recorded_by)


def _watched(asked: _Asked) -> Iterator[Happening]:
    alerts = select(Alert).where(Alert.client_id == asked.client_id)
    for alert in asked.session.scalars(alerts):
        opened = asked.place.dose_day(alert.opened_at)
        closed = asked.place.dose_day(alert.resolved_at) if alert.resolved_at else None
        said = f"{alert.sentence} {alert.resolution}".strip()
        yield Happening(Lane.ALERT, alert.severity, opened, closed, None, said, alert.resolved_by)


def _reviewed(asked: _Asked) -> Iterator[Happening]:
    assessments = select(Assessment.on_day, Assessment.level, Assessment.made_by).where(
        Assessment.client_id == asked.client_id, Assessment.on_day.between(asked.first, asked.today)
    )
    for day, level, made_by in asked.session.execute(assessments):
        yield Happening(Lane.ASSESSED, "assessed", day, day, None, level, made_by)
    tasks = select(Task).where(
        Task.client_id == asked.client_id,
        Task.kind == "review",
        or_(Task.done_at.is_not(None), Task.due_on <= asked.today),
    )
    for task in asked.session.scalars(tasks):
        if task.done_at:
            done = asked.place.dose_day(task.done_at)
            said = f"{task.sentence} {task.outcome}"
            yield Happening(Lane.REVIEW, "reviewed", done, done, None, said, task.done_by)
        else:
            yield Happening(Lane.REVIEW, "due", task.due_on, None, None, task.sentence)


def _stays(asked: _Asked) -> Iterator[Happening]:
    stays = select(Episode).where(Episode.client_id == asked.client_id, Episode.site_id == asked.place.id)
    for stay in asked.session.scalars(stays):
        yield Happening(Lane.STAY, "began", stay.began_on, stay.began_on, None, "", stay.enrolled_by)
        if stay.ended_on:
            yield Happening(Lane.STAY, f"ended {stay.exit_reason}", stay.ended_on, stay.ended_on)
    homes = select(ClientHome.site_id, ClientHome.from_day).where(
        ClientHome.client_id == asked.client_id, ClientHome.from_day.is_not(None)
    )
    for site_id, day in asked.session.execute(homes.order_by(ClientHome.no)):
        assert day is not None, "the first home alone has no day"
        yield Happening(Lane.STAY, "moved" if site_id == asked.place.id else "left", day, day)
