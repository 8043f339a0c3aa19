"""Reads, in one statement, everything that decides whether a supply may leave: the `Moment` of rules.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import scheduling.queries
from dispensary.database import ReadSession
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.rules import JumpGuard
from dispensary.prescribing.sections import Topic
from dispensary.supplies.absence import Reduced
from dispensary.supplies.elsewhere import Elsewhere
from dispensary.supplies.flags_rules import FlagKind, Stop
from dispensary.supplies.rules import LONGEST_SUPPLY, Moment, OrderInForce
from dispensary.takehome.models import Decision
from dispensary.takehome.queries import decision_on, limits_of
from dispensary.units import ClientId, DoseDay, Milligrams, SiteId

# Amounts travel as text inside JSON, since a JSON number would become a float.
_READ = """
SELECT h.jump_percent, h.jump_mg, h.missed_days_ask, latest.dose_day AS last_day, whole.dose_day AS whole_day,
    coalesce(whole.mg, latest.mg) AS last_mg,
    EXISTS (SELECT 1 FROM day_close WHERE site_id = s.id AND dose_day = %(today)s) AS day_closed,
    (SELECT jsonb_agg(jsonb_build_array(o.id, lower(o.days), upper(o.days), o.portions::text[],
        least(lower(o.days), (o.ordered_at AT TIME ZONE h.zone - (h.day_starts - time '00:00'))::date), o.places))
       FROM dose_order o WHERE o.client_id = %(client)s AND o.voided_at IS NULL
        AND o.days && daterange(%(today)s, %(last)s, '[]')) AS orders,
    (SELECT jsonb_agg(jsonb_build_array(d.dose_day, d.portion, d.portions))
       FROM dose d WHERE d.client_id = %(client)s AND d.voided_at IS NULL
        AND d.dose_day BETWEEN %(today)s AND %(last)s) AS covered,
    (SELECT jsonb_agg(jsonb_build_array(lower(h.days), upper(h.days), h.reason))
       FROM hold h WHERE h.client_id = %(client)s AND h.released_at IS NULL
        AND h.days && daterange(%(today)s, %(last)s, '[]')) AS holds,
    (SELECT e.id FROM episode e WHERE e.client_id = %(client)s AND e.began_on <= %(today)s
        AND (e.ended_on IS NULL OR e.ended_on > %(today)s)) AS episode_id,
    (SELECT jsonb_build_array(r.mg::text, r.from_day, r.ruling #>> '{figures,missed}')
       FROM reduction r WHERE r.client_id = %(client)s AND r.ended_at IS NULL) AS reduction,
    (SELECT jsonb_agg(x.dose_day ORDER BY x.dose_day) FROM dose_exception x
        WHERE x.client_id = %(client)s AND x.closed_at IS NULL AND x.blocks) AS blocked,
    EXISTS (SELECT 1 FROM dose_exception x WHERE x.client_id = %(client)s AND x.dose_day = %(today)s
        AND x.closed_at IS NULL AND NOT x.blocks) AS waits,
    EXISTS (SELECT 1 FROM dose_exception x WHERE x.client_id = %(client)s AND x.dose_day = %(today)s
        AND x.kind = 'intoxicated') AS withheld,
    (SELECT jsonb_agg(jsonb_build_array(f.id, f.kind, f.sentence, lower(f.days), upper(f.days),
            coalesce(a.name, f.owner_role)) ORDER BY f.kind, f.set_at)
       FROM stop_flag f LEFT JOIN account a ON a.id = f.owner_id
       WHERE f.client_id = %(client)s AND f.cleared_at IS NULL AND f.kind <> 'say_first'
        AND f.days && daterange(%(today)s, %(last)s, '[]')) AS stops,
    earlier.id AS earlier_id, earlier.request_sha256 AS earlier_request, earlier.answer AS earlier_answer,
    h.id AS home_id, h.code AS home_code,
    (SELECT jsonb_agg(jsonb_build_array(g.guest_site_id, there.code, lower(g.days), upper(g.days), g.bottles))
       FROM guest_stay g JOIN site there ON there.id = g.guest_site_id
       WHERE g.client_id = c.id AND g.verified_at IS NOT NULL
        AND g.days && daterange(%(today)s, %(last)s, '[]')) AS stays,
    CASE WHEN %(carries)s THEN (SELECT jsonb_agg(jsonb_build_array(d.dose_day, d.closed_day))
       FROM dose d WHERE d.client_id = %(client)s AND d.kind = 'take_home' AND d.voided_at IS NULL
        AND d.dose_day >= date_trunc('week', %(today)s)::date) END AS carried
FROM site s
JOIN client c ON c.id = %(client)s
JOIN site h ON h.id = c.site_id
LEFT JOIN LATERAL (SELECT d.dose_day, o.mg FROM dose d JOIN dose_order o ON o.id = d.order_id
    WHERE d.client_id = %(client)s AND d.voided_at IS NULL AND d.dose_day < %(today)s
    ORDER BY d.dose_day DESC LIMIT 1) latest ON true
LEFT JOIN LATERAL (SELECT d.dose_day, sum(d.mg) + coalesce((SELECT sum(x.mg) FROM extra_dose x
        WHERE x.client_id = %(client)s AND x.dose_day = d.dose_day AND x.kind = 'top_up' AND x.voided_at IS NULL), 0)
        AS mg
    FROM dose d
    WHERE d.client_id = %(client)s AND d.voided_at IS NULL AND d.dose_day <= latest.dose_day AND NOT EXISTS (
        SELECT 1 FROM dose_exception x WHERE x.dose_id = d.id AND x.kind IN ('partly_taken', 'wrong_dose'))
    GROUP BY d.dose_day HAVING count(*) = max(d.portions) ORDER BY d.dose_day DESC LIMIT 1) whole ON true
LEFT JOIN supply earlier ON earlier.site_id = s.id AND earlier.key = %(key)s
WHERE s.id = %(site)s
"""


class _Found(NamedTuple):
    """What `_READ` answers, in its order."""

    jump_percent: int
    jump_mg: Milligrams
    missed_days_ask: int
    last_day: DoseDay | None
    whole_day: DoseDay | None
    last_mg: Decimal | None
    day_closed: bool
    orders: list[list[Any]] | None
    covered: list[list[Any]] | None
    holds: list[list[Any]] | None
    episode_id: UUID | None
    reduction: list[Any] | None
    blocked: list[str] | None
    waits: bool
    withheld: bool
    stops: list[list[Any]] | None
    earlier_id: UUID | None
    earlier_request: bytes
    earlier_answer: dict[str, Any]
    home_id: SiteId
    home_code: str
    stays: list[list[Any]] | None
    carried: list[list[Any]] | None


@dataclass(frozen=True)
class Earlier:
    """A supply that was recorded before under the same key."""

    supply_id: UUID
    request_sha256: bytes
    answer: dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """The moment, the decision that its limits come from, and an earlier supply under the same key."""

    home_id: SiteId
    """Whose client this is: whose prescribers are called, whose guideline is followed."""
    moment: Moment
    episode_id: UUID | None
    decision: Decision | None
    earlier: Earlier | None


def read_moment(
    session: ReadSession,
    *,
    site_id: SiteId,
    client_id: ClientId,
    today: DoseDay,
    days: Iterable[DoseDay] = (),
    key: str = "",
) -> Reading:
    """Reads the moment for today and these take-home days. Lock the client first when something follows from it.

    Days beyond the longest supply are left out: nothing leaves for them, and somebody may ask for the year 9999. The
    guards and the guideline are those of the client's home; the closed days those of this site, where they come.
    """
    farthest = DoseDay(today + timedelta(days=LONGEST_SUPPLY))
    ahead = sorted(day for day in days if day <= farthest)
    last = max([today, *ahead])
    values = {"site": site_id, "client": client_id, "today": today, "last": last, "key": key, "carries": bool(ahead)}
    row = session.run(_READ, values).fetchone()
    assert row is not None, "somebody is signed in at this site"
    found = _Found._make(row)
    decision = decision_on(session, client_id, today) if ahead else None
    orders = _orders(found.orders or [], today, last)
    elsewhere = _elsewhere(found, site_id, today, last)
    absent = found.last_day is not None and (today - found.last_day).days > 1
    moment = Moment(
        today=today,
        orders=orders,
        covered=_covered(found.covered or [], orders),
        held=_by_day(found.holds or [], today, last),
        last_covered=found.last_day,
        last_mg=found.last_mg,
        last_whole=found.whole_day,
        guard=JumpGuard(found.jump_percent, found.jump_mg),
        missed_days_ask=found.missed_days_ask,
        limits=limits_of(decision) if decision else None,
        carried=_carried(found.carried or [], apart=bool(decision and decision.closed_days_apart)),
        closed_days=_closed_days(session, site_id, today, last, decision) if ahead else frozenset(),
        day_closed=found.day_closed,
        reduction=_reduced(found.reduction),
        guideline=guideline_of(session, found.home_id, Topic.MISSED, today) if absent else None,
        day_of_treatment=day_of_treatment(session, client_id=client_id, on=today) if absent else None,
        blocked=tuple(DoseDay(date.fromisoformat(day)) for day in found.blocked or ()),
        waits=found.waits,
        withheld=found.withheld,
        stops=_stops(found.stops or []),
        elsewhere=elsewhere,
        observed_only=any(str(site_id) == there and not bottles for there, *_, bottles in found.stays or ()),
    )
    earlier = (
        Earlier(found.earlier_id, bytes(found.earlier_request), found.earlier_answer) if found.earlier_id else None
    )
    return Reading(found.home_id, moment, found.episode_id, decision, earlier)


def _elsewhere(found: _Found, site_id: SiteId, first: date, last: date) -> dict[DoseDay, Elsewhere]:
    """The days whose doses another site gives: where the client is a guest, or their home."""
    away: dict[DoseDay, Elsewhere] = {}
    if found.home_id != site_id:
        home = Elsewhere(found.home_code, is_home=True)
        away = dict.fromkeys(_each_day(first.isoformat(), None, first, last), home)
    for there, code, begins, ends, _ in found.stays or ():
        for day in _each_day(begins, ends, first, last):
            if there == str(site_id):
                del away[day]
            else:
                until = date.fromisoformat(ends)
                away[day] = Elsewhere(code, until=until if until < date.max else None)
    return away


def _each_day(begins: str, ends: str | None, first: date, last: date) -> Iterable[DoseDay]:
    day = max(date.fromisoformat(begins), first)
    stop = min(date.fromisoformat(ends), last + timedelta(days=1)) if ends else last + timedelta(days=1)
    while day < stop:
        yield DoseDay(day)
        day += timedelta(days=1)


def _orders(rows: list[list[Any]], first: date, last: date) -> dict[DoseDay, OrderInForce]:
    orders = {}
    for order_id, begins, ends, portions, ordered_on, places in rows:
        order = OrderInForce(
            order_id=UUID(order_id),
            portions=tuple(Milligrams(Decimal(part)) for part in portions),
            begins=date.fromisoformat(begins),
            ordered_on=date.fromisoformat(ordered_on),
            places=tuple(places) if places else None,
        )
        orders.update(dict.fromkeys(_each_day(begins, ends, first, last), order))
    return orders


def _by_day(rows: list[list[Any]], first: date, last: date) -> dict[DoseDay, str]:
    return {day: reason for begins, ends, reason in rows for day in _each_day(begins, ends, first, last)}


def _covered(rows: list[list[Any]], orders: Mapping[DoseDay, OrderInForce]) -> dict[DoseDay, frozenset[int]]:
    """The portions that the client has. A day covered before its dose was divided otherwise is covered wholly."""
    has: dict[DoseDay, set[int]] = defaultdict(set)
    for text_of_day, portion, portions in rows:
        day = DoseDay(date.fromisoformat(text_of_day))
        has[day].add(portion)
        if day in orders and len(orders[day].portions) != portions:
            has[day].update(range(1, len(orders[day].portions) + 1))
    return {day: frozenset(those) for day, those in has.items()}


def _stops(rows: list[list[Any]]) -> tuple[Stop, ...]:
    return tuple(
        Stop(
            UUID(flag_id),
            FlagKind(kind),
            sentence,
            date.fromisoformat(first),
            date.fromisoformat(until) if until else None,
            owner,
        )
        for flag_id, kind, sentence, first, until, owner in rows
    )


def _reduced(row: list[Any] | None) -> Reduced | None:
    if row is None:
        return None
    mg, from_day, missed = row
    return Reduced(Milligrams(Decimal(mg)), date.fromisoformat(from_day), int(missed or 0))


_TREATMENT_DAY = """
SELECT %(on)s::date - d.dose_day + 1 FROM episode e
JOIN dose d ON d.client_id = e.client_id AND d.dose_day >= e.began_on AND d.dose_day <= %(on)s AND d.voided_at IS NULL
WHERE e.client_id = %(client)s AND e.began_on <= %(on)s AND (e.ended_on IS NULL OR e.ended_on > %(on)s)
ORDER BY d.dose_day LIMIT 1
"""


def day_of_treatment(session: ReadSession, *, client_id: ClientId, on: date) -> int | None:
    """Which day of the stay this is, the first dose day being the first; nothing before a first dose."""
    row = session.run(_TREATMENT_DAY, {"client": client_id, "on": on}).fetchone()
    return int(row[0]) if row else None


def _closed_days(
    session: ReadSession, site_id: SiteId, today: date, last: date, decision: Decision | None
) -> frozenset[DoseDay]:
    """Closed days from today on; of each run the first few alone, where the decision keeps no more apart."""
    most = decision.closed_days_in_a_row if decision else None
    since = today if most is None else today - timedelta(days=LONGEST_SUPPLY)
    closed = scheduling.queries.closed_days(session, site_id, since, last)
    return frozenset(DoseDay(day) for day in _first_of_runs(closed, most) if day >= today)


def _first_of_runs(days: Collection[date], most: int | None) -> frozenset[date]:
    """Of each run of consecutive days the first `most`; all of them when there is no such limit."""
    if most is None:
        return frozenset(days)
    kept: set[date] = set()
    run, before = 0, None
    for day in sorted(set(days)):
        run = run + 1 if before is not None and day - before == timedelta(days=1) else 1
        before = day
        if run <= most:
            kept.add(day)
    return frozenset(kept)


def _carried(rows: list[list[Any]], *, apart: bool) -> frozenset[DoseDay]:
    """The days of this week on that bottles were handed over for; without closed days, where those count apart."""
    return frozenset(DoseDay(date.fromisoformat(day)) for day, closed in rows if not (closed and apart))
