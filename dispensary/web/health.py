"""Whether the program lives, and whether it can work: for whatever watches it."""

from __future__ import annotations

from dataclasses import dataclass

from litestar import Response, get

from dispensary.embedded import NoDatabase
from dispensary.schema import met
from dispensary.web.given import TheDatabase


@dataclass(frozen=True)
class Health:
    """What is known of the program's health, in one word and one sentence."""

    status: str
    detail: str = ""


@get("/health/live", sync_to_thread=False, operation_id="healthLive", tags=["health"])
def live() -> Health:
    """The program answers. Asks nothing of the database: a lost database is no reason to restart the program."""
    return Health("alive")


@get("/health/ready", sync_to_thread=True, operation_id="healthReady", tags=["health"])
def ready(database: TheDatabase) -> Response[Health]:
    """The database answers and works with this program; 503 with a sentence when not.

    Where a newer program has brought it further, and it works with this one still, this one serves on.
    """
    try:
        database.check()
    except NoDatabase as reason:
        return Response(Health("not ready", str(reason).split(":")[0] + "."), status_code=503)
    here = met(database)
    if here.needs:
        return Response(Health("not ready", here.needs.split(":")[0].removesuffix(".") + "."), status_code=503)
    return Response(Health("ready", "The database is ahead of this program." if here.ahead else ""))
