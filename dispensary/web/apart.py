"""What a page says of servers apart: at a satellite how old its orders are, at the centre where a site is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dispensary.database import Database
from dispensary.units import SiteId

KEPT_FOR = 30.0
"""Seconds for which an answer counts: which sites are apart changes a few times a year."""
_LOOK = """
SELECT site_id, CASE WHEN whole THEN since ELSE known_at END, whole, warn_after FROM site_apart WHERE until IS NULL
"""
_FIRST_REVIEW = """
SELECT least(
    (SELECT min(d.review_on) FROM decision d JOIN guest_stay g ON g.client_id = d.client_id
        AND g.guest_site_id = %(site)s AND g.ended_on IS NULL WHERE d.voided_at IS NULL AND d.days @> %(day)s),
    (SELECT min(t.due_on) FROM task t WHERE t.kind = 'review' AND t.done_at IS NULL))
"""


@dataclass(frozen=True)
class Apart:
    """How a site and the server that is asked stand to each other."""

    known_at: datetime
    """At a satellite: as of when orders and decisions are known there. At the centre: since when it is apart."""
    written_here: bool
    old: bool
    """Whether the counter is warned: after the site's own number of days, else once somebody's review is due."""


def is_old(*, known_at: datetime, warn_after: int | None, first_review: date | None, now: datetime) -> bool:
    """Whether what is known is older than it should be. No figure of ours: the site's, or a prescriber's."""
    if warn_after is not None:
        return now - known_at > timedelta(days=warn_after)
    return first_review is not None and first_review <= now.date()


def apart_of(database: Database, clock: Callable[[], datetime]) -> Callable[[SiteId], Apart | None]:
    """Asks for a site, at a glance and seldom; nothing where one server has it all."""
    known: list[tuple[float, list[tuple[Any, ...]]]] = []

    def rows() -> list[tuple[Any, ...]]:
        if not known or known[0][0] < time.monotonic():
            found = database.glance(lambda glance: glance.run(_LOOK, {}).fetchall())
            known[:] = [(time.monotonic() + KEPT_FOR, [tuple(row) for row in found])]
        return known[0][1]

    def ask(site_id: SiteId) -> Apart | None:
        mine = [row for row in rows() if row[0] == site_id]
        if mine:
            return Apart(mine[0][1], written_here=False, old=False)
        others = [row for row in rows() if not row[2]]
        if not others:
            return None
        now = clock()
        asked = {"site": site_id, "day": now.date()}
        review = database.glance(lambda glance: glance.run(_FIRST_REVIEW, asked).fetchone())
        first_review = review[0] if review else None
        old = is_old(known_at=others[0][1], warn_after=others[0][3], first_review=first_review, now=now)
        return Apart(others[0][1], written_here=True, old=old)

    return ask
