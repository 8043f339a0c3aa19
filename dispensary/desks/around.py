"""What goes on around a client's doses: goals, tasks, who has taken them on, bottles called back, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from dispensary.care.centre_models import HealthCentre
from dispensary.care.centres import centres_of
from dispensary.care.referral_models import Referral
from dispensary.care.referral_words import Word, words_of
from dispensary.care.referrals import ASK_AFTER, referrals_of
from dispensary.clients.contacts import Contact, contacts_of
from dispensary.clients.disclosing import Released, disclosures_of
from dispensary.clients.goals import Goal, Keeps, Kept, goals_of, looked_after_before, looked_after_by
from dispensary.clients.legal_hold_models import LegalHold
from dispensary.clients.legal_holds import held
from dispensary.clients.models import Task
from dispensary.clients.taken_back import taken_back_of
from dispensary.clients.taken_back_rules import TakenBack
from dispensary.clients.tasks import tasks_of
from dispensary.database import ReadSession
from dispensary.prescribing.models import Reduction
from dispensary.staff.permissions import own_of
from dispensary.staff.queries import colleagues
from dispensary.staff.rules import Act, may
from dispensary.supplies.flags import Flag, flags_of
from dispensary.supplies.models import DoseException, Recall
from dispensary.units import AccountId, ClientId, SiteId


@dataclass(frozen=True)
class Around:
    """All of it, as far as it is open; goals that were closed too."""

    goals: Sequence[Goal]
    tasks: Sequence[Task]
    """The soonest first."""
    recall: Recall | None
    mishaps: Sequence[DoseException]
    reduction: Reduction | None
    """Less than the order, agreed by telephone, until somebody orders again."""
    taken: Mapping[AccountId, Keeps]
    """Who of the staff looks after them now, who has them longest first."""
    kept: Sequence[Kept]
    """Who looked after them once, the newest first."""
    flags: Sequence[Flag]
    """What stops a dose or a bottle, and messages to the client, until they are cleared."""
    disclosed: Sequence[Released]
    """What of their record left the programme with their name."""
    held: LegalHold | None
    """Why nothing of their record may be wiped or erased."""
    contacts: Sequence[Contact]
    """How they were kept in touch with, whoever noted it, the newest first."""
    referrals: Sequence[Referral]
    """Open ones first."""
    heard: Mapping[UUID, Sequence[Word]]
    """What was heard of each of them."""
    back: Mapping[UUID, Sequence[TakenBack]]
    """What was taken back of each of these, of goals too."""
    centres: Sequence[HealthCentre]
    """The places of the site's directory."""
    ask_on: date
    """When whoever is referred today is asked whether they went, unless somebody says otherwise."""


def around(session: ReadSession, *, client_id: ClientId, site_id: SiteId, today: date) -> Around:
    """Reads it for one client, with the places that this site refers to."""
    referrals = referrals_of(session, client_id=client_id)
    mishaps = select(DoseException).where(DoseException.client_id == client_id, DoseException.closed_at.is_(None))
    return Around(
        goals=goals_of(session, client_id=client_id),
        tasks=tasks_of(session, client_id=client_id),
        recall=session.scalar(select(Recall).where(Recall.client_id == client_id, Recall.state == "open")),
        mishaps=session.scalars(mishaps.order_by(DoseException.recorded_at)).all(),
        reduction=session.scalar(
            select(Reduction).where(Reduction.client_id == client_id, Reduction.ended_at.is_(None))
        ),
        taken=looked_after_by(session, [client_id]).get(client_id, {}),
        kept=looked_after_before(session, client_id=client_id),
        flags=flags_of(session, client_id=client_id),
        disclosed=disclosures_of(session, client_id=client_id),
        held=held(session, client_id),
        contacts=contacts_of(session, client_id=client_id),
        referrals=referrals,
        heard=words_of(session, [each.id for each in referrals]),
        back=taken_back_of(session, client_id=client_id),
        centres=centres_of(session, site_id=site_id),
        ask_on=today + ASK_AFTER,
    )


def who_treats(session: ReadSession, site_id: SiteId) -> list[tuple[AccountId, str]]:
    """Who may take a client on at the site, by name: whom one can be given to."""
    own = own_of(session, site_id)
    return [
        (AccountId(one.id), one.name)
        for one in colleagues(session, site_id)
        if one.left_at is None and any(may(one.roles, act, own) for act in (Act.ENROL, Act.LOOK_AFTER_OWN))
    ]
