"""TX_CURR, TX_NEW, TX_RTT and TX_ML: who is on ART at the end of a period, and how one end comes from the other."""

from __future__ import annotations

from dispensary.evaluation.known import EPISODES, FILLS, TREATMENTS
from dispensary.evaluation.measure import Choice, Exclusion, Figure, Indicator, Measure, Relation, Whole
from dispensary.evaluation.strata import EVERY_STRATUM

ART_STATUS = f"""
    WITH art AS (SELECT * FROM ({TREATMENTS}) AS t WHERE t.kind = 'art'),
    fill AS (
        SELECT f.client_id, f.on_day, f.starts + f.days AS lasts_until
        FROM ({FILLS}) AS f JOIN art ON art.id = f.treatment_id
    ), moment AS (
        SELECT client_id, 'before' AS which, CAST(:from_day AS date) - 1 AS day FROM person
        WHERE client_id IN (SELECT client_id FROM art)
        UNION ALL SELECT client_id, 'after', on_day FROM person WHERE client_id IN (SELECT client_id FROM art)
    ), treated AS (
        SELECT moment.client_id, moment.which, min(art.started_on) AS first_started,
            bool_or(coalesce(art.stopped_on > moment.day, true)) AS running
        FROM moment JOIN art ON art.client_id = moment.client_id AND art.started_on <= moment.day
        GROUP BY moment.client_id, moment.which
    ), supplied AS (
        SELECT moment.client_id, moment.which, max(fill.lasts_until) AS lasts_until
        FROM moment JOIN fill ON fill.client_id = moment.client_id AND fill.on_day <= moment.day
        GROUP BY moment.client_id, moment.which
    ), episodes AS (
        SELECT DISTINCT ON (moment.client_id, moment.which) moment.client_id, moment.which,
            CASE WHEN e.ended_on <= moment.day THEN e.exit_reason END AS gone
        FROM moment JOIN ({EPISODES}) AS e ON e.client_id = moment.client_id AND e.began_on <= moment.day
        ORDER BY moment.client_id, moment.which, e.began_on DESC
    ), seen AS (
        SELECT moment.*, treated.first_started, coalesce(treated.running, false) AS running, supplied.lasts_until,
            episodes.gone
        FROM moment
        LEFT JOIN treated USING (client_id, which)
        LEFT JOIN supplied USING (client_id, which)
        LEFT JOIN episodes USING (client_id, which)
    ), status AS (
        SELECT *, coalesce(gone IN ('died', 'transferred'), false) AS removed,
            running AND NOT coalesce(gone IN ('died', 'transferred'), false) AND CASE
                WHEN lasts_until IS NULL THEN :no_refill = 'on_treatment'
                WHEN :boundary = 'more' THEN day - lasts_until <= :late_days
                ELSE day - lasts_until < :late_days END AS current
        FROM seen
    )
"""
"""Of everybody, before the period and at its end: whether they are on ART, since when, and until when it lasts."""

STATUS_PARAMETERS = (
    Whole("late_days", "So many days after the supply ran out somebody is still on treatment.", 28, 0, 366),
    Choice(
        "boundary",
        "What the bound means; the guide says both.",
        "more",
        {"more": "lost after more than so many days", "from": "lost from so many days on"},
    ),
    Choice(
        "no_refill",
        "How a treatment counts of which no refill is on record, as when another place gives it.",
        "left_out",
        {"left_out": "not as on treatment; counted apart", "on_treatment": "as on treatment until it is stopped"},
    ),
)

QUERY = f"""
    {ART_STATUS}, pair AS (
        SELECT b.client_id, b.current AS before, a.current AS after, a.gone, a.running, a.removed, a.day,
            a.first_started, b.lasts_until AS lasted_until, a.lasts_until,
            b.first_started IS NULL AND a.first_started IS NOT NULL
                AND (a.lasts_until IS NOT NULL OR :no_refill = 'on_treatment') AS new,
            NOT b.current AND b.first_started IS NOT NULL AND b.lasts_until IS NULL AND a.lasts_until IS NOT NULL
                AS joined
        FROM status b JOIN status a ON a.client_id = b.client_id AND a.which = 'after'
        WHERE b.which = 'before' AND (a.first_started IS NOT NULL OR b.first_started IS NOT NULL)
    ), judged AS (
        SELECT *, (before OR new OR joined) AND NOT after AS lost,
            after AND NOT before AND NOT new AND NOT joined AS returned,
            CASE WHEN lasts_until < CAST(first_started + interval '3 months' AS date) THEN 'under_3'
                WHEN lasts_until < CAST(first_started + interval '6 months' AS date) THEN '3_to_5'
                ELSE '6_and_more' END AS treated_for,
            CASE WHEN back.on_day < CAST(lasted_until + interval '3 months' AS date) THEN 'under_3'
                WHEN back.on_day < CAST(lasted_until + interval '6 months' AS date) THEN '3_to_5'
                ELSE '6_and_more' END AS away_for
        FROM pair
        LEFT JOIN (
            SELECT client_id AS returning_client, min(on_day) AS on_day FROM fill WHERE on_day >= :from_day
            GROUP BY client_id
        ) AS back ON back.returning_client = pair.client_id
    )
    SELECT 'curr_before' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator
    FROM judged WHERE before
    UNION ALL SELECT 'new', client_id, 1, NULL FROM judged WHERE new
    UNION ALL SELECT 'joined', client_id, 1, NULL FROM judged WHERE joined
    UNION ALL SELECT 'rtt', client_id, 1, NULL FROM judged WHERE returned
    UNION ALL SELECT 'rtt_' || away_for, client_id, 1, NULL FROM judged WHERE returned
    UNION ALL SELECT 'ml', client_id, 1, NULL FROM judged WHERE lost
    UNION ALL SELECT CASE WHEN gone = 'died' THEN 'ml_died' WHEN gone = 'transferred' THEN 'ml_transferred'
        WHEN NOT running THEN 'ml_stopped' ELSE 'ml_iit_' || treated_for END, client_id, 1, NULL
    FROM judged WHERE lost
    UNION ALL SELECT 'curr', client_id, 1, NULL FROM judged WHERE after
    UNION ALL SELECT 'no_refill', client_id, 1, NULL FROM judged
    WHERE running AND NOT removed AND lasts_until IS NULL AND :no_refill = 'left_out'
"""

_LOST = {
    "ml_died": "died",
    "ml_transferred": "transferred out",
    "ml_stopped": "stopped treatment",
    "ml_iit_under_3": "interrupted after less than 3 months on treatment",
    "ml_iit_3_to_5": "interrupted after 3 to 5 months",
    "ml_iit_6_and_more": "interrupted after 6 months or more",
}
_BACK = {
    "rtt_under_3": "after less than 3 months without",
    "rtt_3_to_5": "after 3 to 5 months without",
    "rtt_6_and_more": "after 6 months or more without",
}

MEASURE = Measure(
    key="tx",
    title="On ART, lost, returned (TX_CURR, TX_NEW, TX_ML, TX_RTT)",
    version="1",
    source="PEPFAR Monitoring, Evaluation and Reporting 2.6.1 (FY23): TX_CURR, TX_NEW, TX_ML, TX_RTT",
    says="Somebody is on ART on a day when a treatment runs, the last refill of any of its medicines lasted until"
    " then or ran out no longer ago than the parameter has (what is left of one refill is used before the next), and"
    " they neither died nor were transferred. TX_CURR at the end is TX_CURR before, plus new, plus joined, plus"
    " returned, less lost. Who returned and was lost again within the period is in neither.",
    numerator="clients",
    denominator="none",
    indicators=(
        Indicator("curr_before", "TX_CURR on the day before the period", Figure.COUNT),
        Indicator("new", "TX_NEW: began their first ART in the period", Figure.COUNT),
        Indicator("joined", "on ART before the period, and first supplied here in it", Figure.COUNT),
        Indicator("rtt", "TX_RTT: had interrupted ART, took it up again, and are on it at the end", Figure.COUNT),
        *(Indicator(key, f"of TX_RTT: {says}", Figure.COUNT) for key, says in _BACK.items()),
        Indicator("ml", "TX_ML: on ART before, or since the period, and not at its end", Figure.COUNT),
        *(Indicator(key, f"of TX_ML: {says}", Figure.COUNT) for key, says in _LOST.items()),
        Indicator("curr", "TX_CURR on the last day of the period", Figure.COUNT),
    ),
    query=QUERY,
    parameters=STATUS_PARAMETERS,
    exclusions=(Exclusion("no_refill", "clients with a running ART of which no refill is on record"),),
    strata=tuple(key for key in EVERY_STRATUM if key != "art"),
    relations=(
        Relation(("curr", "ml"), ("curr_before", "new", "joined", "rtt")),
        Relation(("ml",), tuple(_LOST)),
        Relation(("rtt",), tuple(_BACK)),
    ),
)
