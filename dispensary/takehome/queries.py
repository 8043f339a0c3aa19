"""Reads of the take-home room: a client's history for an assessment, and which policy and decision are in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import TextClause, select, text

from dispensary.database import ReadSession
from dispensary.takehome.history import COVERED, HELD, MISSED, NO_ORDER, OPEN, PARTLY, History, OpenAlert
from dispensary.takehome.models import Assessment, Decision, PolicyAdoption, PolicyVersion
from dispensary.takehome.policy import LONGEST_RECORD
from dispensary.takehome.rules import DecisionLimits
from dispensary.units import ClientId, SiteId

# Everybody's record in one statement. A closed day is what it was frozen as; a day that is still open counts by the
# doses that were given for it. The dose table belongs to the room above, so that its rows are read here by name.
_HISTORIES = """
WITH person AS (
    SELECT c.id AS client_id, c.lockbox, c.housing_stable, c.employed, c.health_stable, e.id AS episode_id, e.began_on,
        greatest(e.began_on, CAST(:on AS date) - CAST(:longest AS int)) AS record_from, s.zone, s.day_starts
    FROM client c
    JOIN episode e ON e.client_id = c.id AND e.began_on <= :on AND (e.ended_on IS NULL OR e.ended_on > :on)
    JOIN site s ON s.id = e.site_id
    WHERE {who}
), closed AS (
    SELECT o.client_id, o.dose_day,
        CASE WHEN bool_or(o.outcome IN ('observed', 'take_home'))
                THEN CASE WHEN bool_or(o.outcome = 'missed') THEN :partly ELSE :covered END
             WHEN bool_or(o.outcome = 'missed') THEN :missed ELSE :held END AS letter
    FROM day_outcome o JOIN person p ON p.client_id = o.client_id
    WHERE o.dose_day >= p.record_from AND o.dose_day < :on
    GROUP BY o.client_id, o.dose_day
), given AS (
    SELECT d.client_id, d.dose_day, CASE WHEN count(*) = max(d.portions) THEN :covered ELSE :partly END AS letter
    FROM dose d JOIN person p ON p.client_id = d.client_id
    WHERE d.voided_at IS NULL AND d.dose_day >= p.record_from AND d.dose_day < :on
    GROUP BY d.client_id, d.dose_day
), record AS (
    SELECT p.client_id, string_agg(
        coalesce(closed.letter, given.letter, CASE WHEN EXISTS (
            SELECT 1 FROM dose_order o WHERE o.client_id = p.client_id AND o.voided_at IS NULL
                AND o.days @> (p.record_from + n)) THEN :open ELSE :no_order END), '' ORDER BY n) AS letters
    FROM person p
    CROSS JOIN LATERAL generate_series(0, CAST(:on AS date) - p.record_from - 1) AS n
    LEFT JOIN closed ON closed.client_id = p.client_id AND closed.dose_day = p.record_from + n
    LEFT JOIN given ON given.client_id = p.client_id AND given.dose_day = p.record_from + n
    GROUP BY p.client_id
)
SELECT p.client_id, p.record_from, coalesce(record.letters, '') AS record, p.lockbox, p.housing_stable, p.employed,
    p.health_stable,
    (SELECT d.dose_day FROM dose d JOIN dose_order o ON o.id = d.order_id AND o.episode_id = p.episode_id
        WHERE d.client_id = p.client_id AND d.voided_at IS NULL AND d.dose_day BETWEEN p.began_on AND :on
        ORDER BY d.dose_day LIMIT 1) AS first_dose_day,
    (SELECT min(lower(o.days)) FROM dose_order o
        WHERE o.client_id = p.client_id AND o.episode_id = p.episode_id AND o.voided_at IS NULL
            AND ordered.id IS NOT NULL AND lower(o.days) <= :on AND lower(o.days) > coalesce((
                SELECT max(lower(other.days)) FROM dose_order other
                WHERE other.client_id = p.client_id AND other.episode_id = p.episode_id AND other.voided_at IS NULL
                    AND other.mg <> ordered.mg AND lower(other.days) <= :on), '-infinity')) AS dose_stable_since,
    (SELECT jsonb_agg(jsonb_build_array(a.cause, a.severity, a.opened_on) ORDER BY a.opened_at, a.cause)
        FROM (SELECT cause, severity, opened_at, resolved_at,
                (opened_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date AS opened_on
              FROM alert WHERE alert.client_id = p.client_id) a
        WHERE a.opened_on <= :on AND (a.resolved_at IS NULL
            OR (a.resolved_at AT TIME ZONE p.zone - (p.day_starts - time '00:00'))::date > :on)) AS open_alerts
FROM person p
LEFT JOIN record ON record.client_id = p.client_id
LEFT JOIN dose_order ordered ON ordered.client_id = p.client_id AND ordered.episode_id = p.episode_id
    AND ordered.voided_at IS NULL AND ordered.days @> CAST(:on AS date)
"""
_OF_ONE = text(_HISTORIES.format(who="c.id = :who"))
_OF_ALL = text(_HISTORIES.format(who="e.site_id = :who"))
_LETTERS = {
    "covered": COVERED,
    "partly": PARTLY,
    "missed": MISSED,
    "held": HELD,
    "open": OPEN,
    "no_order": NO_ORDER,
}


def history_of(session: ReadSession, client_id: ClientId, on: date) -> History | None:
    """The client's record up to the day before; nothing when they are in no episode on the day."""
    return _histories(session, on, client_id, _OF_ONE).get(client_id)


def history_of_all(session: ReadSession, site_id: SiteId, on: date) -> dict[ClientId, History]:
    """The records of everybody who is in an episode at the site on the day, read at once."""
    return _histories(session, on, site_id, _OF_ALL)


def _histories(session: ReadSession, on: date, who: UUID, statement: TextClause) -> dict[ClientId, History]:
    rows = session.execute(statement, {"on": on, "who": who, "longest": LONGEST_RECORD, **_LETTERS}).mappings()
    return {
        ClientId(row["client_id"]): History(
            first_dose_day=row["first_dose_day"],
            record_from=row["record_from"],
            record=row["record"],
            dose_stable_since=row["dose_stable_since"],
            lockbox=row["lockbox"],
            housing_stable=row["housing_stable"],
            employed=row["employed"],
            health_stable=row["health_stable"],
            open_alerts=tuple(OpenAlert(c, s, date.fromisoformat(day)) for c, s, day in row["open_alerts"] or ()),
        )
        for row in rows
    }


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
    return DecisionLimits(decision.per_supply, decision.per_week, decision.closed_days_apart)


def last_assessment(session: ReadSession, client_id: ClientId) -> Assessment | None:
    """The assessment of the client that was made last."""
    return session.scalar(
        select(Assessment)
        .where(Assessment.client_id == client_id)
        .order_by(Assessment.made_at.desc(), Assessment.id.desc())
        .limit(1)
    )
