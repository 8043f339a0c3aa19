"""What is learned of a closed day after it has closed: written beside the frozen outcome, never over it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, text

from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.correction_models import DayCorrection
from dispensary.prescribing.models import DayOutcome, Hold
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, DoseDay, Milligrams


def day_was_otherwise(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    day: DoseDay,
    portion: int,
    kind: str | None,
    mg: Milligrams,
    reason: str,
    supply_id: UUID | None,
    at: datetime,
) -> bool:
    """Writes what a closed day's portion really was, and says whether the day had closed with it at all.

    `kind` is `observed` or `take_home` for what was given after all, nothing when nothing was: the day then counts as
    missed, or as held where a prescriber held it. The order by which the day is judged stays as it was frozen. An open
    day needs no correction: it is frozen when it closes. Lock the client first.
    """
    frozen = session.get(DayOutcome, (client_id, day, portion))
    if frozen is None:
        return False
    outcome = kind or ("held" if _held(session, client_id, day) else "missed")
    last = session.scalar(
        select(func.max(DayCorrection.no)).where(
            DayCorrection.client_id == client_id, DayCorrection.dose_day == day, DayCorrection.portion == portion
        )
    )
    assert actor.account_id is not None, "a closed day is corrected by a person"
    session.add(
        DayCorrection(
            client_id=client_id,
            dose_day=day,
            portion=portion,
            no=(last or 0) + 1,
            outcome=outcome,
            given_mg=mg if kind else Milligrams(Decimal(0)),
            reason=reason.strip(),
            supply_id=supply_id,
            account_id=actor.account_id,
            at=at,
        )
    )
    session.flush()
    return True


def is_closed(session: ReadSession, *, client_id: ClientId, day: DoseDay) -> bool:
    """Whether a client's dose day has its outcome."""
    closed = text("SELECT EXISTS (SELECT 1 FROM day_outcome WHERE client_id = :client AND dose_day = :day)")
    return bool(session.scalar(closed, {"client": client_id, "day": day}))


def _held(session: WriteSession, client_id: ClientId, day: DoseDay) -> bool:
    held = select(Hold.id).where(Hold.client_id == client_id, Hold.released_at.is_(None), Hold.days.contains(day))
    return session.scalar(held.limit(1)) is not None
