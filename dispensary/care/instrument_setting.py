"""What a site sets of each instrument: whether it is used, by whom, how often it is due, and its own cut-off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import select

from dispensary.care.instruments import Instrument, instruments
from dispensary.care.screening_models import InstrumentSetting
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.accreditations import LONGEST, holds, plain_kind
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import SiteId

MOST_MONTHS = 60
MAY_USE = (Role.DOCTOR, Role.NURSE, Role.PHARMACIST)
"""Roles that treat, and are told of a risk at once: what an instrument finds is of a client's health."""
ASKS: Final[Mapping[Role, Act]] = {Role.PEER_WORKER: Act.LOOK_AFTER_OWN, Role.RECEPTION: Act.FIND_CLIENT}
"""Roles that a site can let ask besides, each by what it may do anyway: a peer worker asks own clients alone."""
MAY_ASK = (*MAY_USE, *ASKS)
OWN_CUT_OFF = "srq20"
"""The instrument whose source has no cut-off for everywhere."""


@dataclass(frozen=True)
class Used:
    """An instrument as a site uses it."""

    instrument: Instrument
    used: bool
    every_months: int | None
    positive_from: int | None
    roles: frozenset[Role]
    accreditation: str
    risk_role: Role
    band_told: bool = False
    """Whether whoever asks without treating is told the band of the sum."""
    own: InstrumentSetting | None = None
    """What the site has set, where it has."""


def in_use(session: ReadSession, *, site_id: SiteId) -> Mapping[str, Used]:
    """Every instrument as the site uses it, by key; those that it does not use too."""
    own = {row.instrument: row for row in session.scalars(select(InstrumentSetting).filter_by(site_id=site_id))}
    return {key: _used(instrument, own.get(key)) for key, instrument in instruments().items()}


def _used(instrument: Instrument, own: InstrumentSetting | None) -> Used:
    if own is None:
        return Used(instrument, True, None, None, frozenset(instrument.roles), "", Role.DOCTOR)
    return Used(
        instrument,
        own.used,
        own.every_months,
        own.positive_from,
        frozenset(Role(role) for role in own.roles),
        own.accreditation,
        Role(own.risk_role),
        own.band_told,
        own,
    )


def the_instrument(session: ReadSession, key: str, *, site_id: SiteId) -> Used:
    """One that the site uses. Raises NotThere."""
    found = in_use(session, site_id=site_id).get(key)
    if found is None or not found.used:
        raise NotThere(Refusal("no-instrument", "There is no such instrument here.", "Look at the list of them."))
    return found


def may_use(session: ReadSession, used: Used, *, actor: Actor, today: date) -> Refusal | None:
    """Nothing where the actor may ask by this instrument today; else why not, and who may."""
    roles = ", ".join(sorted(used.roles))
    if not (treats(used, actor) or asks_besides(used, actor)):
        return Refusal("not-this-instrument", f"{used.instrument.name} is asked here by: {roles}.", "Ask one of them.")
    if used.accreditation and not holds(session, actor=actor, kind=used.accreditation, on=today):
        return Refusal(
            "not-accredited",
            f"{used.instrument.name} is asked here by whoever is accredited for “{used.accreditation}”.",
            "Ask somebody who is; the office enters an accreditation.",
        )
    return None


def treats(used: Used, actor: Actor) -> bool:
    """Whether they ask by it as somebody who treats, and read what it came to."""
    return actor.may(Act.CARE) and bool(used.roles & actor.roles & frozenset(MAY_USE))


def asks_besides(used: Used, actor: Actor) -> frozenset[Role]:
    """The roles by which they ask by it without treating: the site lets the role, and its own work is theirs."""
    return frozenset(role for role in used.roles & actor.roles if role in ASKS and actor.may(ASKS[role]))


def askable(session: ReadSession, *, actor: Actor, role: Role, today: date) -> list[Used]:
    """What the site lets this role ask by, and the actor may ask today."""
    return [
        each
        for each in in_use(session, site_id=actor.site_id).values()
        if each.used and role in asks_besides(each, actor) and may_use(session, each, actor=actor, today=today) is None
    ]


def set_instrument(
    session: WriteSession,
    *,
    actor: Actor,
    key: str,
    used: bool,
    every_months: int | None,
    positive_from: int | None,
    roles: Collection[Role],
    accreditation: str,
    risk_role: Role,
    reason: str,
    at: datetime,
    band_told: bool = False,
) -> None:
    """Keeps what the site has of an instrument. A prescriber signs for it, with a reason.

    Raises NotAllowed, NotThere, or BadInput with a fault a field.
    """
    if actor.account_id is None or not actor.may(Act.ORDER):
        raise NotAllowed(Refusal("may-not-set", "A doctor of the site sets this.", "Ask one."))
    if key not in instruments():
        raise NotThere(Refusal("no-instrument", "There is no such instrument.", "Look at the list of them."))
    faults = []
    if every_months is not None and not 1 <= every_months <= MOST_MONTHS:
        faults.append(Refusal("months", f"From 1 to {MOST_MONTHS} months.", "Correct it.", field="every_months"))
    if positive_from is not None and (key != OWN_CUT_OFF or not 1 <= positive_from <= 20):
        faults.append(
            Refusal("cut-off", "A cut-off is 1 to 20, of SRQ-20 alone.", "Correct it.", field="positive_from")
        )
    if not roles or set(roles) - set(MAY_ASK):
        sentence = f"Choose of {', '.join(MAY_ASK)}."
        faults.append(Refusal("roles", "Nobody is left who asks it.", sentence, field="roles"))
    if risk_role not in MAY_USE:
        faults.append(Refusal("risk-role", "Nobody is told of a risk.", "Choose who is.", field="risk_role"))
    if len(accreditation) > LONGEST:
        faults.append(Refusal("too-long", f"At most {LONGEST} letters.", "Shorten it.", field="accreditation"))
    if not reason.strip():
        faults.append(Refusal("reason", "Say what it rests on.", "Name a guideline, or your reason.", field="reason"))
    if faults:
        raise BadInput(*faults)
    row = session.get(InstrumentSetting, (actor.site_id, key), with_for_update=True)
    row = row or InstrumentSetting(site_id=actor.site_id, instrument=key)
    row.used, row.every_months, row.positive_from = used, every_months, positive_from
    row.roles, row.accreditation = sorted(role.value for role in roles), plain_kind(accreditation)
    row.risk_role, row.reason, row.set_by, row.set_at = risk_role.value, reason.strip(), actor.account_id, at
    row.band_told = band_told
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="set instrument",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"instrument": key, "used": used, "every_months": every_months, "positive_from": positive_from}
        | {"roles": row.roles, "band_told": band_told},
    )
