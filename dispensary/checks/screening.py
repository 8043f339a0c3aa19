"""The questions of screening instruments, put to the rules of the room of care."""

from __future__ import annotations

from collections import Counter

from dispensary.care import screening
from dispensary.checks import screening_questions as asked
from dispensary.checks.health import Answered, gravest
from dispensary.checks.typed import bad


def of_assist(question: asked.Assist) -> Answered:
    twice = [name for name, times in Counter(each.substance for each in question.substances).items() if times > 1]
    if twice:
        raise bad("substances", f"{twice[0].capitalize()} is answered twice.", "Answer each substance once.")
    findings = []
    for each in question.substances:
        answers = screening.Answers(
            each.substance, each.use, each.craving, each.problems, each.failed, each.concern, each.cut_down
        )
        try:
            findings.append(screening.assist(answers))
        except screening.BadAnswers as reason:
            raise bad("substances", str(reason), reason.remedy) from None
    injecting = screening.assist_injecting(question.injected, question.injected_days_a_month)
    return gravest([*findings, injecting] if injecting else findings)


def of_dast10(question: asked.Dast10) -> Answered:
    return screening.dast10(question.answers).as_json()


def of_srq20(question: asked.Srq20) -> Answered:
    return screening.srq20(question.answers, positive_from=question.positive_from).as_json()


def of_cows(question: asked.Cows) -> Answered:
    items = {name: getattr(question, name) for name in question.__struct_fields__ if name != "pulse"}
    try:
        return screening.cows(pulse=question.pulse, items=items).as_json()
    except screening.BadAnswers as reason:
        raise bad(reason.item, str(reason), reason.remedy) from None


def of_phq9(question: asked.Phq9) -> Answered:
    return screening.phq9(question.answers).as_json()


def of_gad7(question: asked.Gad7) -> Answered:
    return screening.gad7(question.answers).as_json()


def of_top(question: asked.Top) -> Answered:
    try:
        return screening.top(days=question.days, health=question.health, yes_no=question.yes_no).as_json()
    except screening.BadAnswers as reason:
        asked_in = [name for name in question.__struct_fields__ if reason.item in getattr(question, name)]
        raise bad(asked_in[0] if asked_in else "days", str(reason), reason.remedy) from None
