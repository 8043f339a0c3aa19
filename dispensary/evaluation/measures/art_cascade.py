"""The cascade of HIV: in care, on ART, refilled, viral load done, suppressed, undetectable."""

from __future__ import annotations

from decimal import Decimal

from dispensary.evaluation.known import HIV, RESULTS, TREATMENTS
from dispensary.evaluation.measure import Amount, Figure, Indicator, Measure, Whole
from dispensary.evaluation.measures.art_adherence import ART_COVERED
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH {ART_COVERED}, hiv AS ({HIV}),
    judged AS (
        SELECT hiv.client_id, EXISTS (
                SELECT 1 FROM ({TREATMENTS}) AS t WHERE t.client_id = hiv.client_id AND t.kind = 'art'
                    AND t.started_on <= hiv.on_day AND coalesce(t.stopped_on > hiv.on_day, true)
            ) AS on_art,
            coalesce(adherent.supplied AND 100 * adherent.covered >= :good_percent * adherent.days, false) AS refilled,
            last.number, last.comparator
        FROM hiv
        LEFT JOIN adherent ON adherent.client_id = hiv.client_id
        LEFT JOIN LATERAL (
            SELECT r.number, r.comparator FROM ({RESULTS}) AS r
            WHERE r.client_id = hiv.client_id AND r.analyte = 'viral_load' AND r.taken_on <= hiv.on_day
                AND r.taken_on > CAST(hiv.on_day - make_interval(months => :within_months) AS date)
            ORDER BY r.taken_on DESC, r.number DESC LIMIT 1
        ) AS last ON true
    )
    SELECT 'in_care' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator FROM judged
    UNION ALL SELECT 'on_art', client_id, CASE WHEN on_art THEN 1 ELSE 0 END, 1 FROM judged
    UNION ALL SELECT 'refilled', client_id, CASE WHEN refilled THEN 1 ELSE 0 END, 1 FROM judged WHERE on_art
    UNION ALL SELECT 'tested', client_id, CASE WHEN number IS NULL THEN 0 ELSE 1 END, 1 FROM judged WHERE on_art
    UNION ALL SELECT 'suppressed', client_id,
        CASE WHEN number < :suppressed_below OR comparator = '<' AND number <= :suppressed_below THEN 1 ELSE 0 END, 1
    FROM judged WHERE on_art AND number IS NOT NULL
    UNION ALL SELECT 'undetectable', client_id,
        CASE WHEN number < :undetectable_below OR comparator = '<' AND number <= :undetectable_below
            THEN 1 ELSE 0 END, 1
    FROM judged WHERE on_art AND number IS NOT NULL
"""

MEASURE = Measure(
    key="art-cascade",
    title="HIV: from care to a suppressed virus",
    version="1",
    source="Takehome, after WHO 2022 (ART.1, ART.3, ART.6)",
    says="Clients with a running episode on the last day of the period who live with HIV by a noted condition, a"
    " positive test or a treatment: on ART that day, refilled for the days of the period, viral load taken within"
    " twelve months, its last result suppressed, and undetectable.",
    numerator="clients who reached the step",
    denominator="clients who reached the step before it",
    indicators=(
        Indicator("in_care", "clients in care who live with HIV", Figure.COUNT),
        Indicator("on_art", "on ART, of those in care", of="in_care"),
        Indicator("refilled", "refills covered the days of the period well, of those on ART", of="on_art"),
        Indicator("tested", "viral load taken, of those on ART", of="on_art"),
        Indicator("suppressed", "last viral load suppressed, of those taken", of="tested"),
        Indicator("undetectable", "last viral load undetectable, of those taken", of="tested"),
    ),
    query=QUERY,
    parameters=(
        Amount(
            "good_percent",
            "From how many per cent of days covered refills are good.",
            Decimal(95),
            Decimal(1),
            Decimal(100),
        ),
        Whole("within_months", "How many months back a viral load counts.", 12, 1, 36),
        Whole("suppressed_below", "Suppressed is less than so many copies/mL.", 1000, 20, 10000),
        Whole("undetectable_below", "Undetectable is less than so many copies/mL.", 50, 20, 1000),
    ),
    strata=tuple(key for key in EVERY_STRATUM if key != "art"),
)
