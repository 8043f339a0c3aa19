"""Counting what a closed day of a site comes to, and reading it for a whole branch in a few looks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from sqlalchemy import text

from dispensary.database import ReadSession, WriteSession
from dispensary.evaluation.rollup_models import ProgrammeSetting
from dispensary.evaluation.rollup_rules import SILENT_HOURS, SiteFigures, voice_of
from dispensary.staff.rules import dose_day
from dispensary.straight import Straight
from dispensary.units import SiteId

SPAN = 28
"""Days that a branch is told of."""
_BACK = 35
AGAIN = 7
"""Days that each close counts again: by then what is voided or entered late is in."""
CLOSED_BY = timedelta(hours=2, minutes=30)
"""How long after the day boundary the day before should be closed: the night closes it after two hours."""

_DAYS = """
WITH d AS (
    SELECT c.dose_day, c.closed_at FROM day_close c
    LEFT JOIN fact_site_day f ON f.site_id = c.site_id AND f.dose_day = c.dose_day
    WHERE c.site_id = %(site)s AND c.dose_day > %(day)s::date - %(back)s AND c.dose_day <= %(day)s
        AND (f.dose_day IS NULL OR c.dose_day > %(day)s::date - %(again)s)
)
"""
_COUNT_DAYS = f"""
{_DAYS}
INSERT INTO fact_site_day AS f (site_id, dose_day, closed_at, active, began, ended, doses, waits, wait_seconds,
    alerts_late)
SELECT %(site)s, d.dose_day, d.closed_at, stays.active, stays.began, stays.ended,
    (SELECT count(*) FROM supply s JOIN dose ON dose.supply_id = s.id AND dose.voided_at IS NULL
        WHERE s.site_id = %(site)s AND s.dose_day = d.dose_day),
    called.visits, coalesce(called.seconds, 0),
    (SELECT count(*) FROM alert a WHERE a.site_id = %(site)s AND a.escalated_at <= d.closed_at
        AND (a.resolved_at IS NULL OR a.resolved_at > d.closed_at))
FROM d
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE e.ended_on IS NULL OR e.ended_on > d.dose_day) AS active,
        count(*) FILTER (WHERE e.began_on = d.dose_day) AS began,
        count(*) FILTER (WHERE e.ended_on = d.dose_day) AS ended
    FROM client_home h JOIN episode e ON e.client_id = h.client_id
    WHERE h.site_id = %(site)s AND (h.from_day IS NULL OR h.from_day <= d.dose_day)
        AND NOT EXISTS (SELECT FROM client_home n WHERE n.client_id = h.client_id AND n.no > 1 AND n.no > h.no
            AND n.from_day <= d.dose_day)
        AND e.began_on <= d.dose_day AND (e.ended_on IS NULL OR e.ended_on >= d.dose_day)) AS stays
CROSS JOIN LATERAL (SELECT count(*) AS visits,
        sum(greatest(extract(epoch FROM v.called_at - v.arrived_at), 0))::bigint AS seconds
    FROM visit v WHERE v.place_id = %(site)s AND v.day = d.dose_day AND v.called_at IS NOT NULL) AS called
ON CONFLICT (site_id, dose_day) DO UPDATE SET closed_at = excluded.closed_at, active = excluded.active,
    began = excluded.began, ended = excluded.ended, doses = excluded.doses, waits = excluded.waits,
    wait_seconds = excluded.wait_seconds, alerts_late = excluded.alerts_late
"""
# What stood in the safe on an earlier day is no longer known by lot: the register's balance of that day stands for it.
_COUNT_STOCK = f"""
{_DAYS.replace("fact_site_day", "fact_stock_day")}
INSERT INTO fact_stock_day AS f (site_id, dose_day, product, out_ml, left_ml)
SELECT DISTINCT ON (d.dose_day, b.product) %(site)s, d.dose_day, b.product,
    (SELECT coalesce(-sum(l.ml), 0) FROM register_line l WHERE l.book_id = b.id AND l.dose_day = d.dose_day
        AND 'supplied' = CASE WHEN l.corrects_id IS NULL THEN l.kind
            ELSE (SELECT was.kind FROM register_line was WHERE was.id = l.corrects_id) END),
    CASE WHEN d.dose_day = %(day)s
        THEN (SELECT coalesce(sum(lot.balance), 0) FROM lot WHERE lot.book_id = b.id AND lot.expires_on > d.dose_day)
        ELSE coalesce((SELECT l.balance FROM register_line l WHERE l.book_id = b.id AND l.dose_day <= d.dose_day
            ORDER BY l.dose_day DESC, l.seq DESC LIMIT 1), 0) END
FROM d CROSS JOIN register_book b WHERE b.site_id = %(site)s
ORDER BY d.dose_day, b.product
ON CONFLICT (site_id, dose_day, product) DO UPDATE SET out_ml = excluded.out_ml,
    left_ml = CASE WHEN f.dose_day = %(day)s THEN excluded.left_ml ELSE f.left_ml END
"""


def count_site_day(session: WriteSession, *, site_id: SiteId, day: date) -> None:
    """Counts a day of a site as it closes, the week before it again, and whatever closed day of five weeks is missing.

    Call it when the close is written.
    """
    values = {"site": site_id, "day": day, "back": _BACK, "again": AGAIN}
    session.run(_COUNT_DAYS, values)
    session.run(_COUNT_STOCK, values)


_FIGURES = text("""
SELECT s.id, s.code, s.name, s.zone, s.day_starts, s.lat, s.lon, last.dose_day, last.active, last.alerts_late,
    span.began, span.ended, span.doses, span.waits, span.wait_seconds, apart.since AS apart_since, apart.heard_at
FROM site s
LEFT JOIN site_apart apart ON apart.site_id = s.id AND apart.until IS NULL AND apart.whole
LEFT JOIN LATERAL (SELECT f.dose_day, f.active, f.alerts_late FROM fact_site_day f WHERE f.site_id = s.id
    ORDER BY f.dose_day DESC LIMIT 1) last ON true
LEFT JOIN (SELECT f.site_id, sum(began) AS began, sum(ended) AS ended, sum(doses) AS doses, sum(waits) AS waits,
        sum(wait_seconds) AS wait_seconds
    FROM fact_site_day f WHERE f.dose_day > CAST(:until AS date) - :span AND f.dose_day <= CAST(:until AS date)
    GROUP BY f.site_id) span ON span.site_id = s.id
WHERE s.id = ANY(CAST(:sites AS uuid[]))
""")
# A site that is open for a week has used what it used in seven days, not in twenty-eight. One that is silent is told of
# as it was when it last closed a day.
_STOCK = text("""
SELECT f.site_id, f.product, last.dose_day AS last_day, last.closed_at, f.left_ml, span.out_ml / span.days AS daily_ml
FROM unnest(CAST(:sites AS uuid[])) AS s(id)
CROSS JOIN LATERAL (SELECT d.dose_day, d.closed_at FROM fact_site_day d WHERE d.site_id = s.id
    ORDER BY d.dose_day DESC LIMIT 1) last
JOIN fact_stock_day f ON f.site_id = s.id AND f.dose_day = last.dose_day
CROSS JOIN LATERAL (SELECT greatest(sum(p.out_ml), 0) AS out_ml, max(p.dose_day) - min(p.dose_day) + 1 AS days
    FROM fact_stock_day p WHERE p.site_id = s.id AND p.product = f.product
    AND p.dose_day > last.dose_day - :span AND p.dose_day <= last.dose_day) span
""")
_SEEN = "SELECT site_id, max(seen_at) FROM sign_in WHERE site_id = ANY(%(sites)s) GROUP BY site_id"


@dataclass(frozen=True)
class Stocked:
    """A product at a site by its last closed day, in mL."""

    site_id: SiteId
    product: str
    last_day: date
    closed_at: datetime
    left_ml: Decimal
    """In the safe as that day closed."""
    daily_ml: Decimal
    """What goes out on a day: the mean of the site's last 28 days, or of all since its first where they are fewer."""

    def left_by(self, day: date) -> Decimal:
        """What is left as that day ends, if as much went out each day since the last close."""
        return max(self.left_ml - self.daily_ml * max((day - self.last_day).days, 0), Decimal(0))


def last_seen(glance: Straight, *, site_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """When somebody who is still signed in at a site did something there last."""
    return dict(glance.run(_SEEN, {"sites": list(site_ids)}).fetchall())


def stocked(session: ReadSession, *, site_ids: Collection[UUID]) -> list[Stocked]:
    """What each of the sites had of each product on its last closed day, however long ago that was."""
    return [
        Stocked(
            SiteId(row.site_id), row.product, row.last_day, row.closed_at, row.left_ml,
            Decimal(row.daily_ml).quantize(Decimal("0.001")),
        )
        for row in session.execute(_STOCK, {"sites": list(site_ids), "span": SPAN})
    ]  # fmt: skip


def site_figures(
    session: ReadSession,
    *,
    site_ids: Collection[UUID],
    seen: Mapping[UUID, datetime],
    now: datetime,
    silent_hours: int = SILENT_HOURS,
) -> list[SiteFigures]:
    """The figures of each of these sites, by code: four weeks up to the last day that is over everywhere."""
    until = last_day(now)
    least: dict[UUID, Decimal] = {}
    for each in stocked(session, site_ids=site_ids):
        if each.daily_ml > 0:
            days = (each.left_by(until) / each.daily_ml).quantize(Decimal("0.1"))
            least[each.site_id] = min(days, least.get(each.site_id, days))
    due_in = cache(lambda zone, day_starts: dose_day(zone, day_starts, now - CLOSED_BY) - timedelta(days=1))
    found = []
    for row in session.execute(_FIGURES, {"sites": list(site_ids), "until": until, "span": SPAN}):
        voice = voice_of(
            last_day=row.dose_day,
            due=due_in(row.zone, row.day_starts),
            seen_at=seen.get(row.id),
            now=now,
            silent_hours=silent_hours,
            apart=row.apart_since is not None,
        )
        found.append(
            SiteFigures(
                site_id=row.id,
                code=row.code,
                name=row.name,
                last_day=row.dose_day,
                active=row.active or 0,
                began=int(row.began or 0),
                ended=int(row.ended or 0),
                doses=int(row.doses or 0),
                waits=int(row.waits or 0),
                wait_seconds=int(row.wait_seconds or 0),
                alerts_late=row.alerts_late or 0,
                stock_days=least.get(row.id),
                voice=voice,
                lat=row.lat,
                lon=row.lon,
                apart_since=row.apart_since,
                heard_at=row.heard_at,
            )
        )
    return sorted(found, key=lambda site: site.code)


def last_day(now: datetime) -> date:
    """The last calendar day that is over in every zone of the earth but its latest: where four weeks end."""
    return (now + timedelta(hours=12)).date() - timedelta(days=1)


def setting_of(session: ReadSession) -> ProgrammeSetting | None:
    """What the programme has set for reading its figures; nothing while the house's own hold."""
    return session.get(ProgrammeSetting, 1)
