"""Under whose own key words about a client are sealed."""

from __future__ import annotations

from dispensary.clients.client_key_models import Erasure
from dispensary.database import ReadSession
from dispensary.refusals import Refusal, Refused
from dispensary.units import ClientId


def sealed_for(session: ReadSession, client_id: ClientId) -> ClientId | None:
    """The client; nothing for one who was erased, so that what is still written down lies under the house's key.

    It is about a number that names nobody: why somebody looked at it, what an export of it was for.
    """
    return None if session.get(Erasure, client_id) is not None else client_id


def refuse_erased(session: ReadSession, client_id: ClientId) -> None:
    """Raises Refused for a client who was erased."""
    if session.get(Erasure, client_id) is not None:
        raise Refused(
            Refusal("erased", "This record was erased: nobody knows whose it was.", "Enrol the person as a new client.")
        )
