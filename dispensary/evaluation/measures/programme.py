"""The programme in figures: registered, in care, begun, ended, dosed, carrying home, tested."""

from __future__ import annotations

from dispensary.evaluation.known import EPISODES, IN_CARE, RESULTS
from dispensary.evaluation.measure import Figure, Indicator, Measure
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import MONTHS

_TESTS = {
    "hiv": ("'hiv_test', 'viral_load'", "HIV"),
    "hcv": ("'hcv_antibody', 'hcv_rna', 'hcv_rna_test'", "hepatitis C"),
    "hbv": ("'hbsag'", "hepatitis B"),
    "tb": ("'tb_screen', 'tb_test'", "tuberculosis"),
}

QUERY = f"""
    WITH care AS ({IN_CARE}), episodes AS ({EPISODES}), given AS (
        SELECT client_id, sum(carried) > 0 AS carried FROM ({MONTHS}) AS months WHERE dosed > 0 GROUP BY client_id
    )
    SELECT DISTINCT 'registered' AS indicator, person.client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator
    FROM person JOIN episodes e ON e.client_id = person.client_id AND e.began_on <= person.on_day
    UNION ALL SELECT 'in_care', client_id, 1, NULL FROM care
    UNION ALL SELECT DISTINCT 'begun', client_id, 1, CAST(NULL AS integer) FROM episodes
    WHERE began_on >= :from_day AND began_on < :until_day
    UNION ALL SELECT DISTINCT 'ended', client_id, 1, CAST(NULL AS integer) FROM episodes
    WHERE ended_on >= :from_day AND ended_on < :until_day
    UNION ALL SELECT 'dosed', client_id, 1, NULL FROM given
    UNION ALL SELECT 'carried', client_id, CASE WHEN carried THEN 1 ELSE 0 END, 1 FROM given
    {
    "".join(
        f"UNION ALL SELECT 'tested_{key}', care.client_id, CASE WHEN care.client_id IN (SELECT r.client_id "
        f"FROM ({RESULTS}) AS r WHERE r.analyte IN ({analytes}) AND r.taken_on >= :from_day "
        "AND r.taken_on < :until_day) THEN 1 ELSE 0 END, 1 FROM care "
        for key, (analytes, _) in _TESTS.items()
    )
}
"""

MEASURE = Measure(
    key="programme",
    title="The programme in figures",
    version="1",
    source="Takehome, after the tables of UNODC/UNAIDS booklet 3, 2022",
    says="Clients who are on record, in care on the last day of the period, who began or ended an episode in it, had a"
    " dose, carried one home; and the share of those in care of whom a result of a test was taken in the period.",
    numerator="clients",
    denominator="clients with a dose in the period, or in care on its last day",
    indicators=(
        Indicator("registered", "clients ever enrolled", Figure.COUNT),
        Indicator("in_care", "clients with a running episode on the last day", Figure.COUNT),
        Indicator("begun", "clients who began an episode in the period", Figure.COUNT),
        Indicator("ended", "clients of whom an episode ended in the period", Figure.COUNT),
        Indicator("dosed", "clients with a dose for a day of the period", Figure.COUNT),
        Indicator("carried", "clients with a take-home dose, of those with a dose", of="dosed"),
        *(
            Indicator(f"tested_{key}", f"tested for {name} in the period, of those in care", of="in_care")
            for key, (_, name) in _TESTS.items()
        ),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
)
