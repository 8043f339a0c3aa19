"""Finding clients and reading what they are known by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, func, select

from dispensary.clients.models import Client, ClientIndex, Episode
from dispensary.clients.not_here import not_here
from dispensary.clients.rules import plain_number, sought
from dispensary.database import ReadSession, through
from dispensary.keys import Vault
from dispensary.units import ClientId, SiteId
from dispensary.wall import Door

MOST_FOUND = 20


@dataclass(frozen=True, repr=False)
class Face:
    """What the counter knows a client by."""

    client_id: ClientId
    number: str
    name: str
    born: date | None
    second_identifier: str
    has_photo: bool

    @property
    def identified_by(self) -> str:
        """How the client is positively identified: by photo, else the second identifier, else the birth date.

        Empty when nothing is written down that anybody could compare.
        """
        if self.has_photo:
            return "photo"
        return "second_identifier" if self.second_identifier else "born" if self.born else ""


def face_of(session: ReadSession, client: Client) -> Face:
    """Opens the sealed identity of this row."""
    vault = session.vault
    born = vault.open("client.born", client.id, client.born_sealed) if client.born_sealed else None
    second = client.second_identifier_sealed
    return Face(
        client_id=client.id,
        number=client.number,
        name=vault.open("client.name", client.id, client.name_sealed),
        born=date.fromisoformat(born) if born else None,
        second_identifier=vault.open("client.second_identifier", client.id, second) if second else "",
        has_photo=client.photo_sealed is not None,
    )


def face_at(session: ReadSession, *, site_id: SiteId, client_id: ClientId) -> Face:
    """The identity of a client of the site. Raises NotThere, for another site's client as for nobody."""
    client = session.scalar(select(Client).where(Client.id == client_id, Client.site_id == site_id))
    if client is None:
        raise not_here(session, client_id, site_id)
    return face_of(session, client)


def photo_of(session: ReadSession, client_id: ClientId, *, site_id: SiteId) -> bytes | None:
    """The photo (JPEG or PNG) of a client of the site, opened."""
    sealed = session.scalar(select(Client.photo_sealed).where(Client.id == client_id, Client.site_id == site_id))
    return session.vault.open_bytes("client.photo", client_id, sealed) if sealed else None


def find(session: ReadSession, *, site_id: SiteId, text: str) -> list[Face]:
    """Clients of the site whose number or national id is this, or whose name has words that begin like each of these.

    At most 20, by number. Looks up keyed digests alone: the database never sees the name.
    """
    vault = session.vault
    exact = plain_number(text)
    if not exact:
        return []
    matches = select(ClientIndex.client_id).where(ClientIndex.site_id == site_id)
    by_number = matches.where(
        ClientIndex.digest.in_(
            [each for kind in ("number", "national_id") for each in vault.blinds(f"client.{kind}|{site_id}", exact)]
        )
    )
    words = sought_digests(vault, site_id, text)
    by_name = matches.where(*named_by(words)).group_by(ClientIndex.client_id).having(func.count() == len(words))
    found = session.scalars(
        select(Client)
        .where(Client.id.in_(by_number.union(by_name)) if words else Client.id.in_(by_number))
        .order_by(Client.number)
        .limit(MOST_FOUND)
    )
    clients = found.all()
    session.vault.know([client.id for client in clients])
    return [face_of(session, client) for client in clients]


def sought_digests(vault: Vault, site_id: SiteId, text: str) -> list[list[bytes]]:
    """For each word of a name that is sought, every digest under which it may be found."""
    return [vault.blinds(f"client.name|{site_id}", word) for word in dict.fromkeys(sought(text))]


def named_by(words: Sequence[Sequence[bytes]]) -> list[ColumnElement[bool]]:
    """Rows of the index for these words, one for each word that a client has: all of a client's are under one key."""
    return [ClientIndex.kind == "name", ClientIndex.digest.in_([each for word in words for each in word])]


@through(Door.OWN_PAPERS)
def faces_on_papers(session: ReadSession, client_ids: Collection[ClientId]) -> dict[ClientId, Face]:
    """The same for a site's papers and lists of its own days: also of whom it served and who has moved since."""
    return faces(session, client_ids)


def faces(session: ReadSession, client_ids: Collection[ClientId]) -> dict[ClientId, Face]:
    """The identities of several clients at once, by id; whom the sites in view may not see is left out."""
    if not client_ids:
        return {}
    session.vault.know(client_ids)
    return {c.id: face_of(session, c) for c in session.scalars(select(Client).where(Client.id.in_(client_ids)))}


def in_treatment(session: ReadSession, *, site_id: SiteId, on: date) -> list[ClientId]:
    """Who is in an episode at the site on this day, by client number."""
    return list(
        session.scalars(
            select(Client.id)
            .join(Episode, Episode.client_id == Client.id)
            .where(Episode.site_id == site_id, Episode.began_on <= on)
            .where((Episode.ended_on.is_(None)) | (Episode.ended_on > on))
            .order_by(Client.number)
        )
    )
