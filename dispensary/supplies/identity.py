"""How a client was known at the moment of handing over, and that a birth date was said and not only shown."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.clients.rules import day_as_said
from dispensary.database import ReadSession
from dispensary.supplies.safety_rules import OTHER_BIRTH_DATE
from dispensary.units import ClientId


def how_known(session: ReadSession, *, client_id: ClientId, said: str) -> str:
    """`photo` or `second_identifier` as somebody ticked it; `born` when a birth date was said that is on record.

    The date is compared here and stays off the page: it cannot be nodded through. Empty when nothing was said; another
    date than the one on record, or none on record, is OTHER_BIRTH_DATE. The word `born` alone proves nothing.
    """
    if said in ("photo", "second_identifier", ""):
        return said
    day = day_as_said(said)
    if day is None:
        return ""
    sealed = session.scalar(select(Client.born_sealed).where(Client.id == client_id))
    born = session.vault.open("client.born", client_id, sealed) if sealed else None
    return "born" if born and date.fromisoformat(born) == day else OTHER_BIRTH_DATE
