"""Why a program's user opens a record that they do not usually open: given before it is read."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.looks.asking import give_reason
from dispensary.looks.rules import LONGEST_WORDS, Reason
from dispensary.refusals import NotThere, Refusal
from dispensary.units import ClientId
from dispensary.web.asking_why import asked_of
from dispensary.web.given import TheClock, TheDatabase, TheVisitor
from dispensary.web.guards import requires_client_finder


class ReasonGiven(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One of the reasons; other needs words. The words are sealed, and name nobody else."""

    reason: Reason
    words: Annotated[str, msgspec.Meta(max_length=LONGEST_WORDS)] = ""


@post(
    "/clients/{client_id:uuid}/reason",
    sync_to_thread=True,
    operation_id="sayWhy",
    tags=["clients"],
    status_code=204,
    guards=[requires_client_finder],
)
def say_why(
    client_id: FromPath[UUID], data: JSONBody[ReasonGiven], database: TheDatabase, who: TheVisitor, clock: TheClock
) -> None:
    """Keeps why this record is opened today, after a request was refused with `reason-needed`. The first one stays."""
    now = clock()
    path = f"/api/clients/{client_id}"
    asked = asked_of(database, who, "client_id", client_id, path, now)
    if asked is None:
        raise NotThere(Refusal("no-client", "There is no such client at this site.", "Look for the client again."))
    database.write(
        lambda session: give_reason(
            session,
            actor=who.actor,
            client_id=ClientId(client_id),
            reason=data.reason,
            words=data.words,
            whys=asked.whys,
            day=who.site.dose_day(now),
            at=now,
        )
    )


HANDLERS: list[ControllerRouterHandler] = [say_why]
