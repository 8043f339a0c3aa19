"""A peer worker of the demonstration: whom they keep in touch with, what is to be done, and what they noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from dispensary.care.reaching import note_own_contact
from dispensary.clients.goals import assign
from dispensary.clients.tasks import open_task
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, DoseDay

TO_DO = "Ask whether the new work leaves time for the clinic, and which hours would fit."
NOTED = "We met at the market. All is well; the bus does not run on Friday."


def keeps_in_touch(
    session: WriteSession, actors: Mapping[Role, Actor], clients: Sequence[ClientId], *, today: DoseDay, now: datetime
) -> None:
    """Gives these clients to the peer worker: the first has something to be done, the second was spoken with."""
    nurse, peer = actors[Role.NURSE], actors[Role.PEER_WORKER]
    assert peer.account_id is not None, "the demonstration's people have accounts"
    for client_id in clients:
        assign(session, actor=nurse, client_id=client_id, account_id=peer.account_id, at=now)
    for client_id, kind, sentence, role in (
        (clients[0], "other", TO_DO, Role.PEER_WORKER),
        (clients[1], "call", "Two days were missed: ask what keeps them.", Role.NURSE),
    ):
        open_task(
            session,
            site_id=nurse.site_id,
            client_id=client_id,
            role=role,
            kind=kind,
            sentence=sentence,
            due_on=today + timedelta(days=1),
            opened_by=nurse.account_id,
            at=now,
        )
    key = uuid5(NAMESPACE_URL, str(clients[1]))
    note_own_contact(session, actor=peer, client_id=clients[1], reached=True, words=NOTED, key=key, at=now)
