"""Contacts: how clients were kept in touch with, why they stayed away, what came of it, and who came back."""

from __future__ import annotations

from dispensary.evaluation.known import given, stood
from dispensary.evaluation.measure import Exclusion, Figure, Indicator, Measure, OwnStratum, Whole
from dispensary.evaluation.strata import EVERY_STRATUM

# A contact is of the dose day of the site that noted it. Whoever was reached while away is followed from the first such
# contact of the period on; one of whom it is not yet known whether they come back in time is neither here nor there.
QUERY = f"""
    WITH noted AS (
        SELECT n.id, n.client_id, n.how, n.reached, n.at, person.today,
            CAST((n.at AT TIME ZONE s.zone) - CAST(s.day_starts AS interval) AS date) AS on_day,
            CASE WHEN NOT n.reached THEN 'not reached' WHEN n.came_of = '' THEN 'not asked' ELSE n.came_of END
                AS outcome,
            CASE WHEN NOT n.reached THEN 'not reached' WHEN n.why = '' THEN 'not said' ELSE n.why END AS reason
        FROM contact_note n JOIN site s ON s.id = n.site_id JOIN person ON person.client_id = n.client_id
        WHERE {stood("n", "at")}
    ), told AS (
        SELECT * FROM noted WHERE on_day >= :from_day AND on_day < :until_day AND on_day <= today
    ), newest AS (
        SELECT DISTINCT ON (client_id) * FROM told ORDER BY client_id, reached DESC, at DESC, id
    ), away AS (
        SELECT DISTINCT ON (t.client_id) t.*
        FROM told t CROSS JOIN LATERAL (SELECT max(g.dose_day) AS dose_day
            FROM ({given(" AND d.client_id = t.client_id")}) AS g WHERE g.dose_day <= t.on_day) AS latest
        WHERE t.reached AND latest.dose_day < t.on_day - 1
        ORDER BY t.client_id, t.on_day, t.at, t.id
    ), followed AS (
        SELECT away.*, on_day + CAST(:back_days AS integer) <= today AS known, EXISTS (
            SELECT FROM ({given(" AND d.client_id = away.client_id")}) AS g
            WHERE g.dose_day >= away.on_day AND g.dose_day <= away.on_day + CAST(:back_days AS integer)) AS back
        FROM away
    )
    SELECT 'contacts' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, how, outcome,
        reason FROM told
    UNION ALL SELECT 'reached', client_id, CASE WHEN reached THEN 1 ELSE 0 END, 1, how, outcome, reason FROM told
    UNION ALL SELECT 'people', client_id, 1, NULL, how, outcome, reason FROM newest
    UNION ALL SELECT 'people_reached', client_id, CASE WHEN reached THEN 1 ELSE 0 END, 1, how, outcome, reason
    FROM newest
    UNION ALL SELECT 'back', client_id, CASE WHEN back THEN 1 ELSE 0 END, 1, how, outcome, reason FROM followed
    WHERE known
    UNION ALL SELECT 'too_young', client_id, 1, NULL, how, outcome, reason FROM followed WHERE NOT known
"""

MEASURE = Measure(
    key="contacts",
    title="Contacts with clients",
    version="1",
    source="Takehome",
    says="Contacts with clients, and tries of one, that anybody noted in the period. Whoever was reached while away is"
    " followed from the first such contact of the period: they had had a dose before, and had none for the day of the"
    " contact nor for the day before it. They came back when they have a dose for that day or one of the days after it."
    " Of clients who never had a dose it is not counted whether they came back.",
    numerator="contacts, or clients",
    denominator="contacts, or clients",
    indicators=(
        Indicator("contacts", "contacts, and tries of one", Figure.COUNT, unit="contacts", people=False),
        Indicator("reached", "contacts in which the client was reached, of all", people=False),
        Indicator("people", "clients who were contacted, or tried to be", Figure.COUNT),
        Indicator("people_reached", "clients who were reached at least once, of those", of="people"),
        Indicator("back", "clients who came back within so many days, of those who were reached while away"),
    ),
    query=QUERY,
    parameters=(
        Whole("back_days", "Within how many days after the contact a dose counts as coming back.", 30, 1, 365),
    ),
    exclusions=(
        Exclusion("too_young", "clients who were reached while away so lately that it is not known who comes back"),
    ),
    strata=EVERY_STRATUM,
    own_strata=(
        OwnStratum(
            "how", "A talk, a call, a visit, or over a screen; of a client, the newest in which they were reached."
        ),
        OwnStratum(
            "outcome",
            "What they mean to do, as they said it; of a client, in the newest contact in which they were reached.",
        ),
        OwnStratum(
            "reason",
            "Their own reason for staying away; of a client, in the newest contact in which they were reached.",
        ),
    ),
)
