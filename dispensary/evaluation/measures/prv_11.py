"""PRV.11: how many of the clients whom the programme knows are on treatment at a date."""

from __future__ import annotations

from dispensary.evaluation.known import EPISODES
from dispensary.evaluation.measure import Exclusion, Indicator, Measure, Whole
from dispensary.evaluation.retention import DEFAULT_GAP, LONGEST_GAP
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import STAYS

QUERY = f"""
    WITH treated AS (
        SELECT DISTINCT stays.client_id FROM ({STAYS}) AS stays
        JOIN person ON person.client_id = stays.client_id
        WHERE stays.first_day <= person.on_day AND stays.last_day + :gap_days >= person.on_day
            AND coalesce(stays.ended_on > person.on_day, true)
    ), known AS (
        SELECT person.client_id, bool_or(e.client_id IS NOT NULL) AS accessing
        FROM person
        LEFT JOIN ({EPISODES}) AS e ON e.client_id = person.client_id AND e.began_on < :until_day
            AND coalesce(e.ended_on > :from_day, true)
        GROUP BY person.client_id
    )
    SELECT 'on_oamt' AS indicator, known.client_id, CASE WHEN treated.client_id IS NULL THEN 0 ELSE 1 END AS numerator,
        1 AS denominator
    FROM known LEFT JOIN treated USING (client_id) WHERE known.accessing OR treated.client_id IS NOT NULL
    UNION ALL SELECT 'elsewhen', known.client_id, 1, NULL
    FROM known LEFT JOIN treated USING (client_id) WHERE NOT known.accessing AND treated.client_id IS NULL
"""

MEASURE = Measure(
    key="prv-11",
    title="On treatment at a date (PRV.11)",
    version="1",
    source="WHO, Consolidated guidelines on person-centred HIV strategic information, 2022: PRV.11, OAMT coverage, at"
    " the level of the programme",
    says="Of the clients with an episode in the period, the share who were on treatment on its last day: with a dose on"
    " that day, or without one for no more days than the parameter has, and no exit stated by then. The coverage of a"
    " population needs an estimate of its size, which is not in the records.",
    numerator="clients on treatment on the last day of the period",
    denominator="clients with an episode within the period: those who access the service",
    indicators=(Indicator("on_oamt", "clients on treatment, of those who access the service"),),
    query=QUERY,
    parameters=(
        Whole(
            "gap_days",
            "Somebody is on treatment through so many whole days without a dose.",
            DEFAULT_GAP,
            1,
            LONGEST_GAP,
        ),
    ),
    exclusions=(Exclusion("elsewhen", "clients on record without an episode in the period"),),
    strata=EVERY_STRATUM,
)
