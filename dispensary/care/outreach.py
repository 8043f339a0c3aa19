"""Outreach: contacts outside, by a code or by nothing, and the materials that were handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text

from dispensary.care.naloxone import digest_of
from dispensary.care.outreach_models import OutreachContact, OutreachMaterial
from dispensary.care.referral_models import Service
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import SiteId

LONGEST_PLACE: Final = 80
LONGEST_CODE: Final = 40
MOST: Final = 5_000
_LATE: Final = timedelta(days=92)


class Kind(StrEnum):
    OUTREACH = "outreach"
    DROP_IN = "drop_in"
    EVENT = "event"


class Material(StrEnum):
    """What is handed out; needles come back too."""

    NEEDLES = "needles"
    NEEDLES_BACK = "needles_back"
    WATER = "water"
    FOIL = "foil"
    CONDOMS = "condoms"
    LUBRICANT = "lubricant"
    LEAFLETS = "leaflets"
    TEST_STRIPS = "test_strips"
    FOOD = "food"
    HYGIENE = "hygiene"


@dataclass(frozen=True)
class Met:
    """Somebody who was met, as whoever met them writes it down. It holds no name, and nothing of a home."""

    on: date
    kind: Kind
    place: str
    code: str
    services: tuple[str, ...]
    materials: Mapping[Material, int]

    def faults(self, today: date) -> list[Refusal]:
        """What is wrong with it, field by field."""
        faults = []
        if not 0 < len(self.place.strip()) <= LONGEST_PLACE:
            faults.append(Refusal("outreach-place", "It does not say where.", "A district or a spot.", field="place"))
        if not today - _LATE <= self.on <= today:
            faults.append(
                Refusal("outreach-day", "It was today, or in the last three months.", "Correct it.", field="on_day")
            )
        if len(self.code) > LONGEST_CODE:
            faults.append(Refusal("too-long", f"At most {LONGEST_CODE} letters.", "A short code.", field="code"))
        if set(self.services) - {each.value for each in Service}:
            faults.append(Refusal("no-service", "This is no service.", "Choose from the list.", field="services"))
        faults += [
            Refusal("material-amount", f"From 1 to {MOST}.", "Correct it.", field=material.value)
            for material, amount in self.materials.items()
            if not 1 <= amount <= MOST
        ]
        return faults


def note_met(session: WriteSession, *, actor: Actor, met: Met, key: UUID, today: date, at: datetime) -> None:
    """Writes a contact down with what was handed out. The same key again is the same contact.

    Raises NotAllowed for anybody but nurses, doctors and peer workers, BadInput with a fault a field.
    """
    refuse_who_meets_nobody(actor)
    if faults := met.faults(today):
        raise BadInput(*faults)
    if session.get(OutreachContact, key) is not None:
        return
    session.add(
        OutreachContact(
            id=key,
            site_id=actor.site_id,
            on_day=met.on,
            kind=met.kind.value,
            place=" ".join(met.place.split()),
            code_digest=digest_of(session, met.code),
            services=sorted(set(met.services)),
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    for material, amount in met.materials.items():
        session.add(OutreachMaterial(contact_id=key, material=material.value, amount=amount))
    session.flush()
    details = {"kind": met.kind.value, "coded": bool(met.code.strip())}
    audit.record(
        session, actor=actor, act="noted outreach", subject="site", subject_id=actor.site_id, at=at, details=details
    )


def refuse_who_meets_nobody(actor: Actor) -> None:
    """Raises NotAllowed for whoever neither takes clients on nor keeps in touch with their own."""
    if actor.account_id is None or not (actor.may(Act.ENROL) or actor.may(Act.LOOK_AFTER_OWN)):
        raise NotAllowed(Refusal("no-outreach", "Your work at this site does not include this.", "Ask a colleague."))


@dataclass(frozen=True)
class Reached:
    """A site's outreach since a day."""

    contacts: int
    people: int
    """Known by their codes; who gave none counts once for each time."""
    materials: Mapping[str, int]


_PEOPLE = text("""
SELECT count(*), count(DISTINCT coalesce(encode(code_digest, 'hex'), id::text)) FROM outreach_contact
WHERE site_id = :site AND on_day >= :since AND voided_at IS NULL
""")


def reached_since(session: ReadSession, *, site_id: SiteId, since: date) -> Reached:
    """The site's own counts, as its page shows them."""
    contacts, people = session.execute(_PEOPLE, {"site": site_id, "since": since}).one()
    sums = (
        select(OutreachMaterial.material, func.sum(OutreachMaterial.amount))
        .join(OutreachContact, OutreachContact.id == OutreachMaterial.contact_id)
        .where(OutreachContact.site_id == site_id, OutreachContact.on_day >= since)
        .where(OutreachContact.voided_at.is_(None))
        .group_by(OutreachMaterial.material)
    )
    return Reached(contacts, people, {material: int(total) for material, total in session.execute(sums)})
