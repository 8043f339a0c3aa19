"""Retention in a line: the share still in treatment after so many months, by Kaplan-Meier."""

from __future__ import annotations

from collections.abc import Mapping

from dispensary.database import ReadSession
from dispensary.evaluation.answering import Asked
from dispensary.evaluation.measure import Choice, Exclusion, Figure, Indicator, Measure, Whole
from dispensary.evaluation.retention import DEFAULT_GAP, LONGEST_GAP, Question, retention
from dispensary.evaluation.rules import DEFAULT_ROLES, MARKS, Role
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import NEVER_DOSED

_ROLES = {
    Role.EVENT.value: "it counts as leaving",
    Role.COMPETING.value: "it is observed no longer from then on; its number is told apart in the export of retention",
    Role.CENSORED.value: "it is observed no longer from then on",
}
_CHOSEN = ("transferred", "imprisoned", "died", "completed")

QUERY = f"""
    SELECT 'stay' AS indicator, client_id, numerator, denominator
    FROM unnest(CAST(:clients AS uuid[]), CAST(:times AS numeric[]), CAST(:events AS numeric[]))
        AS stay (client_id, numerator, denominator)
    UNION ALL SELECT 'never_dosed', client_id, CAST(1 AS numeric), CAST(0 AS numeric) FROM ({NEVER_DOSED}) AS never
"""


def _stays(session: ReadSession, asked: Asked) -> Mapping[str, object]:
    """The stays as the estimate takes them: one definition of a stay and of its end, with that of the whole export."""
    roles = {**DEFAULT_ROLES, **{reason: Role(str(asked.parameters[reason])) for reason in _CHOSEN}}
    question = Question(asked.period, asked.as_of, gap_days=int(asked.parameters["gap_days"]), roles=roles)
    found = retention(session, places=asked.places, question=question, now=asked.as_of)
    cohort = found.first if asked.parameters["stays"] == "first" else found.all
    return {
        "clients": [stay.client_id for stay, _ in cohort.observed],
        "times": [seen.time for _, seen in cohort.observed],
        "events": [int(seen.event) for _, seen in cohort.observed],
    }


MEASURE = Measure(
    key="retention-months",
    title="Still in treatment after so many months",
    version="1",
    source="Kaplan and Meier 1958; the stays and their ends as in the export of retention",
    says="Stays that began in the period, in calendar months from the first dose. A stay that is going on, or too"
    " young for the months, is observed to the as-of day and never counted as retained. The export of retention has"
    " variance, limits and the stays themselves.",
    numerator="none: the value is the estimate",
    denominator="stays that were observed so long",
    indicators=(
        Indicator("stays", "stays that began in the period", Figure.RETENTION, rows="stay"),
        *(
            Indicator(
                f"after_{months}", f"still in treatment after {months} months", Figure.RETENTION, at=months, rows="stay"
            )
            for months in MARKS
            if months
        ),
    ),
    query=QUERY,
    parameters=(
        Choice(
            "stays", "Which stays are counted.", "first", {"first": "each client's first stay", "all": "every stay"}
        ),
        Whole("gap_days", "Dropped out after more whole days without a dose.", DEFAULT_GAP, 1, LONGEST_GAP),
        *(
            Choice(reason, f"What an exit counts as whose reason is “{reason}”.", DEFAULT_ROLES[reason].value, _ROLES)
            for reason in _CHOSEN
        ),
    ),
    exclusions=(Exclusion("never_dosed", "clients who began an episode in the period and never had a dose"),),
    strata=EVERY_STRATUM,
    prepared=_stays,
)
