"""Who has the number on a card: the one way from a number that somebody typed to a client of the sites meant."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.clients.rules import plain_number
from dispensary.database import ReadSession
from dispensary.refusals import BadInput, Refusal
from dispensary.units import ClientId, SiteId

_NAMED, _SHOWN = 10, 24
"""How many numbers a refusal names, and how much of each: no number is longer."""


def with_number(session: ReadSession, *, site_id: SiteId, number: str) -> ClientId | None:
    """The client of the site with this number, however it was typed; nothing when nobody has it."""
    chosen = select(Client.id).where(Client.site_id == site_id, Client.number == plain_number(number))
    found = session.scalar(chosen)
    return None if found is None else ClientId(found)


def client_numbered(
    session: ReadSession, *, site_id: SiteId, number: str, remedy: str = "Type it as on the card."
) -> ClientId:
    """The client of the site with this number. Raises BadInput when nobody has it."""
    found = with_number(session, site_id=site_id, number=number)
    if found is None:
        raise BadInput(Refusal("no-such-number", "No client of this site has this number.", remedy, field="number"))
    return found


def clients_numbered(
    session: ReadSession, *, site_ids: Collection[SiteId], numbers: Collection[str], field: str
) -> set[ClientId]:
    """The clients of these sites with these numbers.

    Raises BadInput for an empty list, and naming the numbers that nobody has and those that two of the sites have: of
    two people neither is meant until it is said which.
    """
    wanted = {plain_number(each) for each in numbers}
    rows = session.execute(
        select(Client.number, Client.id).where(Client.site_id.in_(site_ids), Client.number.in_(wanted))
    )
    known: dict[str, list[ClientId]] = {}
    for number, client_id in rows:
        known.setdefault(number, []).append(ClientId(client_id))
    faults = []
    if not wanted:
        faults.append(Refusal("no-number", "The list names nobody.", "Write numbers as on the cards.", field=field))
    if missing := sorted(wanted - known.keys()):
        sentence = f"Nobody here has the number {_some(missing)}."
        faults.append(Refusal("no-such-number", sentence, "Type each as on the card.", field=field))
    if twice := sorted(number for number, whose in known.items() if len(whose) > 1):
        sentence = f"Two of these sites have a client with the number {_some(twice)}."
        faults.append(Refusal("number-of-two", sentence, "Do it for one site at a time.", field=field))
    if faults:
        raise BadInput(*faults)
    return {each for whose in known.values() for each in whose}


def _some(numbers: list[str]) -> str:
    named = ", ".join(each[:_SHOWN] for each in numbers[:_NAMED])
    return f"{named}{' and others' if len(numbers) > _NAMED else ''}"
