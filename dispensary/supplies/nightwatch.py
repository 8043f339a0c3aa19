"""What the night should have done at a site by now and has not: what failed, since when, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from dispensary.staff.queries import Place
from dispensary.staff.rules import dose_day
from dispensary.straight import Straight

CLOSE_DAY: Final = "close day"
ASSESS: Final = "assess take-home"
RECALL: Final = "recall at random"
CLOSE_AFTER = timedelta(hours=2)
"""How long after the day boundary the night closes a day that the counter left open."""
RETRY_AFTER = timedelta(hours=1)
"""A job that failed runs again after this time."""
_GRACE = timedelta(minutes=30)
"""How long after it was due a job may take before anybody is told (the house's own figure)."""

_LOOKED_BACK = timedelta(days=14)
"""How long a failure greets that nothing has superseded."""

_READ = """
SELECT s.opened_at,
    EXISTS (SELECT 1 FROM day_close c WHERE c.site_id = s.id AND c.dose_day = %(yesterday)s) AS closed,
    EXISTS (SELECT 1 FROM policy_adoption p WHERE p.site_id = s.id AND p.days @> %(day)s::date) AS follows,
    c.failure, c.began_at, a.failure, a.began_at,
    (SELECT coalesce(jsonb_agg(jsonb_build_array(f.job, f.failure, f.began_at)), '[]')
     FROM (SELECT DISTINCT ON (job) job, failure, began_at FROM job_run one
           WHERE failure <> '' AND began_at > %(looked_from)s AND starts_with(slot, s.code || ' ')
           AND job NOT IN ('close day', 'assess take-home')
           AND NOT EXISTS (SELECT 1 FROM job_run later WHERE later.job = one.job AND later.failure = ''
                           AND later.began_at > one.began_at AND starts_with(later.slot, s.code || ' '))
           ORDER BY job, began_at DESC) f)
FROM site s
LEFT JOIN job_run c ON c.job = 'close day' AND c.slot = %(close)s
LEFT JOIN job_run a ON a.job = 'assess take-home' AND a.slot = %(assess)s
WHERE s.id = %(site)s
"""


@dataclass(frozen=True)
class Undone:
    """A job of the night that is due and not done."""

    job: str
    day: date
    """The day to be closed, the day for which everybody is assessed, or of any other job the day on which it failed."""
    since: datetime
    """When it was due; of any other job than those two, when it failed last."""
    failure: str
    """What it failed with; empty when it did not run at all, as when the program was off."""
    again_at: datetime | None
    """When it is tried next; nothing when that is as soon as the program runs its jobs."""


def slot(site: Place, day: date) -> str:
    """The name of a job's slot: of one site and one day."""
    return f"{site.code} {day}"


def undone(glance: Straight, *, site: Place, now: datetime) -> tuple[Undone, ...]:
    """What is due and not done, in one look. A day that the counter closed itself is done; a new site owes nothing,
    and one that follows no policy of take-home assesses nobody.

    Any other job of the site greets while its last run failed, until a later one went well.
    """
    day = site.dose_day(now - CLOSE_AFTER)
    yesterday = day - timedelta(days=1)
    since = site.window_of(day)[0] + CLOSE_AFTER
    values = {
        "site": site.id,
        "yesterday": yesterday,
        "day": day,
        "close": slot(site, yesterday),
        "assess": slot(site, day),
        "looked_from": now - _LOOKED_BACK,
    }
    row = glance.run(_READ, values).fetchone()
    if row is None:
        return ()
    opened_at, closed, follows, close_failure, close_at, assess_failure, assess_at, failed = row
    found = []
    if now >= since + _GRACE and yesterday >= dose_day(site.zone, site.day_starts, opened_at):
        if not closed:
            found.append(_undone(CLOSE_DAY, yesterday, since, close_failure, close_at))
        elif follows and (assess_failure or assess_at is None):
            found.append(_undone(ASSESS, day, since, assess_failure, assess_at))
    for job, failure, began_at in failed:
        at = datetime.fromisoformat(began_at).astimezone(UTC)
        found.append(_undone(job, site.dose_day(at), at, failure, at))
    return tuple(found)


def _undone(job: str, day: date, since: datetime, failure: str | None, began_at: datetime | None) -> Undone:
    again = began_at + RETRY_AFTER if failure and began_at else None
    return Undone(job, day, since, failure or "", again)
