"""Kiosks and screens: bound to a site by somebody who checks people in, known by a token of their own, ended by anyone
who may bind one.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.device_models import Device
from dispensary.staff.models import Account
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor
from dispensary.staff.stations import digest_of
from dispensary.straight import Straight
from dispensary.units import SiteId, new_id

KINDS = ("kiosk", "screen")
LONGEST_NAME = 60


@dataclass(frozen=True)
class Bound:
    """A device as its cookie shows it."""

    id: UUID
    site: Place


def bind(session: WriteSession, *, actor: Actor, kind: str, name: str, at: datetime) -> str:
    """Makes this browser a kiosk or a screen of the actor's site, and returns its token, which is kept nowhere.

    Raises BadInput.
    """
    faults = []
    if kind not in KINDS:
        faults.append(Refusal("bad-kind", "This is a kiosk or a screen.", "Choose one.", field="kind"))
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        words = "Say where it stands, so that it can be told from another."
        faults.append(Refusal("no-name", words, f"Write 1 to {LONGEST_NAME} letters, such as Entrance.", field="name"))
    if faults:
        raise BadInput(*faults)
    token = secrets.token_urlsafe(32)
    device = Device(
        id=new_id(),
        site_id=actor.site_id,
        kind=kind,
        name=name.strip(),
        token_digest=digest_of(token),
        bound_by=actor.account_id,
        bound_at=at,
    )
    session.add(device)
    session.flush()
    details = {"device": device.id, "kind": kind, "name": device.name}
    audit.record(
        session, actor=actor, act="bound device", subject="site", subject_id=actor.site_id, at=at, details=details
    )
    return token


def unbind(session: WriteSession, *, actor: Actor, device_id: UUID, at: datetime) -> None:
    """From now on its cookie opens nothing. One that was ended before stays so. Raises NotThere."""
    device = session.get(Device, device_id, with_for_update=True)
    if device is None or device.site_id != actor.site_id:
        raise NotThere(Refusal("no-device", "There is no such device at this site.", "Look at the list again."))
    if device.ended_at is not None:
        return
    device.ended_at, device.ended_by = at, actor.account_id
    session.flush()
    details = {"device": device.id, "kind": device.kind, "name": device.name}
    audit.record(
        session, actor=actor, act="ended device", subject="site", subject_id=actor.site_id, at=at, details=details
    )


def bound(session: ReadSession, *, token: str, kind: Literal["kiosk", "screen"]) -> Bound | None:
    """The device of this kind whose token this is; nothing when there is none, or not any more."""
    found = session.execute(
        select(Device.id, Device.site_id).where(
            Device.token_digest == digest_of(token), Device.kind == kind, Device.ended_at.is_(None)
        )
    ).one_or_none()
    return Bound(found.id, place(session, SiteId(found.site_id))) if found else None


def still_bound(glance: Straight, device_ids: Collection[UUID]) -> set[UUID]:
    """Those of these devices that nobody has ended."""
    rows = glance.run("SELECT id FROM device WHERE id = ANY(%(ids)s) AND ended_at IS NULL", {"ids": list(device_ids)})
    return {row[0] for row in rows}


def devices_of(session: ReadSession, *, site_id: SiteId) -> Sequence[tuple[Device, str]]:
    """The devices of a site that work, and who bound each, in the order in which they were bound."""
    rows = session.execute(
        select(Device, Account.name)
        .outerjoin(Account, Account.id == Device.bound_by)
        .where(Device.site_id == site_id, Device.ended_at.is_(None))
        .order_by(Device.bound_at, Device.id)
    )
    return [(device, name or "") for device, name in rows]
