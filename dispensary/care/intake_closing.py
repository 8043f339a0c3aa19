"""How an entry from outside ends: it is closed by somebody, or let go at night; either way nobody is named any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, update

from dispensary.care.intake_models import Intake, IntakePart, IntakeService
from dispensary.care.intakes import open_intake, person, refuse_others
from dispensary.care.settings import reminders_of
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor, the_program
from dispensary.units import ClientId, SiteId


class Outcome(StrEnum):
    """What became of it."""

    ENROLLED = "enrolled"
    ELSEWHERE = "elsewhere"
    """Other services than this one were what they wanted."""
    NOT_WANTED = "not_wanted"
    """They want nothing of it, which has no consequence from here."""
    NOT_REACHED = "not_reached"
    LAPSED = "lapsed"
    """Nobody closed it in the time for which the site keeps it. Nobody chooses this."""


def close_intake(
    session: WriteSession,
    *,
    actor: Actor,
    intake_id: UUID,
    outcome: Outcome,
    client_id: ClientId | None = None,
    at: datetime,
) -> Intake:
    """Closes it, and wipes what names them: whoever became a client stands on the record now, and nobody else is kept.

    The assessments of whoever became a client stay in their words, sealed for them from now on, and nothing moves them
    to anybody else: whoever calls this has shown whose number it is. Raises BadInput where `enrolled` names no client,
    NotAllowed, NotThere.
    """
    refuse_others(actor)
    if outcome is Outcome.LAPSED:
        raise BadInput(Refusal("no-outcome", "Nobody closes it so by hand.", "Choose what it was.", field="outcome"))
    known = session.get(Intake, intake_id, with_for_update=True)
    if known is not None and (known.site_id, known.outcome, known.client_id) == (
        actor.site_id,
        outcome.value,
        client_id,
    ):
        return known
    intake = open_intake(session, actor, intake_id)
    if (outcome is Outcome.ENROLLED) != (client_id is not None):
        raise BadInput(
            Refusal("which-client", "Say which client they are now.", "Their number, as on the card.", field="number")
        )
    _close(session, intake, actor, outcome, client_id, at)
    if client_id is not None:
        audit.record(
            session,
            actor=actor,
            act="came by intake",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"intake": intake.id},
        )
    return intake


def let_intakes_lapse(session: WriteSession, *, site_id: SiteId, before: datetime, at: datetime) -> int:
    """Lets go of what was left open, and says how much: all that nobody has touched since a moment is closed as lapsed.

    That somebody came, when and by which way stays, and that it lapsed; who they were, who sent them, and what was
    found goes.
    """
    assessed = select(func.max(IntakePart.done_at)).where(IntakePart.intake_id == Intake.id).scalar_subquery()
    given = select(func.max(IntakeService.given_at)).where(IntakeService.intake_id == Intake.id).scalar_subquery()
    # of nothing done, `greatest` leaves it out
    touched = func.greatest(Intake.taken_at, Intake.consent_at, assessed, given)
    left = select(Intake).where(Intake.site_id == site_id, Intake.outcome == "", touched < before)
    locked = session.scalars(left.order_by(Intake.number).with_for_update(of=Intake)).all()
    # Whoever assessed one while this waited for it has touched it, and the look above did not see that.
    untouched = select(Intake.id).where(Intake.id.in_([each.id for each in locked]), touched < before)
    still = set(session.scalars(untouched))
    rows = [each for each in locked if each.id in still]
    for intake in rows:
        _close(session, intake, the_program(site_id), Outcome.LAPSED, None, at)
    return len(rows)


def _close(
    session: WriteSession, intake: Intake, actor: Actor, outcome: Outcome, client_id: ClientId | None, at: datetime
) -> None:
    parts = session.scalars(select(IntakePart).where(IntakePart.intake_id == intake.id).with_for_update()).all()
    for part in parts:
        kept = None
        if client_id is not None and part.words_sealed is not None:
            words = session.vault.open("intake_part.words", part.id, part.words_sealed)
            kept = session.vault.seal("intake_part.words", part.id, words, of=client_id)
        session.execute(
            update(IntakePart).where(IntakePart.id == part.id).values(words_sealed=kept, client_id=client_id)
        )
    intake.name_sealed = intake.reach_sealed = intake.words_sealed = None
    intake.referrer_sealed = intake.consent_sealed = intake.consent_to_sealed = None
    intake.outcome, intake.client_id = outcome.value, client_id
    intake.closed_by, intake.closed_at = None if outcome is Outcome.LAPSED else person(actor), at
    session.flush()
    session.expire(intake)
    for part in parts:
        session.expire(part)
    audit.record(
        session,
        actor=actor,
        act="closed intake",
        subject="intake",
        subject_id=intake.id,
        at=at,
        details={"outcome": outcome.value},
    )


@dataclass(frozen=True)
class Waiting:
    """Who came from outside and is still waited for, without a name."""

    people: int
    first: date | None
    """On which day the one came who waits longest; nothing where nobody waits."""
    long: int
    """How many wait longer than the site's days."""


def waits_long(came_on: date, today: date, days: int) -> bool:
    """Whether somebody waits for longer than so many days."""
    return came_on < today - timedelta(days=days)


def waiting_intakes(session: ReadSession, *, site_id: SiteId, today: date) -> Waiting:
    """How many wait at a site, since when, and how many of them for long."""
    days = reminders_of(session, site_id).intake_days
    chosen = select(Intake.came_on).where(Intake.site_id == site_id, Intake.outcome == "")
    came = session.scalars(chosen.order_by(Intake.came_on)).all()
    return Waiting(len(came), came[0] if came else None, sum(waits_long(day, today, days) for day in came))
