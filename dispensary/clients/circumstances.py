"""What a client told of their circumstances: storage, home, work, health. Read by take-home assessments alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispensary.clients.models import Client
from dispensary.clients.service import the_client
from dispensary.database import WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId

FARTHEST_KM = 2_000


@dataclass(frozen=True)
class Circumstances:
    """Seven answers; nothing where nobody has asked."""

    lockbox: bool | None = None
    """Doses are locked away at home."""
    housing_stable: bool | None = None
    employed: bool | None = None
    """Work or study."""
    health_stable: bool | None = None
    children_at_home: bool | None = None
    guardian: bool | None = None
    """A member of the family or another person vouches for how doses are kept at home."""
    distance_km: int | None = None
    """How far they travel to the site, one way."""


def write_down(client: Client, told: Circumstances) -> dict[str, bool | int | None]:
    """Puts the answers on the record; returns what stood in the place of those that are new.

    Raises BadInput for a distance out of bounds.
    """
    distance = told.distance_km
    if distance is not None and not 0 <= distance <= FARTHEST_KM:
        raise BadInput(
            Refusal(
                "distance-out-of-bounds",
                f"A distance is from 0 to {FARTHEST_KM} km, not {distance}.",
                "Correct it, or leave it empty.",
                field="distance_km",
            )
        )
    was = {name: getattr(client, name) for name, answer in vars(told).items() if getattr(client, name) != answer}
    for name in was:
        setattr(client, name, getattr(told, name))
    return was


def note_circumstances(
    session: WriteSession, *, actor: Actor, client_id: ClientId, told: Circumstances, at: datetime
) -> Client:
    """Writes the answers down, and into the trail what was said before, from which figures of a past moment are made.

    Assessments that were made before keep what they knew. Raises NotThere or BadInput.
    """
    client = the_client(session, client_id, actor.site_id)
    was = write_down(client, told)
    session.flush()
    if was:
        details = {"was": was}
        audit.record(
            session,
            actor=actor,
            act="noted circumstances",
            subject="client",
            subject_id=client_id,
            at=at,
            details=details,
        )
    return client
