"""What was entered in error about kits and outreach is taken back, once, and says why; it stays and counts nowhere.

A figure as it was known at an earlier moment has it still. Kits that were never given lie in the cupboard again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import aliased

from dispensary.care.naloxone import refuse_strangers, treats
from dispensary.care.naloxone_models import NaloxoneKit, NaloxoneLot, NaloxoneUse
from dispensary.care.naloxone_rules import Outcome, ToWhom
from dispensary.care.outreach import refuse_who_meets_nobody
from dispensary.care.outreach_models import OutreachContact, OutreachMaterial
from dispensary.clients.taken_back import back_of
from dispensary.clients.taken_back_rules import TakenBack, Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId

SHOWN_FOR: Final = timedelta(days=92)
MOST_SHOWN: Final = 40
_Voider = aliased(Account)
_Where = ColumnElement[bool]


def take_gift_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId | None, kit_id: UUID, why: Wrong, at: datetime
) -> None:
    """Kits that were not given as it says: they are in the cupboard again. Taken back, it stays so.

    `client_id` is whose they are, nothing for somebody who is no client. A peer worker takes back what they gave
    themselves. Raises NotThere for another's.
    """
    refuse_strangers(session, actor, client_id)
    gift = session.get(NaloxoneKit, kit_id, with_for_update=True)
    if gift is None or (gift.site_id, gift.client_id) != (actor.site_id, client_id):
        raise _nothing()
    if not treats(actor) and gift.given_by != actor.account_id:
        raise _nothing()
    if gift.voided_at is not None:
        return
    gift.voided_at, gift.voided_by, gift.void_reason = at, actor.account_id, why.value
    session.flush()
    session.execute(
        update(NaloxoneLot).where(NaloxoneLot.id == gift.lot_id).values(left_over=NaloxoneLot.left_over + gift.kits)
    )
    about, who = _about(actor, gift.client_id)
    details = {"kit": kit_id, "kits": gift.kits, "why": why.value}
    audit.record(session, actor=actor, act="took naloxone back", subject=about, subject_id=who, at=at, details=details)


def take_use_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId | None, use_id: UUID, why: Wrong, at: datetime
) -> None:
    """A use that did not happen as it says. Taken back, it stays so. Raises NotThere for another's."""
    refuse_strangers(session, actor, client_id)
    use = session.get(NaloxoneUse, use_id, with_for_update=True)
    if use is None or (use.site_id, use.client_id) != (actor.site_id, client_id):
        raise _nothing()
    if not treats(actor) and use.noted_by != actor.account_id:
        raise _nothing()
    if use.voided_at is not None:
        return
    use.voided_at, use.voided_by, use.void_reason = at, actor.account_id, why.value
    session.flush()
    about, who = _about(actor, use.client_id)
    details = {"use": use_id, "why": why.value}
    audit.record(
        session, actor=actor, act="took use of naloxone back", subject=about, subject_id=who, at=at, details=details
    )


def take_met_back(session: WriteSession, *, actor: Actor, contact_id: UUID, why: Wrong, at: datetime) -> None:
    """A contact outside that was not as it says, with what was handed out. Taken back, it stays so.

    A peer worker takes back what they wrote themselves. Raises NotThere.
    """
    refuse_who_meets_nobody(actor)
    met = session.get(OutreachContact, contact_id, with_for_update=True)
    if met is None or met.site_id != actor.site_id or not (_sees_all(actor) or met.noted_by == actor.account_id):
        raise _nothing()
    if met.voided_at is not None:
        return
    met.voided_at, met.voided_by, met.void_reason = at, actor.account_id, why.value
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="took outreach back",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"contact": contact_id, "why": why.value},
    )


@dataclass(frozen=True)
class Gift:
    """Kits that were given at once."""

    id: UUID
    given_on: date
    kits: int
    to_whom: ToWhom
    trained: bool
    expires_on: date
    batch: str
    back: TakenBack | None


@dataclass(frozen=True)
class Use:
    """A use as it was told."""

    id: UUID
    happened_on: date
    kits: int
    told_by: ToWhom
    outcome: Outcome
    back: TakenBack | None


@dataclass(frozen=True)
class MetBefore:
    """A contact outside, as it can be known again by whoever wrote it: it names nobody."""

    id: UUID
    on: date
    kind: str
    place: str
    by: str
    materials: Mapping[str, int]
    back: TakenBack | None


def gifts_of(session: ReadSession, *, client_id: ClientId) -> list[Gift]:
    """Everything that a client, or their family, was given, the newest first; what was taken back too."""
    return _gifts(session, NaloxoneKit.client_id == client_id)


def gifts_to_others(session: ReadSession, *, site_id: SiteId, today: date) -> list[Gift]:
    """What the site gave to people who are no clients of late, the newest first."""
    others = (NaloxoneKit.site_id == site_id, NaloxoneKit.client_id.is_(None))
    return _gifts(session, *others, NaloxoneKit.given_on > today - SHOWN_FOR, most=MOST_SHOWN)


def uses_of(session: ReadSession, *, client_id: ClientId) -> list[Use]:
    """The uses that were told of a client's kits, the newest first; what was taken back too."""
    return _uses(session, NaloxoneUse.client_id == client_id)


def uses_of_others(session: ReadSession, *, site_id: SiteId, today: date) -> list[Use]:
    """The uses of late that were told of nobody's kits in particular, the newest first."""
    others = (NaloxoneUse.site_id == site_id, NaloxoneUse.client_id.is_(None))
    return _uses(session, *others, NaloxoneUse.happened_on > today - SHOWN_FOR, most=MOST_SHOWN)


def own_gifts(session: ReadSession, *, actor: Actor, client_id: ClientId | None, today: date) -> list[Gift]:
    """What the actor themselves gave to a client or their family of late, or to people who are no clients."""
    refuse_strangers(session, actor, client_id)
    mine = (NaloxoneKit.site_id == actor.site_id, NaloxoneKit.given_by == actor.account_id)
    return _gifts(
        session, *mine, _whose(NaloxoneKit, client_id), NaloxoneKit.given_on > today - SHOWN_FOR, most=MOST_SHOWN
    )


def own_uses(session: ReadSession, *, actor: Actor, client_id: ClientId | None, today: date) -> list[Use]:
    """The uses that the actor themselves was told of and wrote down of late; of one client's kits, or of nobody's."""
    refuse_strangers(session, actor, client_id)
    mine = (NaloxoneUse.site_id == actor.site_id, NaloxoneUse.noted_by == actor.account_id)
    return _uses(
        session, *mine, _whose(NaloxoneUse, client_id), NaloxoneUse.happened_on > today - SHOWN_FOR, most=MOST_SHOWN
    )


def met_of_late(session: ReadSession, *, actor: Actor, today: date) -> list[MetBefore]:
    """The contacts of late that the actor may take back, the newest first."""
    where = [OutreachContact.site_id == actor.site_id, OutreachContact.on_day > today - SHOWN_FOR]
    if not _sees_all(actor):
        where.append(OutreachContact.noted_by == actor.account_id)
    rows = session.execute(
        select(OutreachContact, Account.name, _Voider.name)
        .join(Account, Account.id == OutreachContact.noted_by)
        .outerjoin(_Voider, _Voider.id == OutreachContact.voided_by)
        .where(*where)
        .order_by(OutreachContact.noted_at.desc(), OutreachContact.id.desc())
        .limit(MOST_SHOWN)
    ).all()
    handed: dict[UUID, dict[str, int]] = {}
    said = select(OutreachMaterial).where(OutreachMaterial.contact_id.in_([met.id for met, _, _ in rows]))
    for each in session.scalars(said.order_by(OutreachMaterial.material)):
        handed.setdefault(each.contact_id, {})[each.material] = each.amount
    return [
        MetBefore(
            met.id,
            met.on_day,
            met.kind,
            met.place,
            by,
            handed.get(met.id, {}),
            back_of(met.voided_at, met.void_reason, voider),
        )
        for met, by, voider in rows
    ]


def _gifts(session: ReadSession, *where: _Where, most: int | None = None) -> list[Gift]:
    rows = session.execute(
        select(NaloxoneKit, NaloxoneLot, _Voider.name)
        .join(NaloxoneLot, NaloxoneLot.id == NaloxoneKit.lot_id)
        .outerjoin(_Voider, _Voider.id == NaloxoneKit.voided_by)
        .where(*where)
        .order_by(NaloxoneKit.given_at.desc(), NaloxoneKit.id.desc())
        .limit(most)
    )
    return [
        Gift(
            kit.id,
            kit.given_on,
            kit.kits,
            ToWhom(kit.to_whom),
            kit.trained,
            lot.expires_on,
            lot.batch,
            back_of(kit.voided_at, kit.void_reason, by),
        )
        for kit, lot, by in rows
    ]


def _uses(session: ReadSession, *where: _Where, most: int | None = None) -> list[Use]:
    rows = session.execute(
        select(NaloxoneUse, _Voider.name)
        .outerjoin(_Voider, _Voider.id == NaloxoneUse.voided_by)
        .where(*where)
        .order_by(NaloxoneUse.noted_at.desc(), NaloxoneUse.id.desc())
        .limit(most)
    )
    return [
        Use(
            use.id,
            use.happened_on,
            use.kits,
            ToWhom(use.told_by),
            Outcome(use.outcome),
            back_of(use.voided_at, use.void_reason, by),
        )
        for use, by in rows
    ]


def _whose(entries: type[NaloxoneKit] | type[NaloxoneUse], client_id: ClientId | None) -> _Where:
    return entries.client_id.is_(None) if client_id is None else entries.client_id == client_id


def _sees_all(actor: Actor) -> bool:
    return actor.may(Act.ENROL)


def _about(actor: Actor, client_id: ClientId | None) -> tuple[str, UUID | None]:
    return ("site", actor.site_id) if client_id is None else ("client", client_id)


def _nothing() -> NotThere:
    return NotThere(Refusal("no-entry", "There is no such entry.", "Look at the list again."))
