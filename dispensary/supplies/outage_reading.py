"""What the record has about a line of paper: what was in force then, what was closed or entered since, who gave it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.models import Episode
from dispensary.database import ReadSession
from dispensary.refusals import Refusal
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.permission_rules import roles_for
from dispensary.staff.permissions import own_of
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.absence import Reduced
from dispensary.supplies.flags_rules import FlagKind, Stop
from dispensary.supplies.outage_rules import PaperLine, ThenInForce
from dispensary.supplies.rules import DosePlan
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, SiteId

_HELD = """
SELECT day, h.reason FROM unnest(%(days)s::date[]) AS day
JOIN hold h ON h.client_id = %(client)s AND h.days @> day AND h.placed_at <= %(at)s
    AND (h.released_at IS NULL OR h.released_at > %(at)s)
"""
_BLOCKED = """
SELECT dose_day FROM dose_exception WHERE client_id = %(client)s AND blocks AND recorded_at <= %(at)s
    AND (closed_at IS NULL OR closed_at > %(at)s) AND dose_day <= %(last)s ORDER BY dose_day
"""
_STOPS = """
SELECT f.id, f.kind, f.sentence, lower(f.days), upper(f.days), coalesce(a.name, f.owner_role)
FROM stop_flag f LEFT JOIN account a ON a.id = f.owner_id
WHERE f.client_id = %(client)s AND f.kind <> 'say_first' AND f.set_at <= %(at)s
    AND (f.cleared_at IS NULL OR f.cleared_at > %(at)s) ORDER BY f.kind, f.set_at
"""
_AGREED = """
SELECT mg, from_day FROM reduction WHERE client_id = %(client)s AND recorded_at <= %(at)s
    AND (ended_at IS NULL OR ended_at > %(at)s) AND from_day <= %(last)s ORDER BY mg LIMIT 1
"""
_BEFORE = """
SELECT a.initials, e.recorded_at FROM late_entry e JOIN supply s ON s.id = e.supply_id
JOIN account a ON a.id = e.recorded_by
WHERE s.client_id = %(client)s AND s.at = %(at)s AND s.dose_day = %(day)s AND s.voided_at IS NULL
ORDER BY e.recorded_at LIMIT 1
"""
_CLOSED = """
SELECT o.dose_day, o.portion, k.outcome FROM day_outcome o JOIN day_as_known k USING (client_id, dose_day, portion)
WHERE o.client_id = %(client)s AND o.dose_day = ANY(%(days)s)
"""
_CHANGED = """
SELECT id FROM dose_order WHERE id = ANY(%(orders)s) AND ordered_at > %(at)s AND origin <> 'import'
"""


@dataclass(frozen=True)
class Then:
    """What was in force at the time on the paper."""

    in_force: ThenInForce
    agreed: Reduced | None
    """Less than the order, as agreed by telephone before."""

    @property
    def refusals(self) -> list[Refusal]:
        """What stood in the way then, in the words of the counter."""
        held = [Refusal("held", f"The prescriber held the dose of {day}: {why}") for day, why in self._held]
        blocked = [
            Refusal("review-first", f"Another dose than ordered was given on {day}, and was not reviewed by then.")
            for day in self.in_force.blocked
        ]
        return [*held, *blocked]

    @property
    def _held(self) -> list[tuple[DoseDay, str]]:
        return sorted(self.in_force.held.items())


def then_in_force(session: ReadSession, *, line: PaperLine) -> Then:
    """Reads it under the client's lock."""
    days = [line.day, *line.bottle_days]
    asked = {"client": line.client_id, "at": line.at, "days": days, "last": max(days)}
    held = {DoseDay(day): reason for day, reason in session.run(_HELD, asked)}
    blocked = tuple(DoseDay(day) for (day,) in session.run(_BLOCKED, asked))
    stops = tuple(Stop(row[0], FlagKind(row[1]), *row[2:]) for row in session.run(_STOPS, asked))
    agreed = session.run(_AGREED, asked).fetchone()
    reduced = Reduced(Milligrams(Decimal(agreed[0])), agreed[1], 0) if agreed else None
    return Then(ThenInForce(held, stops, blocked), reduced)


def closed_portions(session: ReadSession, client_id: ClientId, plans: Sequence[DosePlan]) -> list[DosePlan]:
    """Those of the doses whose day has closed without them."""
    closed = {(day, portion) for day, portion, _ in _closed(session, client_id, {plan.day for plan in plans})}
    return [plan for plan in plans if (plan.day, plan.portion) in closed]


def _closed(session: ReadSession, client_id: ClientId, days: Collection[date]) -> list[tuple[date, int, str]]:
    return list(session.run(_CLOSED, {"client": client_id, "days": sorted(days)}).fetchall()) if days else []


def conflicts_in_record(session: ReadSession, line: PaperLine, plans: Sequence[DosePlan]) -> list[Refusal]:
    """What the record says against the line that no rule of the counter does: entered before, closed, ordered since."""
    found = []
    asked = {"client": line.client_id, "at": line.at, "day": line.day}
    if before := session.run(_BEFORE, asked).fetchone():
        found.append(
            Refusal("entered-before", f"A line of this client, day and time was entered before, by {before[0]}.")
        )
    planned = {(plan.day, plan.portion) for plan in plans}
    for day, portion, outcome in sorted(_closed(session, line.client_id, {plan.day for plan in plans})):
        if (day, portion) in planned:
            found.append(Refusal("day-closed", f"{day} has closed since, as {outcome}."))
    later = {row[0] for row in session.run(_CHANGED, {"orders": [p.order_id for p in plans], "at": line.at})}
    changed = sorted({plan.day for plan in plans if plan.order_id in later})
    found += [Refusal("order-changed", f"The order for {day} was written after this was given.") for day in changed]
    return found


def episode_then(session: ReadSession, line: PaperLine) -> UUID | None:
    """The client's last stay that had begun by then, where none was in force on the day; nothing when there is none."""
    return session.scalar(
        select(Episode.id)
        .where(Episode.client_id == line.client_id, Episode.began_on <= line.day)
        .order_by(Episode.began_on.desc())
        .limit(1)
    )


@dataclass(frozen=True)
class Giver:
    """Who handed it over, or why that cannot have been."""

    actor: Actor | None
    faults: tuple[Refusal, ...] = ()


def givers(session: ReadSession, *, site_id: SiteId) -> list[tuple[AccountId, str]]:
    """Whoever may hand over at the site or might when the paper was written, by name: those who left are among them."""
    roles = sorted(roles_for(Act.DISPENSE, own_of(session, site_id)))
    rows = session.execute(
        select(Account.id, Account.name)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.site_id == site_id, RoleGrant.role.in_(roles))
        .distinct()
        .order_by(Account.name, Account.id)
    )
    return [(AccountId(id_), name) for id_, name in rows]


def giver_of(session: ReadSession, actor: Actor, line: PaperLine) -> Giver:
    """Who handed it over by the paper, as somebody who acts. It may be whoever enters it."""
    faults = []
    if line.given_by not in {id_ for id_, _ in givers(session, site_id=actor.site_id)}:
        faults.append(
            Refusal("no-giver", "It is not said who of this site gave it.", "Choose who signed.", field="given_by")
        )
    if line.witnessed_by is not None and line.witnessed_by == line.given_by:
        faults.append(
            Refusal("own-witness", "Nobody is their own witness.", "Choose who else saw it.", field="witnessed_by")
        )
    account = session.get(Account, line.given_by) if line.given_by and not faults else None
    if account is None:
        return Giver(None, tuple(faults))
    return Giver(Actor(account.id, actor.site_id, frozenset(), account.name, account.initials))
