"""Whether the program lives, and whether it can work: for whatever watches it."""

from __future__ import annotations

from dataclasses import dataclass

from litestar import Response, get

from dispensary.embedded import NoDatabase
from dispensary.schema import behind
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
    """The database answers and has all migrations; 503 with a sentence when not."""
    try:
        database.check()
    except NoDatabase as reason:
        return Response(Health("not ready", str(reason).split(":")[0] + "."), status_code=503)
    if behind(database):
        return Response(Health("not ready", "The database needs `dispensary migrate`."), status_code=503)
    return Response(Health("ready"))
