"""Adherence to ART by refills: days covered with carry-forward (PDC, CMA7) and days supplied (MPR, CMA2)."""

from __future__ import annotations

from decimal import Decimal

from dispensary.evaluation.known import FILLS, MEDICATIONS, TREATMENTS
from dispensary.evaluation.measure import Amount, Exclusion, Figure, Indicator, Measure
from dispensary.evaluation.strata import EVERY_STRATUM

ART_COVERED = f"""
    treated AS (
        SELECT t.id, t.client_id, greatest(t.started_on, :from_day) AS first_day,
            least(person.on_day + 1, t.stopped_on) AS until_day
        FROM ({TREATMENTS}) AS t JOIN person ON person.client_id = t.client_id
        WHERE t.kind = 'art' AND greatest(t.started_on, :from_day) < least(person.on_day + 1, t.stopped_on)
    ), fill AS (
        SELECT * FROM ({FILLS}) AS f WHERE f.treatment_id IN (SELECT id FROM treated)
    ), part AS (
        SELECT m.id, m.treatment_id, treated.client_id,
            daterange(greatest(m.started_on, treated.first_day),
                greatest(least(m.stopped_on, treated.until_day), greatest(m.started_on, treated.first_day))) AS taken,
            treated.id IN (SELECT treatment_id FROM fill) AS supplied
        FROM treated JOIN ({MEDICATIONS}) AS m ON m.treatment_id = treated.id
        WHERE m.started_on < treated.until_day
    ), covered AS (
        SELECT part.treatment_id, part.client_id, part.supplied, part.taken,
            upper(part.taken) - lower(part.taken) AS length,
            datemultirange(part.taken) - coalesce(
                range_agg(daterange(fill.starts, fill.starts + fill.days)) FILTER (WHERE fill.days IS NOT NULL),
                datemultirange()
            ) AS without,
            coalesce(sum(fill.days) FILTER (WHERE fill.on_day <@ part.taken), 0) AS given
        FROM part LEFT JOIN fill ON fill.medication_id = part.id
        WHERE NOT isempty(part.taken)
        GROUP BY part.id, part.treatment_id, part.client_id, part.supplied, part.taken
    ), regimen AS (
        SELECT treatment_id, client_id, bool_or(supplied) AS supplied,
            (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(range_agg(taken)) AS r) AS days,
            (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(range_agg(without)) AS r) AS days_without,
            avg(CAST(given AS numeric) / length) AS mpr
        FROM covered GROUP BY treatment_id, client_id
    ), adherent AS (
        SELECT client_id, bool_or(supplied) AS supplied, CAST(sum(days) AS numeric) AS days,
            CAST(sum(days - days_without) AS numeric) AS covered, sum(mpr * days) / nullif(sum(days), 0) AS mpr
        FROM regimen GROUP BY client_id
    )
"""
"""Of each client with ART in the period: days of it, days on which every medicine that was taken was there, and MPR."""

QUERY = f"""
    WITH {ART_COVERED}
    SELECT 'pdc' AS indicator, client_id, covered AS numerator, days AS denominator FROM adherent WHERE supplied
    UNION ALL SELECT 'client', client_id, covered / days, 1 FROM adherent WHERE supplied
    UNION ALL SELECT 'good', client_id, CASE WHEN 100 * covered >= :good_percent * days THEN 1 ELSE 0 END, 1
    FROM adherent WHERE supplied
    UNION ALL SELECT 'mpr', client_id, mpr, 1 FROM adherent WHERE supplied
    UNION ALL SELECT 'no_refill', client_id, 1, NULL FROM adherent WHERE NOT supplied
"""

MEASURE = Measure(
    key="art-adherence",
    title="Adherence to ART by refills (PDC, MPR)",
    version="1",
    source="CMA7 and CMA2 of the measures published with AdhereR (Vollmer 2012; Dima and Dediu 2017)",
    says="From the start of the treatment or of the period, whichever is later, to its end. A refill covers as many"
    " days as it was given for; what is left of one is used before the next. A day is covered when each medicine of"
    " the regimen that was to be taken on it was there. MPR is the days supplied in the time over its days, uncapped,"
    " over the medicines on average.",
    numerator="days covered; for MPR days supplied",
    denominator="days of treatment within the period",
    indicators=(
        Indicator("pdc", "days covered of days of treatment, of all together", people=False),
        Indicator("mean", "share of days covered, mean of the clients", people=False, rows="client"),
        Indicator("median", "share of days covered, of the client in the middle", Figure.MEDIAN, rows="client"),
        Indicator("good", "clients who were covered at least so much, of all"),
        Indicator("mpr", "days supplied over days, mean of the clients", people=False),
    ),
    query=QUERY,
    parameters=(
        Amount(
            "good_percent",
            "From how many per cent of the days on adherence is good.",
            Decimal(95),
            Decimal(1),
            Decimal(100),
        ),
    ),
    exclusions=(Exclusion("no_refill", "clients with ART in the period of which no refill is on record"),),
    strata=tuple(key for key in EVERY_STRATUM if key != "art"),
)
