"""Entries from outside: how many came, sent by whom, what they were assessed for, and what became of it."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum

QUERY = """
    WITH came AS (
        SELECT i.id, i.site_id, i.route,
            CASE WHEN i.closed_at <= :as_of THEN i.outcome ELSE 'open' END AS outcome,
            EXISTS (SELECT FROM intake_part p WHERE p.intake_id = i.id AND p.done_at <= :as_of) AS assessed,
            EXISTS (SELECT FROM intake_part p WHERE p.intake_id = i.id AND p.done_at <= :as_of
                AND p.kind = 'health') AS health,
            EXISTS (SELECT FROM intake_part p WHERE p.intake_id = i.id AND p.done_at <= :as_of
                AND p.kind = 'legal') AS legal,
            EXISTS (SELECT FROM intake_part p WHERE p.intake_id = i.id AND p.done_at <= :as_of
                AND p.kind = 'social') AS social,
            EXISTS (SELECT FROM intake_part p WHERE p.intake_id = i.id AND p.done_at <= :as_of
                AND cardinality(p.services) > 0) AS offered,
            EXISTS (SELECT FROM intake_service g WHERE g.intake_id = i.id AND g.given_at <= :as_of
                AND (g.voided_at IS NULL OR g.voided_at > :as_of)) AS given,
            EXISTS (SELECT FROM intake_service g WHERE g.intake_id = i.id AND g.given_at <= :as_of
                AND (g.voided_at IS NULL OR g.voided_at > :as_of) AND g.given = 'referral') AS referred
        FROM intake i JOIN site_day ON site_day.site_id = i.site_id
        WHERE i.taken_at <= :as_of AND i.came_on >= :from_day AND i.came_on < :until_day
    )
    SELECT 'came' AS indicator, id AS client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, route, outcome,
        site_id FROM came
    UNION ALL SELECT part.indicator, id, CASE WHEN part.done THEN 1 ELSE 0 END, 1, route, outcome, site_id
    FROM came CROSS JOIN LATERAL (VALUES ('assessed', assessed), ('health', health), ('legal', legal),
        ('social', social), ('offered', offered), ('given', given), ('referred', referred),
        ('open', outcome = 'open')) AS part (indicator, done)
    UNION ALL SELECT ended.indicator, id, CASE WHEN ended.indicator = outcome THEN 1 ELSE 0 END, 1, route, outcome,
        site_id
    FROM came CROSS JOIN LATERAL (VALUES ('enrolled'), ('elsewhere'), ('not_wanted'), ('not_reached'), ('lapsed'))
        AS ended (indicator)
    WHERE outcome <> 'open'
"""

MEASURE = Measure(
    key="intakes",
    title="Entries from outside",
    version="1",
    source="Takehome",
    says="People who came or were sent before they were clients, in the period, by the site that heard them; somebody"
    " who came twice is counted twice, since nobody is named once it is closed. What they were assessed for, whether"
    " services were offered for it, and what they were given without being a client. Of those that are closed, what"
    " became of it; one that nobody closed in its time lapsed.",
    numerator="entries",
    denominator="entries of the period, or those of them that are closed",
    indicators=(
        Indicator("came", "people who came or were sent", Figure.COUNT),
        Indicator("assessed", "assessed for anything, of all", of="came"),
        Indicator("health", "assessed for their health, of all", of="came"),
        Indicator("legal", "assessed for where they stand with the law, of all", of="came"),
        Indicator("social", "assessed for home and work, of all", of="came"),
        Indicator("offered", "offered one or more services for it, of all", of="came"),
        Indicator("given", "given anything without being a client, of all", of="came"),
        Indicator("referred", "referred to a service without being a client, of all", of="came"),
        Indicator("open", "not closed yet, of all", of="came"),
        Indicator("enrolled", "became clients, of those that are closed"),
        Indicator("elsewhere", "wanted other services than this one, of those that are closed"),
        Indicator("not_wanted", "wanted none of it, of those that are closed"),
        Indicator("not_reached", "were not reached any more, of those that are closed"),
        Indicator("lapsed", "lapsed, of those that are closed"),
    ),
    query=QUERY,
    strata=("site",),
    own_strata=(
        OwnStratum("route", "Who sent them, or that they came by themselves."),
        OwnStratum("outcome", "What became of it; open where it is not closed."),
    ),
    nameless=True,
)
