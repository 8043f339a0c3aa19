"""The day's list of a counter: everybody whose dose is given there, and what became of it so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.units import ClientId, SiteId

_DAY_LIST = text("""
WITH stay AS (
    SELECT g.client_id, g.guest_site_id, home.code AS home, there.code AS away_at FROM guest_stay g
    JOIN site home ON home.id = g.home_site_id JOIN site there ON there.id = g.guest_site_id
    WHERE (g.home_site_id = :site OR g.guest_site_id = :site) AND g.verified_at IS NOT NULL
        AND g.days @> CAST(:day AS date)
), here AS (
    SELECT e.id, stay.away_at, '' AS home FROM episode e LEFT JOIN stay ON stay.client_id = e.client_id
    WHERE e.site_id = :site AND e.began_on <= :day AND (e.ended_on IS NULL OR e.ended_on > :day)
    UNION ALL
    SELECT e.id, NULL, stay.home FROM stay JOIN episode e ON e.client_id = stay.client_id AND e.began_on <= :day
        AND (e.ended_on IS NULL OR e.ended_on > :day)
    WHERE stay.guest_site_id = :site
)
SELECT c.id AS client_id, c.number, c.name_sealed, o.mg, cardinality(o.portions) AS portions,
    CASE WHEN d.divided <> cardinality(o.portions) THEN cardinality(o.portions) ELSE coalesce(d.has, 0) END AS covered,
    d.observed_at, d.carried, h.reason AS held, here.away_at, here.home,
    ARRAY(SELECT x.kind FROM dose_exception x WHERE x.client_id = o.client_id AND x.dose_day = :day
          GROUP BY x.kind ORDER BY min(x.recorded_at)) AS unusual
FROM dose_order o
JOIN here ON here.id = o.episode_id
JOIN client c ON c.id = o.client_id
LEFT JOIN LATERAL (SELECT count(*) AS has, max(dose.portions) AS divided,
        max(s.at) FILTER (WHERE dose.kind = 'observed') AS observed_at, bool_or(dose.kind = 'take_home') AS carried
    FROM dose JOIN supply s ON s.id = dose.supply_id
    WHERE dose.client_id = o.client_id AND dose.dose_day = :day AND dose.voided_at IS NULL) d ON true
LEFT JOIN LATERAL (SELECT reason FROM hold WHERE hold.client_id = o.client_id AND released_at IS NULL
        AND days @> CAST(:day AS date) LIMIT 1) h ON true
WHERE o.voided_at IS NULL AND o.days @> CAST(:day AS date)
ORDER BY c.number, here.home
""")


@dataclass(frozen=True, repr=False)
class OnTheList:
    """A client with an order on the day, and what became of it so far."""

    client_id: ClientId
    number: str
    name: str
    mg: Decimal
    portions: int
    covered: int
    observed_at: datetime | None
    carried: bool
    held: str | None
    unusual: tuple[str, ...] = ()
    """The kinds of what was not as usual, in the order of the clock."""
    away_at: str | None = None
    """The code of the site at which they are a guest on this day."""
    home: str = ""
    """The code of a guest's home."""

    @property
    def shown_number(self) -> str:
        """The client's number; a guest's with the code of home, since numbers are each site's own."""
        return f"{self.number}@{self.home}" if self.home else self.number

    @property
    def state(self) -> str:
        """`away` (a guest elsewhere), `held`, `due`, `dosed` (observed today), or `at home` (covered by a bottle)."""
        if self.away_at:
            return "away"
        if self.covered >= self.portions:
            return "dosed" if self.observed_at else "at home"
        return "held" if self.held else "due"


def day_list(session: ReadSession, *, site_id: SiteId, day: date) -> list[OnTheList]:
    """Everybody of the site and its verified guests who have an order in force on this day, by client number."""
    rows = session.execute(_DAY_LIST, {"site": site_id, "day": day}).all()
    session.vault.know([row.client_id for row in rows])
    return [
        OnTheList(
            client_id=ClientId(row.client_id),
            number=row.number,
            name=session.vault.open("client.name", row.client_id, bytes(row.name_sealed)),
            mg=row.mg,
            portions=row.portions,
            covered=row.covered,
            observed_at=row.observed_at,
            carried=bool(row.carried),
            held=row.held,
            unusual=tuple(row.unusual),
            away_at=row.away_at,
            home=row.home,
        )
        for row in rows
    ]
