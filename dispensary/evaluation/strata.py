"""What figures can be split by: facts of a client on the last day of the period, as SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispensary.evaluation.known import ORDERS, TREATMENTS

UNKNOWN = "unknown"
MOST_STRATA = 3
"""By more at once no group is large enough to be shown."""

PERSON = """
    SELECT client.id AS client_id, client.site_id, site_day.today, site_day.on_day
    FROM client JOIN site_day ON site_day.site_id = client.site_id WHERE client.made_at <= :as_of
"""
"""Everybody who was on record; needs the table `site_day` (site_id, today, on_day)."""


@dataclass(frozen=True)
class Stratum:
    """A fact that everybody has one value of, which may be that nobody knows it."""

    key: str
    title: str
    says: str
    value: str
    """SQL over `client`, `person` and what is joined."""
    joined: str = ""


_AGE = "CAST(extract(year FROM person.on_day) AS integer) - client.birth_year"


def _yes_or_no(column: str) -> str:
    return f"CASE WHEN {column} THEN 'yes' WHEN NOT {column} THEN 'no' ELSE 'unknown' END"


STRATA: Mapping[str, Stratum] = {
    stratum.key: stratum
    for stratum in (
        Stratum("site", "Site", "Code of the client's home site.", "site.code"),
        Stratum("sex", "Sex", "As the record has it.", "client.sex"),
        Stratum(
            "age",
            "Age",
            "Years by the year of birth on the last day of the period, in bands.",
            f"""CASE WHEN client.birth_year IS NULL THEN 'unknown' WHEN {_AGE} < 20 THEN 'under 20'
                WHEN {_AGE} < 30 THEN '20-29' WHEN {_AGE} < 40 THEN '30-39' WHEN {_AGE} < 50 THEN '40-49'
                WHEN {_AGE} < 60 THEN '50-59' ELSE '60 and over' END""",
        ),
        Stratum(
            "entry_year",
            "Year of entry",
            "Calendar year in which the client's first episode began.",
            "coalesce(CAST(extract(year FROM entered.began_on) AS text), 'unknown')",
            """LEFT JOIN (SELECT client_id, min(began_on) AS began_on FROM episode GROUP BY client_id) AS entered
                ON entered.client_id = person.client_id""",
        ),
        Stratum(
            "dose",
            "Dose",
            "The order in force on the last day of the period: below 60, 60 to below 80, 80 mg and more, or none.",
            """CASE WHEN ordered.mg IS NULL THEN 'none' WHEN ordered.mg < 60 THEN 'below 60 mg'
                WHEN ordered.mg < 80 THEN '60-79 mg' ELSE '80 mg and more' END""",
            f"""LEFT JOIN LATERAL (SELECT o.mg FROM ({ORDERS}) AS o WHERE o.client_id = person.client_id
                AND o.from_day <= person.on_day AND coalesce(o.until_day > person.on_day, true)
                ORDER BY o.from_day DESC LIMIT 1) AS ordered ON true""",
        ),
        Stratum(
            "take_home",
            "Take-home",
            "The most bottles at once by the decision in force on the last day of the period.",
            """CASE WHEN coalesce(allowed.per_supply, 0) = 0 THEN 'none' WHEN allowed.per_supply <= 6 THEN '1-6'
                WHEN allowed.per_supply <= 13 THEN '7-13' ELSE '14 and more' END""",
            """LEFT JOIN LATERAL (SELECT d.per_supply FROM decision d WHERE d.client_id = person.client_id
                AND d.decided_at <= :as_of AND (d.voided_at IS NULL OR d.voided_at > :as_of)
                AND d.days @> person.on_day ORDER BY d.decided_at DESC LIMIT 1) AS allowed ON true""",
        ),
        Stratum(
            "distance",
            "Distance",
            "How far the client travels to the site, one way, as the record has it now.",
            """CASE WHEN client.distance_km IS NULL THEN 'unknown' WHEN client.distance_km < 5 THEN 'under 5 km'
                WHEN client.distance_km < 20 THEN '5-19 km' ELSE '20 km and more' END""",
        ),
        Stratum("employed", "Employed", "As the record has it now.", _yes_or_no("client.employed")),
        Stratum(
            "art",
            "ART",
            "Whether a treatment with antiretrovirals runs on the last day of the period.",
            "CASE WHEN treated.client_id IS NULL THEN 'no' ELSE 'yes' END",
            f"""LEFT JOIN LATERAL (SELECT t.client_id FROM ({TREATMENTS}) AS t
                WHERE t.client_id = person.client_id AND t.kind = 'art' AND t.started_on <= person.on_day
                AND coalesce(t.stopped_on > person.on_day, true) LIMIT 1) AS treated ON true""",
        ),
    )
}

EVERY_STRATUM = tuple(STRATA)
