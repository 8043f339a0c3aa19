"""Referrals: how many were made for what, how many went, and of how many nobody knows yet."""

from __future__ import annotations

from dispensary.evaluation.known import REFERRALS
from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH sent AS (
        SELECT r.client_id, r.service, r.outcome, r.ask_on, r.attended_on - r.sent_on AS days, person.on_day,
            EXISTS (SELECT FROM referral_word w WHERE w.referral_id = r.id AND w.kind = 'accepted'
                AND w.noted_at <= :as_of) AS accepted
        FROM ({REFERRALS}) AS r JOIN person ON person.client_id = r.client_id
        WHERE r.sent_on >= :from_day AND r.sent_on < :until_day
    )
    SELECT 'sent' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, service FROM sent
    UNION ALL SELECT 'known', client_id, CASE WHEN outcome <> '' THEN 1 ELSE 0 END, 1, service FROM sent
    UNION ALL SELECT 'accepted', client_id, CASE WHEN accepted OR outcome = 'attended' THEN 1 ELSE 0 END, 1, service
    FROM sent
    UNION ALL SELECT 'attended', client_id, CASE WHEN outcome = 'attended' THEN 1 ELSE 0 END, 1, service FROM sent
    UNION ALL SELECT 'overdue', client_id, CASE WHEN outcome = '' AND ask_on < on_day THEN 1 ELSE 0 END, 1, service
    FROM sent
    UNION ALL SELECT 'days', client_id, days, NULL, service FROM sent WHERE outcome = 'attended'
"""

MEASURE = Measure(
    key="referrals",
    title="Referrals",
    version="1",
    source="Takehome",
    says="Referrals that were made in the period: of how many it is known what became of them, how many clients went,"
    " and of how many nobody knows though the day for asking has passed. The days are those from the referral to the"
    " visit.",
    numerator="referrals, or days",
    denominator="referrals made in the period",
    indicators=(
        Indicator("sent", "referrals made in the period", Figure.COUNT, unit="referrals", people=False),
        Indicator("known", "referrals of which it is known what became of them, of all", people=False),
        Indicator("accepted", "referrals whose place expected the client, or saw them, of all", people=False),
        Indicator("attended", "referrals whose client went, of all", people=False),
        Indicator("overdue", "referrals whose day for asking has passed without an answer, of all", people=False),
        Indicator(
            "days_median", "days from the referral to the visit, in the middle", Figure.MEDIAN, "days", rows="days"
        ),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("service", "What the referral was for."),),
)
