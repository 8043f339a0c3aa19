"""What administrators see on every page: that the sealed code was opened; and in the office, that there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dispensary.database import Database
from dispensary.settings import Settings
from dispensary.units import SiteId

_LOOK = """
SELECT (SELECT max(opened_at) FROM break_glass WHERE site_id = %(site)s AND opened_at IS NOT NULL
        AND acknowledged_at IS NULL),
    EXISTS (SELECT 1 FROM break_glass WHERE site_id = %(site)s AND replaced_at IS NULL AND opened_at IS NULL)
"""


@dataclass(frozen=True)
class Alarm:
    """How it stands with a site's sealed code."""

    opened_at: datetime | None
    """When one was opened that no administrator has answered for."""
    missing: bool
    """Whether there is none where there should be one: everywhere but in a demonstration."""


def glass_alarm(settings: Settings, database: Database) -> Callable[[SiteId], Alarm]:
    """Asks for a site, at a glance; pages ask for administrators alone."""

    def ask(site_id: SiteId) -> Alarm:
        row = database.glance(lambda glance: glance.run(_LOOK, {"site": site_id}).fetchone())
        assert row is not None
        return Alarm(row[0], missing=settings.production and not row[1])

    return ask
