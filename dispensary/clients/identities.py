"""Who each client of an identified export is: for the commands that make one, and put it on the register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.models import Client, Episode
from dispensary.database import ReadSession
from dispensary.evaluation.tables import Column, Columns, whole

WHO: Columns = {
    "client": Column("what the client is called in the other tables of this export"),
    "number": Column("the number on the client's card"),
    "name": Column("as the record has it now"),
    "born": Column("day of birth, where it is known"),
    "episode": whole("the client's first, second, ... episode"),
    "began_on": Column("day 0 of its rows"),
}
_AT_ONCE = 500


def who_rows(session: ReadSession, names: Mapping[UUID, str]) -> Iterator[tuple[object, ...]]:
    """The rows under WHO, in the order of the export."""
    ids = list(names)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        clients: dict[UUID, Client] = {
            each.id: each for each in session.scalars(select(Client).where(Client.id.in_(some)))
        }
        session.vault.know(some)
        episodes: dict[UUID, list[Episode]] = {client: [] for client in some}
        chosen = select(Episode).where(Episode.client_id.in_(some)).order_by(Episode.began_on, Episode.id)
        for episode in session.scalars(chosen):
            episodes[episode.client_id].append(episode)
        for client_id in some:
            client, vault = clients[client_id], session.vault
            name = vault.open("client.name", client.id, client.name_sealed)
            born = vault.open("client.born", client.id, client.born_sealed) if client.born_sealed else None
            for number, episode in enumerate(episodes[client_id], start=1):
                yield names[client_id], client.number, name, born, number, f"{episode.began_on}"
