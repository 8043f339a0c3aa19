"""Naloxone: whether it was offered at each start and renewal of take-home, and what became of the offer."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, Relation
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = """
    WITH decided AS (
        SELECT d.client_id, d.naloxone
        FROM decision d
        JOIN person ON person.client_id = d.client_id
        JOIN site ON site.id = d.site_id
        CROSS JOIN LATERAL (SELECT CAST(d.decided_at AT TIME ZONE site.zone AS date) AS on_day) AS taken
        WHERE d.decided_at <= :as_of AND taken.on_day >= :from_day AND taken.on_day < :until_day
            AND d.per_supply > 0 AND d.continues_id IS NULL
            AND (d.kind = 'grant' OR d.kind = 'one_off' AND d.naloxone IS NOT NULL)
    ), client_answer AS (
        SELECT client_id, bool_or(naloxone IS NOT NULL) AS offered, bool_or(naloxone = 'given') AS given,
            bool_or(naloxone = 'has_one') AS has_one
        FROM decided GROUP BY client_id
    )
    SELECT 'decisions' AS indicator, client_id, CASE WHEN naloxone IS NULL THEN 0 ELSE 1 END AS numerator,
        1 AS denominator
    FROM decided
    UNION ALL SELECT 'offered', client_id, 1, NULL FROM client_answer WHERE offered
    UNION ALL SELECT 'given', client_id, CASE WHEN given THEN 1 ELSE 0 END, 1 FROM client_answer WHERE offered
    UNION ALL SELECT 'has_one', client_id, CASE WHEN has_one AND NOT given THEN 1 ELSE 0 END, 1
    FROM client_answer WHERE offered
    UNION ALL SELECT 'declined', client_id, CASE WHEN NOT given AND NOT has_one THEN 1 ELSE 0 END, 1
    FROM client_answer WHERE offered
    UNION ALL SELECT 'kits', client_id, 1, NULL FROM decided WHERE naloxone = 'given'
"""

MEASURE = Measure(
    key="naloxone",
    title="Naloxone with take-home",
    version="1",
    source="Takehome; naloxone is offered at each start and renewal of take-home",
    says="Decisions of the period that begin or renew take-home, and whether the offer of naloxone was answered. Of"
    " each client who was offered it the best answer counts: given, or they have one already, or declined. A"
    " suspension, a limit of the law and the rest of a grant after them offer nothing. What was handed"
    " out of the cupboard, to whomever, and lives that were told of are in the measure “naloxone-kits”.",
    numerator="decisions, clients or kits",
    denominator="decisions that begin or renew take-home; clients who were offered naloxone",
    indicators=(
        Indicator("decisions", "decisions with an answer, of those that begin or renew take-home", people=False),
        Indicator("offered", "clients who were offered naloxone", Figure.COUNT),
        Indicator("given", "clients who were given it, of those offered", of="offered"),
        Indicator("has_one", "clients who have one already and took no other, of those offered", of="offered"),
        Indicator("declined", "clients who declined each time, of those offered", of="offered"),
        Indicator("kits", "kits given", Figure.COUNT, unit="kits", people=False),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
    relations=(Relation(("offered",), ("given", "has_one", "declined")),),
)
