"""Retention in words: what each figure means, with the parameters that were used in it. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from dispensary.evaluation.log_rank_rules import MOST_GROUPS
from dispensary.evaluation.rules import Role

if TYPE_CHECKING:
    from dispensary.evaluation.retention import Question

VERSION = "2"


def as_of_entry(says: str, question: Question) -> str:
    """What a stratum is, said of the day of which it is here."""
    return says.replace("on the last day of the period", f"on {_day_of_strata(question)}")


def _day_of_strata(question: Question) -> str:
    return "the day on which the stay began" if question.landmark_days is None else "the day of the landmark"


def definition(question: Question, *, of_clinic: bool = True) -> dict[str, object]:
    """The definition in words, with the parameters that were used in it: of the clinic's own records, or of others."""
    days = question.scale.month_days
    months = "calendar months" if days is None else f"months of {_plain(days)} days"
    by_role = {
        role: ", ".join(sorted(reason for reason, has in question.roles.items() if has is role)) or "none"
        for role in Role
    }
    if by_role[Role.EXCLUDED] == "none":
        del by_role[Role.EXCLUDED]
    said: dict[str, object] = {
        "name": "retention",
        "version": VERSION,
        **(_of_clinic(question) if of_clinic else _of_others(question)),
        "roles": {role.value: reasons for role, reasons in by_role.items()},
        "incidence": (
            "The share that had left for a cause, by Aalen and Johansen, over exits that are events or compete with"
            " them; any_event is all events together. The incidence of all causes and the share that is still in"
            " treatment add up to 1; one less the Kaplan-Meier estimate says too much of a cause and is not used for"
            " any. Variance by the delta method (Dinse and Larson 1986), 95 % limits on the log-log scale."
        ),
        "numerator": f"stays that had not ended in an event, at 0 to {max(question.months)} {months}",
    }
    if Role.EXCLUDED in by_role:
        said["excluded"] = (
            "Who left for an excluded reason is not in the cohort from its first day on. That knows at entry what came"
            " later and flatters retention; it is here to compare with tables that were made so."
        )
    if question.landmark_days is not None:
        taken = " Nobody is taken for on take-home before they were: whether the client had it is as it was by then, a"
        taken += " bottle for a day of the stay up to the landmark."
        said["landmark"] = (
            f"Only stays that were going on {question.landmark_days} days after they began are in the cohort, and time"
            f" counts from then.{taken if of_clinic else ''}"
        )
    if question.by or question.landmark_days is not None:
        day = _day_of_strata(question)
        as_it_was = f"by what was so of its client on {day}" if of_clinic else "by the columns of its line in the file"
        said["strata"] = (
            f"Each stay {as_it_was}. A group of fewer than {question.least} clients is hidden, and so is another where"
            " it would be given back by a total."
        )
        said["log_rank"] = (
            "Log-rank test of Mantel and Peto between the groups that are shown, for exits that are events; variance by"
            " the hypergeometric distribution, exact where several leave on one day; computed with 50 digits, p to 8"
            f" places. It is not made of more than {MOST_GROUPS} groups. Among all stays it takes the stays of one"
            " client as if they were of different people."
        )
    if question.cox:
        said["cox"] = (
            "Cox regression of events over first stays on the strata, each by its main effect against its commonest"
            " value; ties by Efron 1977; 95 % limits and p by Wald. Values of fewer than"
            f" {question.least} clients, and those that would give them back, are left out of the model; one that"
            " nobody left has no estimate and changes no other. That the ratio is the same all the time is taken for"
            " granted and not tested: look at the curves. Floating-point arithmetic of statsmodels, to six places."
        )
    return said


def _of_clinic(question: Question) -> dict[str, object]:
    gap = question.gap_days
    return {
        "says": (
            "Time from the first day with a dose to the end of a stay, by Kaplan-Meier; variance by Greenwood; 95 %"
            " limits on the log-log scale. A day has a dose when any portion of it was taken at the counter or handed"
            " over in a bottle, whatever the day of the pickup; a bottle that came back full does not count."
        ),
        "dropped_out": (
            f"No dose for more than {gap} whole days in a row, held days among them. The stay ended on the day after"
            f" its last dose day, not on the day on which somebody noticed. Within {gap} days a return continues the"
            " stay, later it is another one."
        ),
        "stated_exit": (
            "A reason that a person stated goes before the gap rule. Bottles for days after the stated day do not"
            " prolong the stay."
        ),
        "censored": (
            "A stay that is going on is censored at the as-of day, also while its client is without a dose for"
            f" {gap} days or less; one too young for a mark is never counted as retained at it."
        ),
        "denominator": "stays that began in the period with at least one dose; not those enrolled and never dosed",
    }


def _of_others(question: Question) -> dict[str, object]:
    gaps = "No rule of gaps joins episodes."
    if question.gap_days:
        gaps = f"One that begins at most {question.gap_days} whole days after the end of another continues it."
    return {
        "says": (
            "Time from the start of an episode to its end, as the records that were brought in have them, by"
            " Kaplan-Meier; variance by Greenwood; 95 % limits on the log-log scale. An episode ends on the first day"
            f" on which the client was in treatment no longer. {gaps}"
        ),
        "censored": (
            "An episode without an end is censored at the last day that the records know; one too young for a mark is"
            " never counted as retained at it."
        ),
        "denominator": "episodes that began in the period",
    }


def _plain(days: Decimal) -> str:
    return format(days.normalize(), "f")
