"""Calls to a prescriber from the counter: who can be called, who stands by a loss, and what was agreed about a dose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client, no_episode
from dispensary.clients.tasks import open_task
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.models import Reduction
from dispensary.prescribing.sections import Counter
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.countersign import Somebody, on_duty, the_second_person
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.absence import covers
from dispensary.supplies.exceptions_rules import reduced_portions
from dispensary.supplies.moment import read_moment
from dispensary.supplies.rules import ruling_on
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, SiteId, plain


def prescribers(session: ReadSession, *, site_id: SiteId) -> Sequence[Somebody]:
    """Who may be called: everybody who prescribes at the site, by name."""
    rows = session.execute(
        select(Account.id, Account.name)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.site_id == site_id, RoleGrant.role == Role.DOCTOR.value, Account.left_at.is_(None))
        .order_by(Account.name, Account.id)
    )
    return [Somebody(*row) for row in rows]


def the_call(
    session: ReadSession, *, site_id: SiteId, prescriber_id: AccountId | None, said: str
) -> tuple[Refusal, ...]:
    """What is missing of a call: who was called, a prescriber of this site, and what they said."""
    faults = []
    if prescriber_id not in [each.id for each in prescribers(session, site_id=site_id)]:
        faults.append(
            Refusal(
                "no-prescriber",
                "It is not said which prescriber of this site was called.",
                "Choose who was called.",
                field="prescriber_id",
            )
        )
    if not said.strip():
        faults.append(Refusal("nothing-said", "What the prescriber said is missing.", "Write it down.", field="said"))
    return tuple(faults)


def the_second(
    session: WriteSession, *, actor: Actor, second_id: AccountId | None, pin: str, at: datetime
) -> tuple[Refusal, ...]:
    """Why nobody stands by a loss; nothing when somebody proved that they do, or when nobody else is on duty."""
    if second_id is None and not on_duty(session, actor=actor, at=at):
        return ()
    return the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at)


def record_call(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    prescriber_id: AccountId | None,
    said: str,
    mg: Milligrams,
    today: DoseDay,
    at: datetime,
) -> Reduction:
    """Writes down that a prescriber agreed to a smaller dose after missed days, as the site's guideline provides.

    From now on the counter gives at most so much a day, its portions in proportion, until the prescriber orders again;
    the doctor has a task to do so. Never more than the guideline's figure. The same call written down twice is one.
    Raises Refused when the guideline does not provide it for this absence, BadInput with everything that is missing.
    """
    lock_client(session, client_id, actor.site_id)
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today)
    moment, episode_id = reading.moment, reading.episode_id
    if episode_id is None:
        raise no_episode()
    ruling = ruling_on(moment)
    if ruling is None or ruling.instruction != Counter.REDUCED_AFTER_CALL or ruling.mg is None:
        raise Refused(
            Refusal(
                "no-reduction",
                "Nothing provides for a smaller dose by telephone here.",
                "Open the client again: the prescriber may have ordered, or must see the client.",
            )
        )
    faults = list(the_call(session, site_id=actor.site_id, prescriber_id=prescriber_id, said=said))
    portions = moment.orders[today].portions
    if mg > ruling.mg or mg <= 0 or not all(reduced_portions(portions, mg)):
        faults.append(
            Refusal(
                "above-guideline",
                f"{plain(mg)} mg is not above 0 and at most {plain(ruling.mg)} mg.",
                "Correct the amount. For more the prescriber orders.",
                {"mg": mg, "most_mg": ruling.mg},
                field="mg",
            )
        )
    if faults:
        raise BadInput(*faults)
    before = session.scalar(
        select(Reduction).where(Reduction.client_id == client_id, Reduction.ended_at.is_(None)).with_for_update()
    )
    if before is not None:
        if before.mg == mg and covers(moment.reduction, moment.absence):
            return before
        before.ended_at = at
        session.flush()
    reduction = _reduction(actor, client_id, episode_id, today, at)
    reduction.mg, reduction.ruling, reduction.said = mg, ruling.as_json(), said.strip()
    reduction.agreed_with = _known(prescriber_id)
    session.add(reduction)
    session.flush()
    open_task(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        role=Role.DOCTOR,
        kind="review",
        sentence=f"At most {plain(mg)} mg a day since {today}, agreed by telephone: order again.",
        due_on=today,
        opened_by=actor.account_id,
        at=at,
    )
    details = {"reduction": reduction.id, "mg": mg, "missed": moment.absence.days, "prescriber": prescriber_id}
    audit.record(
        session, actor=actor, act="reduced dose", subject="client", subject_id=client_id, at=at, details=details
    )
    return reduction


def _reduction(actor: Actor, client_id: ClientId, episode_id: UUID, today: DoseDay, at: datetime) -> Reduction:
    return Reduction(
        episode_id=episode_id,
        client_id=client_id,
        site_id=actor.site_id,
        from_day=today,
        recorded_by=actor.account_id,
        recorded_at=at,
    )


def _known(account_id: AccountId | None) -> AccountId:
    assert account_id is not None, "the call was looked at before"
    return account_id
