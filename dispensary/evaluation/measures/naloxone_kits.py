"""Naloxone kits: to how many people they were given, who was shown what to do, and lives that were told of."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum

# A person is a client, or whoever gave the same code; who gave none is another person each time. Ids say nothing else.
QUERY = """
    WITH given AS (
        SELECT coalesce(k.client_id, CAST(md5(k.code_digest) AS uuid), k.id) AS client_id, k.site_id, k.kits, k.trained,
            k.to_whom
        FROM naloxone_kit k JOIN site_day ON site_day.site_id = k.site_id
        WHERE k.given_at <= :as_of AND (k.voided_at IS NULL OR k.voided_at > :as_of)
            AND k.given_on >= :from_day AND k.given_on < :until_day
    ), used AS (
        SELECT u.id AS client_id, u.site_id, u.outcome, u.told_by AS to_whom
        FROM naloxone_use u JOIN site_day ON site_day.site_id = u.site_id
        WHERE u.noted_at <= :as_of AND (u.voided_at IS NULL OR u.voided_at > :as_of)
            AND u.happened_on >= :from_day AND u.happened_on < :until_day
    )
    SELECT 'kits' AS indicator, client_id, kits AS numerator, CAST(NULL AS integer) AS denominator, to_whom, site_id
    FROM given
    UNION ALL SELECT 'people', client_id, 1, NULL, min(to_whom), site_id FROM given GROUP BY client_id, site_id
    UNION ALL SELECT 'trained', client_id, CASE WHEN bool_or(trained) THEN 1 ELSE 0 END, 1, min(to_whom), site_id
    FROM given GROUP BY client_id, site_id
    UNION ALL SELECT 'uses', client_id, 1, NULL, to_whom, site_id FROM used
    UNION ALL SELECT 'lives', client_id, CASE WHEN outcome = 'lives' THEN 1 ELSE 0 END, 1, to_whom, site_id FROM used
"""

MEASURE = Measure(
    key="naloxone-kits",
    title="Naloxone kits and lives",
    version="1",
    source="Takehome, after the counts of UNODC/UNAIDS booklet 3, 2022 (kits, people, lives)",
    says="Kits that were given in the period to clients, peers, families and neighbours, and to how many people:"
    " clients count once, others once for each code that they gave, and who gave none for each time. Uses that were"
    " told of and happened in the period, and how many of those for whom one was used live. What nobody told is not"
    " there.",
    numerator="kits, people or uses",
    denominator="people who were given a kit; uses",
    indicators=(
        Indicator("kits", "kits given", Figure.COUNT, unit="kits", people=False),
        Indicator("people", "people who were given kits", Figure.COUNT),
        Indicator("trained", "people who were shown what to do, of those given", of="people"),
        Indicator("uses", "uses that were told of", Figure.COUNT, unit="uses"),
        Indicator("lives", "uses after which somebody lives, of those told of", of="uses"),
    ),
    query=QUERY,
    strata=("site",),
    own_strata=(OwnStratum("to_whom", "To whom it was given, or by whom it was told."),),
    nameless=True,
)
