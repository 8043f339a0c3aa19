"""What figures can be split by: facts of a client on the last day of the period, as SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispensary.evaluation.known import EPISODES, HOMES_BEFORE, ORDERS, TREATMENTS

UNKNOWN = "unknown"
MOST_STRATA = 3
"""By more at once no group is large enough to be shown."""

PERSON = f"""
    SELECT client.id AS client_id, home.site_id, site_day.today, site_day.on_day
    FROM client JOIN ({HOMES_BEFORE}) AS home ON home.client_id = client.id
    JOIN site_day ON site_day.site_id = home.site_id WHERE client.made_at <= :as_of
"""
"""Everybody on record, at their home on the last day of the period; needs `site_day` (site_id, today, on_day)."""


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


def said(column: str, kind: str) -> str:
    """What a client had told of their circumstances by the as-of moment; needs `said_before`."""
    return f"CASE WHEN {column}_before.changed THEN CAST({column}_before.was AS {kind}) ELSE client.{column} END"


def said_before(column: str) -> str:
    """Joins what stood there before it was first changed after the as-of moment: the audit trail keeps it."""
    return f"""LEFT JOIN LATERAL (
        SELECT CAST(a.details AS jsonb) -> 'was' ->> '{column}' AS was, true AS changed
        FROM audit_entry a
        WHERE a.subject_id = client.id AND a.act = 'noted circumstances' AND a.at > :as_of
            AND jsonb_exists(CAST(a.details AS jsonb) -> 'was', '{column}')
        ORDER BY a.at, a.seq LIMIT 1) AS {column}_before ON true"""


def _yes_or_no(column: str) -> str:
    return f"CASE WHEN {column} THEN 'yes' WHEN NOT {column} THEN 'no' ELSE 'unknown' END"


_KM = said("distance_km", "integer")


STRATA: Mapping[str, Stratum] = {
    stratum.key: stratum
    for stratum in (
        Stratum("site", "Site", "Code of the client's home site on the last day of the period.", "site.code"),
        Stratum("sex", "Sex", "As the record has it.", "client.sex"),
        Stratum(
            "age",
            "Age",
            "Years by the year of birth on the last day of the period, in bands.",
            f"""CASE WHEN client.birth_year IS NULL OR EXISTS (
                    SELECT 1 FROM audit_entry a
                    WHERE a.subject_id = client.id AND a.act = 'noted identity' AND a.at > :as_of
                ) THEN 'unknown' WHEN {_AGE} < 20 THEN 'under 20'
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
            "How far the client travels to the site, one way, as they last said by the as-of moment.",
            f"""CASE WHEN ({_KM}) IS NULL THEN 'unknown' WHEN ({_KM}) < 5 THEN 'under 5 km'
                WHEN ({_KM}) < 20 THEN '5-19 km' ELSE '20 km and more' END""",
            said_before("distance_km"),
        ),
        Stratum(
            "employed",
            "Employed",
            "Work or study, as the client last said by the as-of moment.",
            _yes_or_no(f"({said('employed', 'boolean')})"),
            said_before("employed"),
        ),
        Stratum(
            "entry_route",
            "Entry route",
            "How the client came to the stay that ran on the last day of the period, or to the last one before it.",
            "coalesce(came.entry_route, 'unknown')",
            f"""LEFT JOIN LATERAL (SELECT e.entry_route FROM ({EPISODES}) AS k JOIN episode e ON e.id = k.id
                WHERE k.client_id = person.client_id AND k.began_on <= person.on_day
                ORDER BY k.began_on DESC LIMIT 1) AS came ON true""",
        ),
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
