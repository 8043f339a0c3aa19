"""What somebody is given who came from outside and is no client, and may become none: it is counted and names nobody.

A referral of a client has a register of its own; this one has no name, no place and no word of theirs, and stays when
the entry is closed and what named them is wiped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from dispensary.care.intake_models import Intake, IntakeService
from dispensary.care.intakes import open_intake, person, refuse_others
from dispensary.care.referral_models import Service
from dispensary.clients.taken_back import back_of
from dispensary.clients.taken_back_rules import TakenBack, Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor


class Given(StrEnum):
    """What somebody was given."""

    LEAFLET = "leaflet"
    TALK = "talk"
    """A brief talk, or an intervention."""
    REFERRAL = "referral"
    COMPANY = "company"
    """Somebody went along with them to a service."""


FOR_A_SERVICE = (Given.REFERRAL, Given.COMPANY)


def give_service(
    session: WriteSession,
    *,
    actor: Actor,
    intake_id: UUID,
    given: Given,
    service: Service | None,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes down what somebody was given, without a record of theirs. The same key again is the same.

    Raises BadInput for a referral that does not say for what, NotAllowed, NotThere once it is closed.
    """
    refuse_others(actor)
    intake = open_intake(session, actor, intake_id)
    if (given in FOR_A_SERVICE) != (service is not None):
        sentence = "Say for which service." if service is None else "This is for no service."
        raise BadInput(Refusal("for-what", sentence, "Choose one of the list, or none.", field="service"))
    known = session.get(IntakeService, key)
    if known is not None:
        if known.intake_id != intake_id:
            raise Refused(Refusal("another-form", "This form was sent before for somebody else.", "Open it anew."))
        return
    session.add(
        IntakeService(
            id=key,
            intake_id=intake.id,
            site_id=intake.site_id,
            given=given.value,
            service=service.value if service else "",
            given_on=today,
            given_by=person(actor),
            given_at=at,
        )
    )
    session.flush()
    _write_down(session, actor, "gave service to intake", intake, at, {"given": given.value})


def take_service_back(
    session: WriteSession, *, actor: Actor, intake_id: UUID, entry_id: UUID, why: Wrong, at: datetime
) -> None:
    """What was not given as it says is taken back, once, while the entry is open. Raises NotAllowed, NotThere."""
    refuse_others(actor)
    intake = open_intake(session, actor, intake_id)
    row = session.get(IntakeService, entry_id, with_for_update=True)
    if row is None or row.intake_id != intake_id:
        raise NotThere(Refusal("no-entry", "There is no such entry.", "Look at the list again."))
    if row.voided_at is not None:
        return
    row.voided_at, row.voided_by, row.void_reason = at, person(actor), why.value
    session.flush()
    _write_down(session, actor, "took service of intake back", intake, at, {"entry": entry_id, "why": why.value})


@dataclass(frozen=True)
class WasGiven:
    """Something that they were given."""

    id: UUID
    on: date
    given: Given
    service: str
    back: TakenBack | None


def services_of(session: ReadSession, *, intake_id: UUID) -> Sequence[WasGiven]:
    """What somebody was given, in its order; what was taken back too. Ask for an intake whom the reader may look at."""
    rows = session.execute(
        select(IntakeService, Account.name)
        .outerjoin(Account, Account.id == IntakeService.voided_by)
        .where(IntakeService.intake_id == intake_id)
        .order_by(IntakeService.given_at, IntakeService.id)
    )
    return [
        WasGiven(row.id, row.given_on, Given(row.given), row.service, back_of(row.voided_at, row.void_reason, by))
        for row, by in rows
    ]


def _write_down(
    session: WriteSession, actor: Actor, act: str, intake: Intake, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="intake", subject_id=intake.id, at=at, details=details)
