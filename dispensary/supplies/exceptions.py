"""What is not as usual at the counter and moves no stock: written down, answered by a prescriber, closed.

Each is written once for its key. What the site's guideline said is kept word for word with it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.guests import home_of, lock_at_counter
from dispensary.database import WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert, resolve_alert
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.sections import Topic
from dispensary.prescribing.vomited import replacement
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor, Role
from dispensary.supplies.calls import the_call
from dispensary.supplies.exception_rows import (
    cause_of,
    known_exception,
    locked_exception,
    still_open,
    the_dose,
    write_exception,
)
from dispensary.supplies.exceptions_rules import Allowing, ExceptionKind, may_replace
from dispensary.supplies.models import DoseException
from dispensary.supplies.moment import read_moment
from dispensary.supplies.rules import days_without, ruling_on
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, plain

_LONGEST_MINUTES = 24 * 60


def vomited(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    dose_id: UUID,
    minutes: Decimal,
    witnessed: bool,
    pregnant: bool = False,
    withdrawal: bool = False,
    key: str,
    today: DoseDay,
    at: datetime,
) -> DoseException:
    """Writes down that today's dose was vomited, so many minutes after it was swallowed, and what the guideline says.

    Nothing is given by this: a prescriber allows an amount (`answer`), which is then given once. Raises BadInput for
    minutes out of bounds, NotThere when the client has no such dose today, Refused when it is written down already.
    """
    home_id = lock_at_counter(session, client_id, actor.site_id, today)
    if (known := known_exception(session, actor, client_id, key, ExceptionKind.VOMITED)) is not None:
        return known
    if not 0 <= minutes <= _LONGEST_MINUTES:
        raise BadInput(Refusal("minutes", "Write after how many minutes.", "From 0 to 1440 minutes.", field="minutes"))
    dose = the_dose(session, actor, client_id=client_id, dose_id=dose_id, today=today)
    before = session.scalar(
        select(DoseException.id).where(
            DoseException.dose_id == dose_id, DoseException.kind == "vomited", DoseException.closed_at.is_(None)
        )
    )
    if before is not None:
        raise Refused(
            Refusal("recorded-already", "This is written down already.", "Go on there.", {"exception": before})
        )
    guideline = guideline_of(session, home_id, Topic.VOMITED, today)
    ruling = None
    if guideline is not None:
        ruling = replacement(
            guideline,
            dose_mg=dose.mg,
            minutes=minutes,
            witnessed=witnessed,
            take_home=dose.kind == "take_home",
            pregnant=pregnant,
            withdrawal=withdrawal,
        )
    details = {
        "minutes": str(minutes),
        "witnessed": witnessed,
        "mg": str(dose.mg),
        "take_home": dose.kind == "take_home",
        "pregnant": pregnant,
        "withdrawal": withdrawal,
    }
    return write_exception(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.VOMITED,
        key=key,
        details=details,
        ruling=ruling,
        dose_id=dose.id,
        today=today,
        at=at,
    )


def withhold(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    observation: str,
    key: str = "",
    today: DoseDay,
    at: datetime,
) -> DoseException:
    """Withholds today's dose for now, since the client did not seem safe to dose, and tells the prescriber.

    The client is on the list of those who are seen again later the same day: nothing is blocked by it. Raises BadInput
    when nothing was written.
    """
    return _seen_later(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.INTOXICATED,
        words=observation,
        field="observation",
        told="Dose withheld for now at the counter",
        severity="urgent",
        key=key,
        today=today,
        at=at,
    )


def dose_refused(
    session: WriteSession, *, actor: Actor, client_id: ClientId, reason: str, key: str, today: DoseDay, at: datetime
) -> DoseException:
    """Writes down that the client does not want today's dose. The day stays open, and is missed if they do not come."""
    return _seen_later(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.REFUSED,
        words=reason,
        field="reason",
        told="Did not want today's dose",
        severity="warning",
        key=key,
        today=today,
        at=at,
    )


def _seen_later(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    kind: ExceptionKind,
    words: str,
    field: str,
    told: str,
    severity: str,
    key: str,
    today: DoseDay,
    at: datetime,
) -> DoseException:
    if not words.strip():
        raise BadInput(Refusal(field, "Write what you saw or heard.", "One sentence is enough.", field=field))
    home_id = lock_at_counter(session, client_id, actor.site_id, today)
    if (known := known_exception(session, actor, client_id, key, kind)) is not None:
        return known
    open_alert(
        session,
        site_id=home_id,
        client_id=client_id,
        cause=f"{'withheld' if kind is ExceptionKind.INTOXICATED else kind.value}:{at.isoformat()}",
        severity=severity,
        role=Role.DOCTOR,
        sentence=f"{told}: {words.strip()}",
        at=at,
    )
    return write_exception(
        session,
        actor=actor,
        client_id=client_id,
        kind=kind,
        key=key,
        details={field: words.strip()},
        today=today,
        at=at,
    )


def late(
    session: WriteSession, *, actor: Actor, client_id: ClientId, note: str, key: str, today: DoseDay, at: datetime
) -> DoseException:
    """Writes down that the client came late, after an absence or after the hours, and what holds for the absence.

    It changes nothing: what may be given is what the missed days say. Raises BadInput without a note.
    """
    if not note.strip():
        raise BadInput(Refusal("note", "Write when and why they came late.", "One sentence is enough.", field="note"))
    lock_at_counter(session, client_id, actor.site_id, today)
    if (known := known_exception(session, actor, client_id, key, ExceptionKind.LATE)) is not None:
        return known
    moment = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today).moment
    return write_exception(
        session,
        actor=actor,
        client_id=client_id,
        kind=ExceptionKind.LATE,
        key=key,
        details={"note": note.strip(), "days_without": days_without(moment)},
        ruling=ruling_on(moment),
        outcome="noted",
        today=today,
        at=at,
    )


def answer(
    session: WriteSession,
    *,
    actor: Actor,
    exception_id: UUID,
    prescriber_id: AccountId | None,
    said: str,
    allowed_mg: Milligrams | None = None,
    beyond: bool = False,
    at: datetime,
) -> DoseException:
    """Writes down, once, which prescriber was called about an exception, what they said, and how much they allowed.

    Only a vomited dose can have an amount allowed here: never more than was vomited, and more than the guideline's
    figure only with `beyond`, when the prescriber said so in so many words; that is put before the doctor again.
    Raises BadInput with everything that is missing, Refused when it was answered or closed before.
    """
    about = locked_exception(session, actor, exception_id)
    if about.prescriber_id is not None:
        if (about.prescriber_id, about.said, about.allowed_mg) == (prescriber_id, said.strip(), allowed_mg):
            return about
        raise Refused(Refusal("answered-already", "A call about this is written down.", "Open the client again."))
    still_open(about)
    home_id = home_of(session, ClientId(about.client_id))
    faults = list(the_call(session, site_id=home_id, prescriber_id=prescriber_id, said=said))
    if allowed_mg is not None:
        fault = _may_allow(about, allowed_mg, beyond)
        if fault is not None:
            faults.append(fault)
    if faults:
        raise BadInput(*faults)
    about.prescriber_id, about.said, about.allowed_mg = prescriber_id, said.strip(), allowed_mg
    session.flush()
    if beyond and allowed_mg is not None:
        open_alert(
            session,
            site_id=home_id,
            client_id=ClientId(about.client_id),
            cause=f"beyond guideline:{about.id}",
            severity="warning",
            role=Role.DOCTOR,
            sentence=f"{plain(allowed_mg)} mg were allowed by telephone after vomiting, more than the guideline gives.",
            at=at,
        )
    details = {"exception": about.id, "prescriber": prescriber_id, "allowed_mg": allowed_mg, "beyond": beyond}
    audit.record(
        session, actor=actor, act="called about exception", subject="client", subject_id=about.client_id, at=at,
        details=details,
    )  # fmt: skip
    return about


def _may_allow(about: DoseException, mg: Milligrams, beyond: bool) -> Refusal | None:
    if about.kind != ExceptionKind.VOMITED:
        return Refusal("no-amount", "Nothing is given again for this.", "Leave the amount empty.", field="mg")
    ruled = (about.ruling or {}).get("mg")
    return may_replace(
        Allowing(
            mg=mg,
            lost_mg=Decimal(about.details["mg"]),
            ruled_mg=Decimal(ruled) if ruled is not None else None,
            beyond=beyond,
        )
    )


def close(session: WriteSession, *, actor: Actor, exception_id: UUID, outcome: str, at: datetime) -> DoseException:
    """Closes an exception with how it ended; what blocks the next dose is closed by a prescriber alone.

    A prescriber of the client's home, that is. Its alert is resolved with the same words, by whoever closes it there.
    Raises BadInput without an outcome, NotAllowed, or Refused when it was
    closed before.
    """
    about = locked_exception(session, actor, exception_id)
    if about.closed_at is not None and (about.closed_by, about.outcome) == (actor.account_id, outcome.strip()):
        return about
    still_open(about)
    if not outcome.strip():
        raise BadInput(Refusal("outcome", "Say how it ended.", "Write a sentence.", field="outcome"))
    home_id = home_of(session, ClientId(about.client_id))
    if about.blocks and (not actor.may(Act.ORDER) or actor.site_id != home_id):
        raise NotAllowed(
            Refusal("prescriber-closes", "The next dose waits for a prescriber.", "A prescriber closes this.")
        )
    about.closed_by, about.closed_at, about.outcome = actor.account_id, at, outcome.strip()
    session.flush()
    for alert_id in session.scalars(
        select(Alert.id).where(
            Alert.client_id == about.client_id,
            Alert.site_id == actor.site_id,
            Alert.cause == cause_of(about),
            Alert.resolved_at.is_(None),
        )
    ).all():
        resolve_alert(session, actor=actor, alert_id=alert_id, resolution=outcome, at=at)
    details = {"exception": about.id, "kind": about.kind}
    audit.record(
        session, actor=actor, act="closed exception", subject="client", subject_id=about.client_id, at=at,
        details=details,
    )  # fmt: skip
    return about
