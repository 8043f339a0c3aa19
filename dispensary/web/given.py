"""What handlers may ask for by name, with the types to ask by: `def pack(database: TheDatabase, actor: TheActor)`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from dispensary.database import Database
from dispensary.settings import Settings
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.staff.sessions import SignedIn
from dispensary.web.guards import who_asks

Clock: TypeAlias = Callable[[], datetime]

# They come from our own hands, so that checking their types anew for each request would be labour lost.
TheDatabase: TypeAlias = NamedDependency[SkipValidation[Database]]
"""Parameter `database`."""
TheSettings: TypeAlias = NamedDependency[SkipValidation[Settings]]
"""Parameter `settings`."""
TheClock: TypeAlias = NamedDependency[SkipValidation[Clock]]
"""Parameter `clock`: call it once at the beginning of a use case and pass the moment on."""
TheActor: TypeAlias = NamedDependency[SkipValidation[Actor]]
"""Parameter `actor`: who acts, at which site. Services take it."""
TheSite: TypeAlias = NamedDependency[SkipValidation[Place]]
"""Parameter `site`: where they work now; `site.dose_day(moment)` is its day."""
TheVisitor: TypeAlias = NamedDependency[SkipValidation[SignedIn]]
"""Parameter `who`: the sign-in itself."""


def _who(request: Request[Any, Any, Any], clock: TheClock) -> SignedIn:
    return who_asks(request)


def _actor(who: TheVisitor) -> Actor:
    return who.actor


def _site(who: TheVisitor, actor: TheActor) -> Place:
    return who.site


def given(database: Database, settings: Settings, clock: Clock) -> dict[str, Provide]:
    """The application's dependencies. `actor`, `site` and `who` raise NotSignedIn when nobody is.

    Each asks for the one before it, whether it needs it or not: what does not ask for each other Litestar finds side by
    side, each in a task of its own, and four tasks were a sixth of the processor time of a dose.
    """

    def _settings(database: TheDatabase) -> Settings:
        return settings

    def _clock(settings: TheSettings) -> Clock:
        return clock

    return {
        "database": Provide(lambda: database, sync_to_thread=False),
        "settings": Provide(_settings, sync_to_thread=False),
        "clock": Provide(_clock, sync_to_thread=False),
        "who": Provide(_who, sync_to_thread=False),
        "actor": Provide(_actor, sync_to_thread=False),
        "site": Provide(_site, sync_to_thread=False),
    }
