"""Reads of the take-home room: a client's history for an assessment, and which policy and decision are in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.takehome.carrying import DecisionLimits
from dispensary.takehome.history import COVERED, HELD, MISSED, NO_ORDER, OPEN, PARTLY, History, OpenAlert
from dispensary.takehome.measures import LONGEST_RECORD
from dispensary.takehome.models import Assessment, Decision, PolicyAdoption, PolicyVersion
from dispensary.units import ClientId, SiteId

# Who is in treatment on the day, and everything of their record but its days: one row each. Tables that belong to rooms
# above are read here by name.
_PEOPLE = """
WITH person AS MATERIALIZED (
    SELECT c.id AS client_id, c.lockbox, c.housing_stable, c.employed, c.health_stable, c.children_at_home, c.guardian,
        c.distance_km, e.id AS episode_id, e.began_on, s.id AS site_id,
        greatest(e.began_on, %(on)s::date - %(longest)s::int) AS record_from, s.zone, s.day_starts
    FROM client c
    JOIN episode e ON e.client_id = c.id AND e.began_on <= %(on)s AND (e.ended_on IS NULL OR e.ended_on > %(on)s)
    JOIN site s ON s.id = e.site_id
    WHERE {who}
), taking_back AS MATERIALIZED (
    -- The sites that take bottles back at all; where one does not, none is missing.
    SELECT s.site_id, EXISTS (SELECT FROM bottle_return r WHERE r.site_id = s.site_id
        AND r.returned_on BETWEEN %(on)s::date - %(longest)s::int AND %(on)s) AS does
    FROM (SELECT DISTINCT site_id FROM person) s
), unreturned AS (
    -- A bottle is due back at the first hand-over after its day.
    SELECT b.client_id, array_agg(DISTINCT b.dose_day ORDER BY b.dose_day) AS days
    FROM person p
    JOIN taking_back t ON t.site_id = p.site_id AND t.does
    CROSS JOIN LATERAL (SELECT max(s.dose_day) AS last_seen FROM supply s
        WHERE s.client_id = p.client_id AND s.voided_at IS NULL AND s.dose_day < %(on)s) seen
    JOIN bottle b ON b.client_id = p.client_id AND b.dose_id IS NOT NULL AND b.state NOT IN ('void', 'lost')
        AND b.dose_day >= p.record_from AND b.dose_day < seen.last_seen
    JOIN dose d ON d.id = b.dose_id AND d.voided_at IS NULL
    LEFT JOIN bottle_return r ON r.bottle_id = b.id AND r.returned_on <= %(on)s
    WHERE r.id IS NULL
    GROUP BY b.client_id
)
SELECT p.client_id, p.record_from, p.lockbox, p.housing_stable, p.employed, p.health_stable, p.children_at_home,
    p.guardian, p.distance_km, taking_back.does AS bottles_are_returned, unreturned.days AS unreturned_bottle_days,
    (SELECT array_agg(DISTINCT x.dose_day ORDER BY x.dose_day) FROM dose_exception x
        WHERE x.client_id = p.client_id AND x.kind = 'intoxicated' AND x.dose_day BETWEEN p.record_from AND %(on)s)
        AS intoxicated_days,
    (SELECT array_agg(r.closed_on ORDER BY r.closed_on)
        FROM (SELECT (closed_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date AS closed_on
              FROM recall WHERE client_id = p.client_id AND state = 'failed') r
        WHERE r.closed_on BETWEEN p.record_from AND %(on)s) AS failed_recalls,
    (SELECT array_agg(r.bring_by ORDER BY r.bring_by) FROM recall r
        WHERE r.client_id = p.client_id AND r.bring_by >= p.began_on AND r.bring_by < %(on)s
            AND (r.closed_at IS NULL
                OR (r.closed_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date > %(on)s))
        AS overdue_recalls,
    (SELECT max(t.done_on)
        FROM (SELECT (done_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date AS done_on
              FROM task WHERE client_id = p.client_id AND kind = 'review' AND done_by IS NOT NULL) t
        WHERE t.done_on BETWEEN p.began_on AND %(on)s) AS last_review_on,
    (SELECT max(d.agreement_signed_on) FROM decision d
        WHERE d.client_id = p.client_id AND d.episode_id = p.episode_id AND d.agreement_signed_on <= %(on)s)
        AS agreement_signed_on,
    (SELECT d.dose_day FROM dose d JOIN dose_order o ON o.id = d.order_id AND o.episode_id = p.episode_id
        WHERE d.client_id = p.client_id AND d.voided_at IS NULL AND d.dose_day BETWEEN p.began_on AND %(on)s
        ORDER BY d.dose_day LIMIT 1) AS first_dose_day,
    (SELECT min(lower(o.days)) FROM dose_order o
        WHERE o.client_id = p.client_id AND o.episode_id = p.episode_id AND o.voided_at IS NULL
            AND ordered.id IS NOT NULL AND lower(o.days) <= %(on)s AND lower(o.days) > coalesce((
                SELECT max(lower(other.days)) FROM dose_order other
                WHERE other.client_id = p.client_id AND other.episode_id = p.episode_id AND other.voided_at IS NULL
                    AND other.mg <> ordered.mg AND lower(other.days) <= %(on)s), '-infinity')) AS dose_stable_since,
    -- How somebody takes their HIV medicine, and that they asked for help, is met with help, and never costs them
    -- take-home.
    (SELECT jsonb_agg(jsonb_build_array(a.cause, a.severity, a.opened_on) ORDER BY a.opened_at, a.cause)
        FROM (SELECT cause, severity, opened_at, resolved_at,
                (opened_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date AS opened_on
              FROM alert WHERE alert.client_id = p.client_id AND alert.rule NOT IN ('adherence', 'viral-load')
                AND alert.cause <> 'needs help') a
        WHERE a.opened_on <= %(on)s AND (a.resolved_at IS NULL
            OR (a.resolved_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date > %(on)s)) AS open_alerts
FROM person p
JOIN taking_back ON taking_back.site_id = p.site_id
LEFT JOIN unreturned ON unreturned.client_id = p.client_id
LEFT JOIN dose_order ordered ON ordered.client_id = p.client_id AND ordered.episode_id = p.episode_id
    AND ordered.voided_at IS NULL AND ordered.days @> %(on)s::date
"""

# What the days before became when they closed: a row a client with three strings of bits, one bit a day, the leftmost
# for the first day that an assessment may read. Rows need no order and are no text then, which is what costs time.
_CLOSED = """
SELECT o.client_id,
    bit_or('1'::bit({longest}) >> (o.dose_day - %(first)s::date)) FILTER (WHERE o.outcome IN ('observed', 'take_home')),
    bit_or('1'::bit({longest}) >> (o.dose_day - %(first)s::date)) FILTER (WHERE o.outcome = 'missed'),
    bit_or('1'::bit({longest}) >> (o.dose_day - %(first)s::date)) FILTER (WHERE o.outcome = 'held')
FROM day_as_known o
WHERE {who} AND o.dose_day >= %(first)s AND o.dose_day < %(on)s
GROUP BY o.client_id
"""
_IN_TREATMENT = """o.client_id IN (SELECT e.client_id FROM episode e
    WHERE e.site_id = %(who)s AND e.began_on <= %(on)s AND (e.ended_on IS NULL OR e.ended_on > %(on)s))"""

_OF_ONE = (_PEOPLE.format(who="c.id = %(who)s"), _CLOSED.format(who="o.client_id = %(who)s", longest=LONGEST_RECORD))
_OF_ALL = (_PEOPLE.format(who="e.site_id = %(who)s"), _CLOSED.format(who=_IN_TREATMENT, longest=LONGEST_RECORD))

# Of a day that has not closed: what was given for it, and whether anything was ordered.
_GIVEN = """
SELECT d.client_id, d.dose_day, count(*) = max(d.portions)
FROM unnest(%(clients)s::uuid[], %(firsts)s::date[], %(lasts)s::date[]) AS gap(client_id, first_day, last_day)
JOIN dose d ON d.client_id = gap.client_id AND d.dose_day BETWEEN gap.first_day AND gap.last_day
WHERE d.voided_at IS NULL
GROUP BY d.client_id, d.dose_day
"""
_ORDERED = """
SELECT o.client_id, greatest(lower(o.days), gap.first_day), least(upper(o.days) - 1, gap.last_day)
FROM unnest(%(clients)s::uuid[], %(firsts)s::date[], %(lasts)s::date[]) AS gap(client_id, first_day, last_day)
JOIN dose_order o ON o.client_id = gap.client_id AND o.voided_at IS NULL
    AND o.days && daterange(gap.first_day, gap.last_day, '[]')
"""

# Three bits a day: covered is 1, missed 2, held 4. A day with a covered portion and a missed one was covered in part.
_LETTERS = str.maketrans("01234567", NO_ORDER + COVERED + MISSED + PARTLY + HELD + COVERED + MISSED + PARTLY)


def history_of(session: ReadSession, client_id: ClientId, on: date) -> History | None:
    """The client's record up to the day before; nothing when they are in no episode on the day."""
    return _histories(session, on, client_id, _OF_ONE).get(client_id)


def history_of_all(session: ReadSession, site_id: SiteId, on: date) -> dict[ClientId, History]:
    """The records of everybody who is in an episode at the site on the day, read at once.

    Each is what `history_of` reads of that client.
    """
    return _histories(session, on, site_id, _OF_ALL)


def _histories(session: ReadSession, on: date, who: UUID, statements: tuple[str, str]) -> dict[ClientId, History]:
    people, closed = statements
    asked = {"who": who, "on": on, "longest": LONGEST_RECORD}
    cursor = session.run(people, asked)
    names = [column.name for column in cursor.description or ()]
    rows: dict[ClientId, dict[str, Any]] = {ClientId(row[0]): dict(zip(names, row, strict=True)) for row in cursor}
    first = on - timedelta(days=LONGEST_RECORD)
    frozen = {row[0]: _letters(*row[1:]) for row in session.run(closed, {"who": who, "on": on, "first": first})}
    nothing = NO_ORDER * LONGEST_RECORD
    records = {client: frozen.get(client, nothing)[(row["record_from"] - first).days :] for client, row in rows.items()}
    _fill(session, records, on)
    return {client: _history(row, records[client]) for client, row in rows.items()}


def _letters(covered: str | None, missed: str | None, held: str | None) -> str:
    # Each row of bits is read as a number of so many hexadecimal digits, so that the three of a day add up in a digit.
    digits = int(covered or "0", 16) | int(missed or "0", 16) << 1 | int(held or "0", 16) << 2
    return f"{digits:0{LONGEST_RECORD}x}".translate(_LETTERS)


def _fill(session: ReadSession, records: dict[ClientId, str], on: date) -> None:
    """Days that did not close count by the doses that were given for them, and are open where something was ordered.

    When the night has closed the day before, hardly anybody has such a day, and hardly anything is read.
    """
    gaps = {client: record for client, record in records.items() if NO_ORDER in record}
    if not gaps:
        return
    began = {client: on - timedelta(days=len(record)) for client, record in gaps.items()}
    asked = {
        "clients": list(gaps),
        "firsts": [began[client] + timedelta(days=record.index(NO_ORDER)) for client, record in gaps.items()],
        "lasts": [began[client] + timedelta(days=record.rindex(NO_ORDER)) for client, record in gaps.items()],
    }
    filled = {client: list(record) for client, record in gaps.items()}
    for client, day, whole in session.run(_GIVEN, asked):
        _put(filled[client], (day - began[client]).days, COVERED if whole else PARTLY)
    for client, day, last in session.run(_ORDERED, asked):
        for at in range((day - began[client]).days, (last - began[client]).days + 1):
            _put(filled[client], at, OPEN)
    records.update((client, "".join(letters)) for client, letters in filled.items())


def _put(letters: list[str], at: int, letter: str) -> None:
    if letters[at] == NO_ORDER:
        letters[at] = letter


def _history(row: Mapping[str, Any], record: str) -> History:
    return History(
        first_dose_day=row["first_dose_day"],
        record_from=row["record_from"],
        record=record,
        dose_stable_since=row["dose_stable_since"],
        lockbox=row["lockbox"],
        housing_stable=row["housing_stable"],
        employed=row["employed"],
        health_stable=row["health_stable"],
        open_alerts=tuple(OpenAlert(c, s, date.fromisoformat(day)) for c, s, day in row["open_alerts"] or ()),
        children_at_home=row["children_at_home"],
        guardian=row["guardian"],
        distance_km=row["distance_km"],
        intoxicated_days=tuple(row["intoxicated_days"] or ()),
        failed_recalls=tuple(row["failed_recalls"] or ()),
        overdue_recalls=tuple(row["overdue_recalls"] or ()),
        bottles_are_returned=True if row["bottles_are_returned"] else None,
        unreturned_bottle_days=tuple(row["unreturned_bottle_days"] or ()),
        last_review_on=row["last_review_on"],
        agreement_signed_on=row["agreement_signed_on"],
    )


def policy_of(session: ReadSession, site_id: SiteId, day: date) -> PolicyVersion | None:
    """The version of a policy that the site follows on this day."""
    return session.scalar(
        select(PolicyVersion)
        .join(PolicyAdoption, PolicyAdoption.policy_version_id == PolicyVersion.id)
        .where(PolicyAdoption.site_id == site_id, PolicyAdoption.days.contains(day))
    )


def decision_on(session: ReadSession, client_id: ClientId, day: date) -> Decision | None:
    """The take-home decision that is in force for the client on the day of a hand-over."""
    return session.scalar(
        select(Decision).where(
            Decision.client_id == client_id, Decision.voided_at.is_(None), Decision.days.contains(day)
        )
    )


def decisions_of(session: ReadSession, client_id: ClientId) -> Sequence[Decision]:
    """Every take-home decision on the client, the newest first, those that were set aside too."""
    return session.scalars(
        select(Decision).where(Decision.client_id == client_id).order_by(Decision.decided_at.desc(), Decision.id.desc())
    ).all()


def limits_of(decision: Decision) -> DecisionLimits:
    """What a decision allows, as the counter's rule takes it."""
    weekdays = frozenset(decision.weekdays) if decision.weekdays else None
    return DecisionLimits(
        decision.per_supply, decision.per_week, decision.closed_days_apart, decision.consecutive, weekdays
    )


def last_assessment(session: ReadSession, client_id: ClientId) -> Assessment | None:
    """The assessment of the client that was made last."""
    return session.scalar(
        select(Assessment)
        .where(Assessment.client_id == client_id)
        .order_by(Assessment.made_at.desc(), Assessment.id.desc())
        .limit(1)
    )
