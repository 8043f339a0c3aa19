"""How many alerts of health a site opens, how soon they are read and closed, and which rules nobody heeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.units import SiteId


@dataclass(frozen=True)
class RoleLoad:
    """What came to a role in the time: how many alerts, and on how many people they fell."""

    role: str
    opened: int
    people: int
    days: int

    @property
    def per_person_and_day(self) -> Decimal | None:
        """Alerts on one person of the role a day; nothing where nobody has the role."""
        if not self.people:
            return None
        return (Decimal(self.opened) / (self.people * self.days)).quantize(Decimal("0.01"))


@dataclass(frozen=True)
class DayLoad:
    """A day on which alerts were opened: how many for each role, and for one doctor of those who work here."""

    day: date
    doctor: int
    nurse: int
    pharmacist: int


@dataclass(frozen=True)
class Response:
    """How long alerts of a severity, or of a rule, waited. A time is of those that somebody read, or closed, at all."""

    of: str
    opened: int
    read: int
    closed: int
    """By somebody; what was over by itself has waited for nobody."""
    passed_on: int
    read_median: timedelta | None
    read_p95: timedelta | None
    """19 of 20 were read within this."""
    closed_median: timedelta | None
    closed_p95: timedelta | None


ENOUGH_CLOSED = 5
"""Of fewer answers nothing is said about a rule. A parameter of the product, not of medicine."""
UNHEEDED_PERCENT = 80
"""From this share of dismissals on, a rule is said to be heeded by nobody."""


@dataclass(frozen=True)
class RuleLoad:
    """What became of the alerts of one rule."""

    rule: str
    opened: int
    closed: int
    dismissed: int

    @property
    def dismissed_percent(self) -> int | None:
        """Of those that were closed, how many in a hundred were not worth acting on; nothing where none was closed."""
        return round(Decimal(100) * self.dismissed / self.closed) if self.closed else None

    @property
    def is_unheeded(self) -> bool:
        """Whether nearly everything that it says is dismissed, so that it wants to be mended."""
        return self.closed >= ENOUGH_CLOSED and 100 * self.dismissed >= UNHEEDED_PERCENT * self.closed


@dataclass(frozen=True)
class Load:
    """All of it, of the alerts that were opened in the time."""

    roles: Sequence[RoleLoad]
    days: Sequence[DayLoad]
    """The newest first; days without an alert are left out."""
    by_severity: Sequence[Response]
    by_rule: Sequence[Response]
    rules: Sequence[RuleLoad]

    @property
    def unheeded(self) -> list[RuleLoad]:
        return [each for each in self.rules if each.is_unheeded]


_OPENED = "FROM alert WHERE site_id = :site AND rule <> '' AND opened_at >= :since AND opened_at <= :until"

_ROLES = text(f"""
SELECT r.role, coalesce(o.opened, 0) AS opened, coalesce(w.people, 0) AS people
FROM (VALUES ('doctor'), ('nurse'), ('pharmacist')) AS r (role)
LEFT JOIN (SELECT role, count(*) AS opened {_OPENED} GROUP BY role) o ON o.role = r.role
LEFT JOIN (SELECT g.role, count(*) AS people FROM role_grant g JOIN account a ON a.id = g.account_id
    WHERE g.site_id = :site AND a.left_at IS NULL GROUP BY g.role) w ON w.role = r.role
""")

_DAYS = text(f"""
SELECT CAST(opened_at AT TIME ZONE :zone AS date) AS day, count(*) FILTER (WHERE role = 'doctor') AS doctor,
    count(*) FILTER (WHERE role = 'nurse') AS nurse, count(*) FILTER (WHERE role = 'pharmacist') AS pharmacist
{_OPENED} GROUP BY 1 ORDER BY 1 DESC
""")

_RESPONSES = """
SELECT {of} AS of, count(*) AS opened, count(read_at) AS read, count(resolved_by) AS closed,
    count(escalated_at) AS passed_on,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY read_at - opened_at) AS read_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY read_at - opened_at) AS read_p95,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_at - opened_at) FILTER (WHERE resolved_by IS NOT NULL)
        AS closed_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY resolved_at - opened_at) FILTER (WHERE resolved_by IS NOT NULL)
        AS closed_p95
{opened} GROUP BY {of} ORDER BY {order}
"""
_BY_SEVERITY = text(_RESPONSES.format(of="severity", opened=_OPENED, order="severity = 'urgent' DESC, severity"))
_BY_RULE = text(_RESPONSES.format(of="rule", opened=_OPENED, order="count(*) DESC, rule"))

_RULES = text(f"""
SELECT rule, count(*) AS opened, count(resolved_by) AS closed, count(*) FILTER (WHERE dismissed) AS dismissed
{_OPENED} GROUP BY rule ORDER BY count(*) FILTER (WHERE dismissed) DESC, count(*) DESC, rule
""")


def alert_load(session: ReadSession, *, site_id: SiteId, zone: str, at: datetime, days: int) -> Load:
    """The load of the last `days` days up to a moment, of alerts of health alone: it names no client."""
    asked = {"site": site_id, "zone": zone, "since": at - timedelta(days=days), "until": at}
    return Load(
        roles=[RoleLoad(row.role, row.opened, row.people, days) for row in session.execute(_ROLES, asked)],
        days=[DayLoad(*row) for row in session.execute(_DAYS, asked)],
        by_severity=[Response(*row) for row in session.execute(_BY_SEVERITY, asked)],
        by_rule=[Response(*row) for row in session.execute(_BY_RULE, asked)],
        rules=[RuleLoad(*row) for row in session.execute(_RULES, asked)],
    )
