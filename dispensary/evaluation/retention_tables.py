"""The tables of an export of retention and its statement: each figure can be traced to rows of the stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from dispensary.evaluation.cohorts import KINDS, Cohort
from dispensary.evaluation.cox import Model
from dispensary.evaluation.crowds import UNTOLD, Shield, Traits, told_of
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.log_rank_rules import Levels
from dispensary.evaluation.retention import Retention
from dispensary.evaluation.retention_words import as_of_entry
from dispensary.evaluation.rules import IN_TREATMENT
from dispensary.evaluation.stating import pseudonym, statement
from dispensary.evaluation.strata import STRATA
from dispensary.evaluation.tables import Column, Columns, figure, whole
from dispensary.keys import Vault

ALL = "all"
HIDDEN = "hidden"
_LIMITS: Columns = {
    "lower_95": figure("95 % limits on the log-log scale; empty where the estimate is 1 or 0"),
    "upper_95": figure("see lower_95"),
}
_KIND: Columns = {"stays": Column("first: each client's first stay; all: every stay")}
_MONTHS: Columns = {"months": whole("months since the time began")}
_TIME: Columns = {"months": figure("months since the time began, a day past them as a part of a month")}
_AT_RISK: Columns = {"at_risk": whole("stays that were observed until then")}
RETENTION: Columns = {
    **_MONTHS,
    **_AT_RISK,
    "events": whole("exits that count as events, up to and including then"),
    "censored": whole("stays whose observation ended otherwise, up to and including then"),
    "retention": figure("Kaplan-Meier estimate; empty where nobody was observed that long"),
    "variance": figure("Greenwood's variance of it"),
    **_LIMITS,
}
CURVE: Columns = {
    **_TIME,
    **_AT_RISK,
    "events": whole("exits at this time that count as events"),
    "censored": whole("stays whose observation ended at this time otherwise"),
    "retention": figure("Kaplan-Meier estimate from this time to the next"),
    **_LIMITS,
}
_CAUSE: Columns = {"cause": Column("the reason of the exits; any_event: all that count as events")}
GROUPS: Columns = {
    "of": whole("stays"),
    "clients": whole("whose they are"),
    "events": whole("stays that ended in an event"),
    "median_months": figure("when the curve comes down to a half; empty where it does not"),
    "lower_95": figure("when its lower limit does (Brookmeyer and Crowley)"),
    "upper_95": figure("when its upper limit does"),
}
INCIDENCE: Columns = {
    **_CAUSE,
    **_MONTHS,
    **_AT_RISK,
    "exits": whole("stays that ended for the cause, up to and including then"),
    "incidence": figure("share that had left for it, by Aalen and Johansen; empty where nobody was observed that long"),
    "variance": figure("its variance by the delta method"),
    **_LIMITS,
}
INCIDENCE_CURVE: Columns = {
    **_CAUSE,
    **_TIME,
    **_AT_RISK,
    "exits": whole("stays that ended for the cause at this time"),
    "incidence": figure("share that had left for it, from this time to the next such"),
    "variance": figure("its variance by the delta method"),
    **_LIMITS,
}
LOG_RANK: Columns = {
    "of": whole("stays in the group"),
    "observed": whole("events that it had"),
    "expected": figure("events that it would have had, did all groups leave at one rate"),
    "chi_square": figure("of the whole test: the same in each row of a kind"),
    "degrees": whole("of freedom, of the whole test"),
    "p": figure("the chance of such a difference or a larger one were there none, of the whole test"),
}
COX: Columns = {
    "stratum": Column("which stratum; each is compared within itself, the others being equal"),
    "level": Column("its value"),
    "of": whole("first stays that have it; empty where stays were left out, whom a difference would give back"),
    "events": whole("those of them that ended in an event; empty like them"),
    "log_ratio": figure(
        "logarithm of the hazard ratio; 0 for the commonest value, with which the others are compared; empty for one"
        " that nobody left"
    ),
    "error": figure("its standard error"),
    "ratio": figure("hazard ratio: how much faster such stays end"),
    "lower_95": figure("95 % limits of the ratio by Wald"),
    "upper_95": figure("see lower_95"),
    "p": figure("Wald's test of a ratio of 1"),
}
STAYS: Columns = {
    "client": Column("pseudonym of the client, in this export alone"),
    "stay": whole("the client's first, second, ... stay"),
    "days": whole(
        "days from the first day of the stay, or from the landmark, to its end; of a stay that goes on whole times 28,"
        " rounded down"
    ),
    "months": figure("the same in months, as the curve counts them"),
    "event": whole("1 when it ended in an event"),
    "ending": Column("the reason of the exit, or in_treatment"),
    "role": Column("what that reason counts as"),
}


def write_tables(
    out: Export, answer: Retention, vault: Vault, purpose: str, shield: Shield, model: Model | None
) -> list[Table]:
    """Writes every table of the answer; a group that is hidden is in none of them, and its stays say so."""
    strata = {} if answer.split is None else {key: Column(_says(answer, key)) for key in answer.split.by}
    first: Columns = {**_KIND, **strata}
    tables = [
        out.table("", {**first, **RETENTION}, _mark_rows(answer)),
        out.table("-groups", {**first, **GROUPS}, _group_rows(answer)),
        out.table("-curve", {**first, **CURVE}, _curve_rows(answer)),
        out.table("-incidence", {**first, **INCIDENCE}, _incidence_rows(answer)),
        out.table("-incidence-curve", {**first, **INCIDENCE_CURVE}, _incidence_curve_rows(answer)),
        out.table("-stays", {**STAYS, **strata}, _stay_rows(answer, vault, purpose, shield)),
    ]
    if answer.split is not None:
        tables.append(out.table("-log-rank", {**first, **LOG_RANK}, _log_rank_rows(answer)))
    if model is not None:
        tables.append(out.table("-cox", COX, _cox_rows(model)))
    return tables


def _says(answer: Retention, key: str) -> str:
    if answer.records is not None:
        says = "As the file has it."
    else:
        says = "Whether the client had had a bottle at home by the landmark."
        says = as_of_entry(STRATA[key].says, answer.question) if key in STRATA else says
    return f"{says} “{ALL}” is everybody."


def _cohorts(answer: Retention) -> Iterator[tuple[tuple[str, ...], Cohort]]:
    """Each cohort that is shown, after what it is called in the first columns."""
    width = len(answer.split.by) if answer.split else 0
    for kind in KINDS:
        yield (kind, *(ALL,) * width), answer.first if kind == "first" else answer.all
        for group in answer.split.shown if answer.split else ():
            yield (kind, *group.levels), group.cohort(kind)


def _figure(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.00000001"))


def _mark_rows(answer: Retention) -> Iterator[tuple[object, ...]]:
    for called, cohort in _cohorts(answer):
        for mark in cohort.marks:
            figures = (mark.retention, mark.variance, mark.lower, mark.upper)
            yield *called, mark.months, mark.at_risk, mark.events, mark.censored, *map(_figure, figures)


def _group_rows(answer: Retention) -> Iterator[tuple[object, ...]]:
    for called, cohort in _cohorts(answer):
        median = cohort.curve.median
        times = (median.time, median.lower, median.upper)
        months = (None if time is None else cohort.scale.months(time) for time in times)
        yield *called, cohort.curve.n, cohort.clients, cohort.curve.events, *months


def _curve_rows(answer: Retention) -> Iterator[tuple[object, ...]]:
    for called, cohort in _cohorts(answer):
        for point in cohort.curve.points:
            months = cohort.scale.months(point.time)
            figures = (point.survival, point.lower, point.upper)
            yield *called, months, point.at_risk, point.events, point.censored, *map(_figure, figures)


def _incidence_rows(answer: Retention) -> Iterator[tuple[object, ...]]:
    for called, cohort in _cohorts(answer):
        for mark in cohort.incidence_marks:
            figures = (mark.incidence, mark.variance, mark.lower, mark.upper)
            yield *called, mark.cause, mark.months, mark.at_risk, mark.exits, *map(_figure, figures)


def _incidence_curve_rows(answer: Retention) -> Iterator[tuple[object, ...]]:
    for called, cohort in _cohorts(answer):
        for each in cohort.incidence.of:
            for step in each.steps:
                months = cohort.scale.months(step.time)
                figures = (step.incidence, step.variance, step.lower, step.upper)
                yield *called, each.cause, months, step.at_risk, step.exits, *map(_figure, figures)


def _log_rank_rows(answer: Retention) -> Iterator[tuple[object, ...]]:
    for kind in KINDS:
        tested = answer.split.log_rank[kind] if answer.split else None
        for each in tested.groups if tested else ():
            figures = (_figure(tested.chi_square), tested.degrees, _figure(tested.p)) if tested else ()
            yield kind, *each.levels, each.n, each.observed, _figure(each.expected), *figures


def _cox_rows(model: Model) -> Iterator[tuple[object, ...]]:
    for effect in model.effects:
        yield astuple(replace(effect, n=None, events=None) if model.left_out else effect)


@dataclass(frozen=True, slots=True)
class _Of:
    """Whose stay it is, in the words of which others are told apart."""

    client_id: UUID
    year: int
    levels: Levels


def _whose(answer: Retention) -> dict[tuple[UUID, int], _Of]:
    """Of each stay who had it, in which year it began and in which group it is."""
    of: dict[tuple[object, int], Levels] = {}
    if answer.split is not None:
        hides = (HIDDEN,) * len(answer.split.by)
        for group in answer.split.groups:
            levels = group.levels if group.shown else hides
            of |= {(stay.client_id, stay.number): levels for stay, _ in group.all.observed}
    return {
        (stay.client_id, stay.number): _Of(
            stay.client_id, stay.first_day.year, of.get((stay.client_id, stay.number), ())
        )
        for stay, _ in answer.all.observed
    }


def _told(answer: Retention, shield: Shield) -> dict[tuple[UUID, int], Levels]:
    """The stays that are told, with their group, or that it is hidden: enough others share it and their year."""
    whose = _whose(answer)
    among = shield.among({of: Traits(f"{of.year}", json.dumps(of.levels)) for of in whose.values()})
    return {
        stay: (HIDDEN,) * len(of.levels) if among[of].site == UNTOLD else of.levels
        for stay, of in whose.items()
        if of in among
    }


def _stay_rows(answer: Retention, vault: Vault, purpose: str, shield: Shield) -> Iterator[tuple[object, ...]]:
    told = _told(answer, shield)
    named = sorted(
        (
            (pseudonym(vault, purpose, stay.client_id), stay, seen)
            for stay, seen in answer.all.observed
            if (stay.client_id, stay.number) in told
        ),
        key=lambda row: (row[0], row[1].number),
    )
    scale = answer.question.scale
    for name, stay, seen in named:
        days, time = seen.days, seen.time
        if seen.ending == IN_TREATMENT:
            days = shield.rounded(days)
            time = scale.time(stay.first_day, stay.first_day + timedelta(days=days))
        levels = told[stay.client_id, stay.number]
        yield name, stay.number, days, scale.months(time), int(seen.event), seen.ending, seen.role.value, *levels


def retention_statement(answer: Retention, shield: Shield, model: Model | None) -> dict[str, object]:
    """What the manifest says of the answer."""
    question, left_out = answer.question, answer.left_out
    said = statement("retention", answer.places, question.period, question.as_of, answer.definition()) | {
        "figures": {
            kind: {
                "stays": cohort.curve.n,
                "clients": cohort.clients,
                "events": cohort.curve.events,
                "endings": cohort.endings,
            }
            for kind, cohort in (("first", answer.first), ("all", answer.all))
        },
        "exclusions": [{"what": "stays that began outside the period", "count": answer.outside_period}],
        "parameters": {
            "gap_days": question.gap_days or None,
            "months": list(question.months),
            "month_days": question.scale.month_days,
            "roles": {reason: role.value for reason, role in sorted(question.roles.items())},
            "by": list(question.by),
            "landmark_days": question.landmark_days,
        },
    }
    exclusions: list[dict[str, object]] = said["exclusions"]  # type: ignore[assignment]
    if answer.records is not None:
        said["records"] = asdict(answer.records)
        del said["sites"]
    else:
        says = "clients who began an episode in the period and never had a dose"
        exclusions.insert(0, {"what": says, "count": answer.never_dosed})
        said["going_on_without_a_dose_for_a_day_or_more"] = answer.in_gap
    if left_out.role:
        exclusions.append({"what": "stays whose exit has the role excluded", "count": left_out.role})
    if question.landmark_days is not None:
        exclusions += [
            {"what": "stays that were over by the landmark", "count": left_out.over_by_landmark},
            {"what": "stays that were not observed to the landmark", "count": left_out.unseen_at_landmark},
        ]
    if shield.least > 1:
        few = len(answer.all.observed) - len(_told(answer, shield))
        says = f"stays of a year in which fewer than {shield.least} clients began one: not in their rows"
        exclusions.append({"what": says, "count": told_of(few, shield.least)})
    if model is not None:
        told = ("n", "events", "left_out", "without_events", "log_likelihood", "chi_square", "degrees", "p")
        said["cox"] = {name: getattr(model, name) for name in told}
    if answer.split is not None:
        said["groups_not_shown"] = [list(levels) for levels in answer.split.hidden]
    return said
