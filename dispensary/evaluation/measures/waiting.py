"""Waiting: from arrival to the window, by the stamps of the queue, with those that are missing or cannot be."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum, Whole
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = """
    WITH came AS (
        SELECT v.holder_id AS client_id, to_char(v.day, 'YYYY-MM') AS month, v.arrived_at,
            CASE WHEN v.booking_id IS NULL THEN 'no' ELSE 'yes' END AS booked,
            CASE WHEN v.started_at <= :as_of THEN v.started_at END AS started_at,
            v.left_unserved AND v.ended_at <= :as_of AS left_unserved,
            coalesce(v.ended_at <= :as_of, false) OR v.day < person.today AS over,
            greatest(v.arrived_at, b.starts_at, (
                SELECT min((v.day + o.opens) AT TIME ZONE p.zone)
                FROM opening o JOIN place p ON p.id = o.place_id
                WHERE o.place_id = v.place_id AND o.weekday = extract(isodow FROM v.day) - 1
                    AND o.from_day <= v.day AND coalesce(o.until_day > v.day, true)
            )) AS could_start_at
        FROM visit v
        JOIN person ON person.client_id = v.holder_id
        LEFT JOIN booking b ON b.id = v.booking_id
        WHERE v.arrived_at <= :as_of AND v.day >= :from_day AND v.day < :until_day
    ), timed AS (
        SELECT *, round(extract(epoch FROM started_at - arrived_at) / 60, 2) AS minutes,
            round(greatest(0, extract(epoch FROM started_at - could_start_at)) / 60, 2) AS due_minutes
        FROM came
    )
    SELECT 'visits' AS indicator, client_id, CAST(1 AS numeric) AS numerator, CAST(NULL AS integer) AS denominator,
        month, booked
    FROM timed
    UNION ALL SELECT 'missing', client_id,
        CASE WHEN started_at IS NULL AND over AND NOT coalesce(left_unserved, false) THEN 1 ELSE 0 END, 1, month, booked
    FROM timed
    UNION ALL SELECT 'negative', client_id, CASE WHEN minutes < 0 THEN 1 ELSE 0 END, 1, month, booked FROM timed
    UNION ALL SELECT 'left', client_id, CASE WHEN left_unserved THEN 1 ELSE 0 END, 1, month, booked FROM timed
    UNION ALL SELECT 'wait', client_id, minutes, NULL, month, booked FROM timed WHERE minutes >= 0
    UNION ALL SELECT 'over_first', client_id, CASE WHEN minutes > :first_minutes THEN 1 ELSE 0 END, 1, month, booked
    FROM timed WHERE minutes >= 0
    UNION ALL SELECT 'over_second', client_id, CASE WHEN minutes > :second_minutes THEN 1 ELSE 0 END, 1, month, booked
    FROM timed WHERE minutes >= 0
    UNION ALL SELECT 'due_wait', client_id, due_minutes, NULL, month, booked FROM timed WHERE minutes >= 0
"""

MEASURE = Measure(
    key="waiting",
    title="Waiting",
    version="1",
    source="Takehome; the queue's own stamps",
    says="From arrival, when somebody checked in, to the start at the window. The second measure begins at the latest"
    " of arrival, the start of the booked slot and the opening of the day, and says what a client could not have"
    " avoided by coming later. Visits of the clients of these sites, wherever they came.",
    numerator="visits, or minutes",
    denominator="visits; for the shares of long waits and the percentiles those with both stamps, in order",
    indicators=(
        Indicator("visits", "visits", Figure.COUNT, unit="visits", people=False),
        Indicator("missing", "visits that were served or ended without a stamp of the start, of all", people=False),
        Indicator("negative", "visits whose start is stamped before the arrival, of all", people=False),
        Indicator("left", "visits that ended without a dose, of all", people=False),
        Indicator("median", "wait in the middle", Figure.MEDIAN, "minutes", rows="wait"),
        Indicator("p95", "wait that 95 in 100 visits do not exceed", Figure.P95, "minutes", rows="wait"),
        Indicator("over_first", "visits with a longer wait than the first bound, of those timed", people=False),
        Indicator("over_second", "visits with a longer wait than the second bound, of those timed", people=False),
        Indicator(
            "due_median", "wait from when it could begin, in the middle", Figure.MEDIAN, "minutes", rows="due_wait"
        ),
        Indicator("due_p95", "the same that 95 in 100 visits do not exceed", Figure.P95, "minutes", rows="due_wait"),
    ),
    query=QUERY,
    parameters=(
        Whole("first_minutes", "The first bound in minutes; exactly so many are not longer.", 15, 1, 600),
        Whole("second_minutes", "The second bound in minutes.", 30, 1, 600),
    ),
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("month", "Calendar month."), OwnStratum("booked", "Whether the visit was booked.")),
)
