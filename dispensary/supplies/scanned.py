"""A bottle's label is scanned: whose bottle it is, and what became of it. Changes nothing but the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.supplies.models import Bottle
from dispensary.supplies.passes import plain_text
from dispensary.supplies.serials import serial_in
from dispensary.units import ClientId
from dispensary.wall import Door


@dataclass(frozen=True)
class Scanned:
    """A bottle that the programme filled, and its client."""

    bottle_id: UUID
    client_id: ClientId


def scan_bottle(session: WriteSession, *, actor: Actor, text: str, at: datetime) -> Scanned:
    """The bottle whose label was scanned or whose 16 digits were typed. The log says that it was, and by whom.

    Raises Refused, each reason with its own code: a wrong digit, a bottle that nobody here filled, one of another
    site's client.
    """
    serial = serial_in(plain_text(text))
    if serial is None:
        raise Refused(
            Refusal(
                "bottle-mistyped",
                "The bottle's number has a wrong digit.",
                "Scan the label again, or type its 16 digits.",
            )
        )
    with session.before_the_wall(Door.FOUND_BOTTLE):
        row = session.execute(
            select(Bottle, Client.site_id, Site.code)
            .join(Client, Client.id == Bottle.client_id)
            .join(Site, Site.id == Client.site_id)
            .where(Bottle.serial == serial)
        ).one_or_none()
    if row is None:
        raise Refused(
            Refusal(
                "bottle-unknown",
                "No bottle of this programme has this number.",
                "Keep the bottle apart, and find the client by name or number.",
            )
        )
    bottle, site_id, code = row
    if site_id != actor.site_id:
        raise Refused(
            Refusal(
                "bottle-other-site", f"This bottle belongs to a client of site {code}.", "Keep it shut, and call there."
            )
        )
    audit.record(
        session,
        actor=actor,
        act="scanned bottle",
        subject="client",
        subject_id=bottle.client_id,
        at=at,
        details={"bottle": bottle.id, "serial": bottle.serial, "state": bottle.state},
    )
    return Scanned(bottle.id, bottle.client_id)
