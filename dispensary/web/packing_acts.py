"""Preparing many pickups at once: each client's in a unit of work of its own, so that one that fails stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.supplies.handover import prepare_and_tell
from dispensary.units import ClientId, DoseDay


@dataclass(frozen=True)
class PreparedOne:
    """How it went with one client: how many bottles, or why not."""

    client_id: ClientId
    bottles: int = 0
    refused: Refused | None = None


def prepare_each(
    database: Database,
    *,
    actor: Actor,
    site: Place,
    chosen: Sequence[tuple[ClientId, Sequence[DoseDay]]],
    collect_on: DoseDay,
    public_base_url: str,
    at: datetime,
) -> list[PreparedOne]:
    """Prepares a pickup for each of these clients, and texts each their code. Sent again, nothing is prepared twice."""
    done = []
    for client_id, days in chosen:
        act = partial(
            prepare_and_tell,
            actor=actor,
            client_id=client_id,
            collect_on=collect_on,
            take_home_days=days,
            valid=site.window_of(collect_on),
            public_base_url=public_base_url,
            zone=site.zone,
            today=site.dose_day(at),
            at=at,
        )
        try:
            done.append(PreparedOne(client_id, database.write(act).bottles))
        except Refused as refused:
            done.append(PreparedOne(client_id, refused=refused))
    return done
