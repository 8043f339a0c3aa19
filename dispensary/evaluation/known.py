"""The facts as they were known at a moment, as pieces of SQL that measures are made of. Each takes `:as_of`.

A fact counts when it was on record by then. Where the record keeps no moment (an exit, the end of a treatment) the
audit trail has it. What the record never kept is as it is now: an order's earlier end that a later one replaced, and a
condition that was noted with an earlier day.
"""

from __future__ import annotations

# Imported history has no moment of its own on the supply: it was on record when its days were frozen. What was entered
# from paper after an outage was on record when it was entered. Doses that stand and doses that were voided are read
# apart, since each have an index of their own.
_GIVEN = """
    SELECT d.client_id, d.dose_day, d.portion, d.portions, d.kind, d.mg, d.supply_id, known.at
    FROM dose d
    JOIN supply s ON s.id = d.supply_id
    LEFT JOIN day_outcome brought_in ON s.origin = 'import' AND brought_in.client_id = d.client_id
        AND brought_in.dose_day = d.dose_day AND brought_in.portion = d.portion
    LEFT JOIN late_entry entered ON s.origin = 'outage' AND entered.supply_id = s.id
    CROSS JOIN LATERAL (SELECT CASE s.origin WHEN 'import' THEN brought_in.frozen_at
        WHEN 'outage' THEN entered.recorded_at ELSE s.at END AS at) AS known
    WHERE known.at <= :as_of AND {stood}{only}
"""


def given(only: str = "") -> str:
    """Portions that a client had: swallowed at the counter or carried home. `only` is one more condition on `d`."""
    return " UNION ALL ".join(
        _GIVEN.format(stood=stood, only=only) for stood in ("d.voided_at IS NULL", "d.voided_at > :as_of")
    )


GIVEN = given()


def days(only: str = "", corrected: str = "") -> str:
    """Portions of closed dose days, with the last correction that was known. `only` is one more condition on `o`.

    A closed day is as it was frozen, unless a correction of it was known by then. `corrected` says the same as `only`
    of the corrections, which are `c`.
    """
    return f"""
        SELECT o.client_id, o.dose_day, o.portion, o.portions, o.ordered_mg, o.episode_id, o.order_id,
            o.frozen_at AS at, coalesce(c.given_mg, o.given_mg) AS given_mg,
            coalesce(c.outcome, o.outcome) AS outcome
        FROM day_outcome o
        LEFT JOIN (
            SELECT DISTINCT ON (c.client_id, c.dose_day, c.portion) c.client_id, c.dose_day, c.portion, c.given_mg,
                c.outcome
            FROM day_correction c WHERE c.at <= :as_of{corrected}
            ORDER BY c.client_id, c.dose_day, c.portion, c.no DESC
        ) AS c ON c.client_id = o.client_id AND c.dose_day = o.dose_day AND c.portion = o.portion
        WHERE o.frozen_at <= :as_of{only}
    """


DAYS = days()

# An episode does not keep when its end was stated; the audit trail does.
EPISODES = """
    SELECT e.id, e.client_id, e.site_id, e.began_on,
        CASE WHEN told.known THEN e.ended_on END AS ended_on, CASE WHEN told.known THEN e.exit_reason END AS exit_reason
    FROM episode e
    CROSS JOIN LATERAL (SELECT NOT EXISTS (
        SELECT 1 FROM audit_entry a
        WHERE a.subject_id = e.client_id AND a.at > :as_of AND a.act = 'ended episode'
          AND CAST(a.details AS jsonb) ->> 'ended_on' = CAST(e.ended_on AS text)
    ) AS known) AS told
    WHERE NOT EXISTS (
        SELECT 1 FROM audit_entry a
        WHERE a.subject_id = e.client_id AND a.at > :as_of AND a.act = 'began episode'
          AND CAST(a.details AS jsonb) ->> 'began_on' = CAST(e.began_on AS text)
    )
"""
"""Episodes with the end that was known."""

# What is brought in of the same client later moves the end of the last order that was brought in before: until then it
# ended after the last day that was.
ORDER_UNTIL = """CASE WHEN o.ended_at <= :as_of THEN upper(o.days) WHEN o.origin = 'import' THEN (
        SELECT max(brought.dose_day) + 1 FROM day_outcome brought
        WHERE brought.client_id = o.client_id AND brought.order_id = o.id AND brought.frozen_at <= :as_of) END"""
"""The first day after an order `o`, as it was known; nothing while the order had no end."""

ORDERS = f"""
    SELECT o.id, o.client_id, o.episode_id, o.mg, o.plan_id, lower(o.days) AS from_day, {ORDER_UNTIL} AS until_day
    FROM dose_order o
    WHERE o.ordered_at <= :as_of AND (o.voided_at IS NULL OR o.voided_at > :as_of)
"""
"""Orders from `from_day` up to, not including, `until_day`, which is nothing while the order has no end."""

RESULTS = """
    SELECT r.client_id, r.analyte, r.taken_on, r.number, r.comparator, r.choice
    FROM health_result r
    WHERE r.entered_at <= :as_of AND num_nonnulls(r.number, r.choice) = 1
      AND NOT EXISTS (SELECT 1 FROM health_result n WHERE n.replaces = r.id AND n.entered_at <= :as_of)
"""
"""Results that no later one had replaced."""

TREATMENTS = """
    SELECT t.id, t.client_id, t.kind, t.started_on, CASE WHEN told.known THEN t.stopped_on END AS stopped_on,
        CASE WHEN told.known THEN t.stop_reason ELSE '' END AS stop_reason
    FROM treatment t
    CROSS JOIN LATERAL (SELECT
        EXISTS (SELECT 1 FROM treatment n WHERE n.client_id = t.client_id AND n.kind = t.kind
                AND n.started_on >= t.stopped_on AND n.id <> t.id AND n.entered_at <= :as_of)
        OR NOT EXISTS (
            SELECT 1 FROM audit_entry a
            WHERE a.subject_id = t.client_id AND a.at > :as_of AND a.act = 'ended treatment'
              AND CAST(a.details AS jsonb) ->> 'kind' = t.kind
        ) AS known) AS told
    WHERE t.entered_at <= :as_of
"""
"""Treatments of HIV, tuberculosis and hepatitis C with the end that was known."""

MEDICATIONS = """
    SELECT m.id, m.client_id, m.treatment_id, m.name, m.started_on,
        CASE WHEN NOT EXISTS (
            SELECT 1 FROM audit_entry a
            WHERE a.subject_id = m.client_id AND a.at > :as_of AND a.act = 'stopped medicine'
              AND CAST(a.details AS jsonb) ->> 'medicine' = CAST(m.id AS text)
        ) THEN m.stopped_on END AS stopped_on
    FROM medication m
    WHERE m.entered_at <= :as_of
"""
"""Medicines with the end that was known."""

REFILLS = """
    SELECT m.client_id, m.treatment_id, m.name, m.id AS medication_id, r.on_day, r.days
    FROM refill r
    JOIN medication m ON m.id = r.medication_id
    WHERE r.given_at <= :as_of AND (r.voided_at IS NULL OR r.voided_at > :as_of)
"""
"""Medicine handed over, not taken back by then."""


def stood(row: str, said_at: str = "noted_at") -> str:
    """That a row was on record by then and not taken back; `row` is its name in the query."""
    return f"{row}.{said_at} <= :as_of AND ({row}.voided_at IS NULL OR {row}.voided_at > :as_of)"


# What became of something and was taken back later stood there until then: a row of its own says it. At any moment
# there is at most one such row.
_STOOD = """LEFT JOIN LATERAL (
        SELECT b.was, b.was_on FROM entry_taken_back b
        WHERE b.{thing} = {row}.id AND b.said_at <= :as_of AND b.back_at > :as_of
        ORDER BY b.said_at DESC LIMIT 1) AS stood ON true"""

REFERRALS = f"""
    SELECT r.id, r.client_id, r.service, r.sent_on, r.ask_on,
        CASE WHEN r.closed_at <= :as_of THEN r.outcome ELSE coalesce(stood.was, '') END AS outcome,
        CASE WHEN r.closed_at <= :as_of THEN r.attended_on ELSE stood.was_on END AS attended_on
    FROM referral r {_STOOD.format(thing="referral_id", row="r")}
    WHERE r.sent_at <= :as_of
"""
"""Referrals with what was known of what became of them; nothing while nobody had said it, or it was taken back."""

SESSIONS = f"""
    SELECT s.id, s.plan_id, s.client_id, s.on_day,
        CASE WHEN s.marked_at <= :as_of THEN s.state ELSE coalesce(stood.was, 'planned') END AS state
    FROM plan_session s {_STOOD.format(thing="session_id", row="s")}
"""
"""Sessions on the day to which they were moved last, with how they were marked by then."""

VISITS = f"""
    SELECT v.id, v.client_id, v.purpose, v.on_day,
        CASE WHEN v.ended_at <= :as_of THEN v.state ELSE coalesce(stood.was, 'planned') END AS state
    FROM home_visit v {_STOOD.format(thing="home_visit_id", row="v")}
    WHERE v.planned_at <= :as_of
"""
"""Visits on the day to which they were moved last, with what was known of what became of them."""

# A goal is set and closed on the day on which that is written down: what was known then is what stands before that day.
GOALS = """
    SELECT g.id, g.client_id, g.set_on,
        CASE WHEN g.closed_on <= person.today THEN g.closed_on ELSE stood.was_on END AS closed_on,
        CASE WHEN g.closed_on <= person.today THEN g.state ELSE coalesce(stood.was, 'open') END AS state
    FROM client_goal g JOIN person ON person.client_id = g.client_id
    LEFT JOIN LATERAL (
        SELECT b.was, b.was_on FROM entry_taken_back b
        WHERE b.goal_id = g.id AND b.was_on <= person.today AND b.back_at > :as_of
        ORDER BY b.back_at LIMIT 1) AS stood ON true
    WHERE g.set_on <= person.today
"""
"""Goals with what was known of whether they were closed; needs the table `person`."""

# With cum the days of all refills up to one, the day on which it is begun is the latest of (its own day, less what came
# before) over itself and all before it, plus what came before: nothing is begun before what there was is used up.
FILLS = f"""
    SELECT client_id, treatment_id, medication_id, on_day, days,
        max(on_day - (cum - days)) OVER (PARTITION BY medication_id ORDER BY n) + (cum - days) AS starts
    FROM (
        SELECT r.*, CAST(sum(days) OVER one AS integer) AS cum, row_number() OVER one AS n
        FROM ({REFILLS}) AS r
        WINDOW one AS (PARTITION BY medication_id ORDER BY on_day, days ROWS UNBOUNDED PRECEDING)
    ) AS summed
"""
"""Refills with the first day on which each is used, when what is left of the one before is used first."""

IN_CARE = f"""
    SELECT person.client_id, person.on_day, e.id AS episode_id, e.began_on
    FROM person
    JOIN ({EPISODES}) AS e ON e.client_id = person.client_id AND e.began_on <= person.on_day
        AND coalesce(e.ended_on > person.on_day, true)
"""
"""Everybody with a running episode on the last day of the period; needs the table `person`."""

HIV = f"""
    SELECT care.client_id, care.on_day
    FROM ({IN_CARE}) AS care
    WHERE EXISTS (SELECT 1 FROM client_condition c WHERE c.client_id = care.client_id AND c.kind = 'hiv'
            AND c.noted_on <= care.on_day AND coalesce(c.ended_on > care.on_day, true))
        OR EXISTS (SELECT 1 FROM ({TREATMENTS}) AS t WHERE t.client_id = care.client_id AND t.kind = 'art'
            AND t.started_on <= care.on_day)
        OR EXISTS (SELECT 1 FROM ({RESULTS}) AS r WHERE r.client_id = care.client_id AND r.analyte = 'hiv_test'
            AND r.choice = 'positive' AND r.taken_on <= care.on_day)
"""
"""Everybody in care who lives with HIV by a noted condition, a treatment, or a positive test."""

# A first home has neither moment nor day, since it was theirs for all time before; the others are few, and have an
# index of their own.
_HOMES = """
    SELECT h.client_id, h.site_id FROM client_home h
    WHERE coalesce(h.since <= :as_of, true){begun}
        AND NOT EXISTS (SELECT 1 FROM client_home n WHERE n.client_id = h.client_id AND n.no > 1 AND n.no > h.no
            AND n.since <= :as_of{next_begun})
"""

HOMES = _HOMES.format(begun="", next_begun="")
"""Each client's home (client_id, site_id) as it was known: one row for everybody who was ever enrolled."""

HOMES_BEFORE = _HOMES.format(
    begun=" AND coalesce(h.from_day < :until_day, true)", next_begun=" AND n.from_day < :until_day"
)
"""The same on the last day of the period, which is where its figures are counted: who moves later was there then."""

SITE_DAY = """
    SELECT known.site_id, known.today, least(known.today, CAST(:until_day AS date) - 1) AS on_day
    FROM unnest(CAST(:sites AS uuid[]), CAST(:days AS date[])) AS known (site_id, today)
"""
"""The sites that are asked about: the dose day at the as-of moment, and the last day of the period that it knows."""
