"""The rules that can be asked, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from dispensary.checks import (
    carrying,
    dosing,
    health,
    health_questions,
    questions,
    screening,
    screening_questions,
)
from dispensary.checks.questions import Question
from dispensary.refusals import NotThere, Refusal


@dataclass(frozen=True)
class Rule:
    """A rule that answers questions of one kind."""

    name: str
    asks: str
    """What it is asked, in a line."""
    question: type[Question]
    answer: Callable[[Any], dict[str, object]]
    """Takes a question of that type. Raises BadInput, which names the field."""

    def schema(self) -> dict[str, Any]:
        """The question as JSON Schema."""
        return msgspec.json.schema(self.question)

    def described(self) -> dict[str, object]:
        return {"rule": self.name, "asks": self.asks, "schema": self.schema()}


RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "missed-days",
            "What the counter may do after consecutive missed days.",
            questions.MissedDays,
            dosing.of_missed_days,
        ),
        Rule(
            "induction-start",
            "Whether a first dose fits the client's tolerance.",
            questions.InductionStart,
            dosing.of_induction_start,
        ),
        Rule(
            "first-day",
            "Whether the first day's total is within the limit.",
            questions.FirstDay,
            dosing.of_first_day,
        ),
        Rule(
            "induction-step",
            "Whether a rise is within step, days between and week.",
            questions.InductionStep,
            dosing.of_induction_step,
        ),
        Rule("taper", "Whether a step down is small and late enough.", questions.Taper, dosing.of_taper),
        Rule(
            "taper-plan",
            "The dated steps of a taper.",
            questions.TaperPlan,
            dosing.of_taper_plan,
        ),
        Rule("vomited", "How much of a vomited dose may be given again.", questions.Vomited, dosing.of_vomited),
        Rule(
            "wrong-dose",
            "What is done after another dose than the ordered one.",
            questions.WrongDose,
            dosing.of_wrong_dose,
        ),
        Rule(
            "take-home",
            "How many dose days a policy lets somebody carry.",
            questions.TakeHome,
            carrying.of_take_home,
        ),
        Rule("split", "Whether levels or a pregnancy speak for a divided dose.", questions.Split, dosing.of_split),
        Rule(
            "prescription-length",
            "Whether an order may run that long.",
            questions.PrescriptionLength,
            dosing.of_prescription_length,
        ),
        Rule(
            "recall-count",
            "How many called-back bottles should be full, how many empty.",
            questions.RecallCount,
            dosing.of_recall_count,
        ),
        Rule("qtc", "What a QT time says, corrected for the heart rate.", health_questions.Qtc, health.of_qtc),
        Rule("alt", "What ALT says, with bilirubin by Hy's rule.", health_questions.Alt, health.of_alt),
        Rule("tb-alt", "Whether TB medicines are stopped because of ALT.", health_questions.TbAlt, health.of_tb_alt),
        Rule("fib-4", "Fibrosis of the liver by FIB-4.", health_questions.Fib4, health.of_fib4),
        Rule("apri", "Fibrosis of the liver by APRI.", health_questions.Apri, health.of_apri),
        Rule(
            "child-pugh", "The class of a liver, and what it means.", health_questions.ChildPugh, health.of_child_pugh
        ),
        Rule("viral-load", "What HIV viral loads say.", health_questions.ViralLoads, health.of_viral_load),
        Rule(
            "adherence", "How much of a time was covered by refills.", health_questions.Adherence, health.of_adherence
        ),
        Rule(
            "interaction",
            "What a substance that starts or stops does with methadone.",
            health_questions.Interaction,
            health.of_interaction,
        ),
        Rule("assist", "Involvement with each substance by ASSIST.", screening_questions.Assist, screening.of_assist),
        Rule("dast-10", "Problems with drugs by DAST-10.", screening_questions.Dast10, screening.of_dast10),
        Rule("srq-20", "Distress by SRQ-20.", screening_questions.Srq20, screening.of_srq20),
        Rule("cows", "Opioid withdrawal by COWS.", screening_questions.Cows, screening.of_cows),
        Rule("phq-9", "Depression by PHQ-9.", screening_questions.Phq9, screening.of_phq9),
        Rule("gad-7", "Anxiety by GAD-7.", screening_questions.Gad7, screening.of_gad7),
        Rule("top", "The past four weeks by TOP.", screening_questions.Top, screening.of_top),
    )
}


def rule(name: str) -> Rule:
    """Raises NotThere, which names the rules that there are."""
    found = RULES.get(name)
    if found is None:
        raise NotThere(Refusal("no-rule", f"There is no rule {name}.", f"The rules are {', '.join(RULES)}."))
    return found
