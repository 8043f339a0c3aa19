"""Outreach: contacts outside, how many people they were with, and what was handed out."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum

# A person is whoever gave the same code; who gave none is another person each time. Ids say nothing else.
QUERY = """
    WITH met AS (
        SELECT coalesce(CAST(md5(c.code_digest) AS uuid), c.id) AS client_id, c.id AS contact_id, c.site_id, c.kind,
            c.services
        FROM outreach_contact c JOIN site_day ON site_day.site_id = c.site_id
        WHERE c.noted_at <= :as_of AND (c.voided_at IS NULL OR c.voided_at > :as_of)
            AND c.on_day >= :from_day AND c.on_day < :until_day
    ), handed AS (
        SELECT met.client_id, met.site_id, met.kind, m.material, m.amount
        FROM met JOIN outreach_material m ON m.contact_id = met.contact_id
    )
    SELECT 'contacts' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, kind, site_id
    FROM met
    UNION ALL SELECT 'people', client_id, 1, NULL, min(kind), site_id FROM met GROUP BY client_id, site_id
    UNION ALL SELECT 'told', client_id, CASE WHEN bool_or(cardinality(services) > 0) THEN 1 ELSE 0 END, 1, min(kind),
        site_id FROM met GROUP BY client_id, site_id
    UNION ALL SELECT 'needles', client_id, amount, NULL, kind, site_id FROM handed WHERE material = 'needles'
    UNION ALL SELECT 'needles_back', client_id, amount, NULL, kind, site_id FROM handed
    WHERE material = 'needles_back'
    UNION ALL SELECT 'condoms', client_id, amount, NULL, kind, site_id FROM handed WHERE material = 'condoms'
    UNION ALL SELECT 'leaflets', client_id, amount, NULL, kind, site_id FROM handed WHERE material = 'leaflets'
"""

MEASURE = Measure(
    key="outreach",
    title="Outreach and materials",
    version="1",
    source="Takehome",
    says="Contacts outside in the period, with how many people: those who gave a code count once for it, and who gave"
    " none for each time. How many were told of a service or brought to one, and what was handed out.",
    numerator="contacts, people or things",
    denominator="people",
    indicators=(
        Indicator("contacts", "contacts", Figure.COUNT, unit="contacts", people=False),
        Indicator("people", "people", Figure.COUNT),
        Indicator("told", "people who were told of a service or brought to one, of all", of="people"),
        Indicator("needles", "needles handed out", Figure.COUNT, unit="needles", people=False),
        Indicator("needles_back", "needles taken back", Figure.COUNT, unit="needles", people=False),
        Indicator("condoms", "condoms handed out", Figure.COUNT, unit="condoms", people=False),
        Indicator("leaflets", "leaflets handed out", Figure.COUNT, unit="leaflets", people=False),
    ),
    query=QUERY,
    strata=("site",),
    own_strata=(OwnStratum("kind", "On the street, in a drop-in, or at an event."),),
    nameless=True,
)
