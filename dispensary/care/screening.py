"""Screening instruments, scored from what was answered: ASSIST, DAST-10, SRQ-20, COWS, PHQ-9, GAD-7 and TOP. Pure.

They say where to look further; none of them is a diagnosis, and none decides about a dose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import msgspec

from dispensary.monitoring.findings import Finding, Severity, found, referred
from dispensary.monitoring.sources import Sourced, document


class BadAnswers(ValueError):
    """Answers that the instrument does not know; `item` is the one that is wrong."""

    def __init__(self, item: str, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.item = item
        self.remedy = remedy


class Often(StrEnum):
    """How often in the past three months."""

    NEVER = "never"
    ONCE_OR_TWICE = "once_or_twice"
    MONTHLY = "monthly"
    WEEKLY = "weekly"
    DAILY = "daily"


class Ever(StrEnum):
    """Whether ever, and whether lately."""

    NO = "no"
    EARLIER = "earlier"
    PAST_THREE_MONTHS = "past_three_months"


class Substance(StrEnum):
    """The ten that ASSIST asks about. Opioids are those that nobody prescribed, or taken otherwise than prescribed."""

    TOBACCO = "tobacco"
    ALCOHOL = "alcohol"
    CANNABIS = "cannabis"
    COCAINE = "cocaine"
    AMPHETAMINES = "amphetamines"
    INHALANTS = "inhalants"
    SEDATIVES = "sedatives"
    HALLUCINOGENS = "hallucinogens"
    OPIOIDS = "opioids"
    OTHER = "other"


class AssistFigures(Sourced, frozen=True):
    use: dict[Often, int]
    craving: dict[Often, int]
    problems: dict[Often, int]
    failed: dict[Often, int]
    concern: dict[Ever, int]
    cut_down: dict[Ever, int]
    failed_not_asked_of: tuple[Substance, ...]
    bands: dict[str, dict[str, int]]
    """From which sum on: of alcohol, and of all others."""


class InjectingFigures(Sourced, frozen=True):
    more_than_days_a_month: int


class DastFigures(Sourced, frozen=True):
    points_for_no: tuple[int, ...]
    bands: dict[str, int]


class SrqFigures(Sourced, frozen=True):
    suicide_question: int


class CowsFigures(Sourced, frozen=True):
    pulse_from: dict[int, int]
    items: dict[str, tuple[int, ...]]
    bands: dict[str, int]


class Phq9Figures(Sourced, frozen=True):
    risk_question: int
    bands: dict[str, int]


class Gad7Figures(Sourced, frozen=True):
    bands: dict[str, int]


class TopFigures(Sourced, frozen=True):
    """Days in each of four weeks, how somebody sees their own health, and what is answered by yes or no."""

    weeks: int
    days_a_week: int
    best_health: int
    days: tuple[str, ...]
    health: tuple[str, ...]
    yes_no: tuple[str, ...]


class Screening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The points and bands of every instrument."""

    assist: AssistFigures
    assist_injecting: InjectingFigures
    dast10: DastFigures
    srq20: SrqFigures
    cows: CowsFigures
    phq9: Phq9Figures
    gad7: Gad7Figures
    top: TopFigures


@lru_cache(maxsize=1)
def screening() -> Screening:
    """The figures that come with the program."""
    return msgspec.convert(document("screening", room="dispensary.care"), Screening, strict=False)


@dataclass(frozen=True)
class Answers:
    """What was answered about one substance. Who has not used it lately is not asked three of the questions."""

    substance: Substance
    use: Often
    craving: Often | None = None
    problems: Often | None = None
    failed: Often | None = None
    concern: Ever = Ever.NO
    cut_down: Ever = Ever.NO


def assist(answers: Answers) -> Finding:
    """The involvement with one substance. Raises BadAnswers."""
    by = screening().assist
    points = by.use[answers.use] + by.concern[answers.concern] + by.cut_down[answers.cut_down]
    for name, table in (("craving", by.craving), ("problems", by.problems), ("failed", by.failed)):
        answer: Often | None = getattr(answers, name)
        if name == "failed" and answers.substance in by.failed_not_asked_of:
            if answer is not None:
                raise BadAnswers("failed", f"“failed” is not asked of {answers.substance}.", "Leave it out.")
        elif answers.use is Often.NEVER:
            if answer not in (None, Often.NEVER):
                raise BadAnswers(name, f"{answers.substance} was not used: “{name}” is not asked.", "Leave it out.")
        elif answer is None:
            raise BadAnswers(name, f"“{name}” of {answers.substance} is not answered.", "Answer it.")
        else:
            points += table[answer]
    band = band_of(by.bands.get(answers.substance, by.bands["other"]), points)
    grade, advice = _ASSIST[band]
    return found(
        by,
        "assist",
        grade,
        band,
        f"{answers.substance.capitalize()}: {points} points, {band} risk.",
        advice=advice,
        figures={"substance": answers.substance.value, "points": points},
    )


_ASSIST: Mapping[str, tuple[Severity, str]] = {
    "low": (Severity.NONE, "Tell the result."),
    "moderate": (Severity.INFO, "Offer a brief intervention."),
    "high": (Severity.WARNING, "Offer a brief intervention and a further assessment by a specialist."),
}


def assist_injecting(injected: Ever, days_a_month: int | None = None) -> Finding | None:
    """What injecting lately calls for; nothing for whoever did not. It is no part of any sum."""
    if injected is not Ever.PAST_THREE_MONTHS:
        return None
    by = screening().assist_injecting
    figures = {} if days_a_month is None else {"days_a_month": days_a_month}
    if not by.used or days_a_month is None:
        sentence = "Injected in the past three months: ask how often, and assess further."
        return referred("assist_injecting", sentence, source=by.source, figures=figures)
    often = days_a_month > by.more_than_days_a_month
    advice = "Assess further." if often else "Offer a brief intervention with the card about injecting."
    grade = Severity.WARNING if often else Severity.INFO
    sentence = f"Injected on {days_a_month} days a month."
    return found(
        by, "assist_injecting", grade, "often" if often else "seldom", sentence, advice=advice, figures=figures
    )


def dast10(answers: Sequence[bool]) -> Finding:
    """The ten answers of the past twelve months, in order; a point for yes, but for no where it is turned round."""
    by = screening().dast10
    points = sum(yes != (number in by.points_for_no) for number, yes in enumerate(answers, start=1))
    band = band_of(by.bands, points)
    grade, advice = _DAST[band]
    sentence = f"DAST-10: {points} points, {band if band != 'none' else 'no'} problem with drugs reported."
    return found(by, "dast10", grade, band, sentence, advice=advice, figures={"points": points})


_DAST: Mapping[str, tuple[Severity, str]] = {
    "none": (Severity.NONE, ""),
    "low": (Severity.NONE, "Watch, and ask again later."),
    "moderate": (Severity.INFO, "Look further into it."),
    "substantial": (Severity.WARNING, "Assess intensively."),
    "severe": (Severity.WARNING, "Assess intensively."),
}


def srq20(answers: Sequence[bool], *, positive_from: int | None = None) -> Finding:
    """The twenty answers of the past thirty days, in order; positive from the cut-off that the setting has found.

    Whoever thought of ending their life is assessed at once, whatever the sum.
    """
    by = screening().srq20
    points = sum(answers)
    figures = {"points": points, "positive_from": positive_from}
    if answers[by.suicide_question - 1]:
        return found(
            by,
            "srq20",
            Severity.URGENT,
            "risk",
            f"SRQ-20: {points} points, and thoughts of ending their life.",
            advice="Assess the risk of suicide now, whatever the sum is. Do not leave them alone with it.",
            figures=figures,
        )
    if positive_from is None:
        sentence = f"SRQ-20: {points} points. No cut-off is set here."
        return referred("srq20", sentence, source=by.source, figures=figures)
    if points >= positive_from:
        sentence = f"SRQ-20: {points} points, positive from {positive_from}."
        return found(
            by, "srq20", Severity.WARNING, "positive", sentence, advice="Assess mental health.", figures=figures
        )
    sentence = f"SRQ-20: {points} points, below {positive_from}."
    return found(by, "srq20", Severity.NONE, "negative", sentence, figures=figures)


def cows(*, pulse: int, items: Mapping[str, int]) -> Finding:
    """Opioid withdrawal as it is seen now: the pulse a minute, and the points of each sign. Raises BadAnswers."""
    by = screening().cows
    for name, allowed in by.items.items():
        if items.get(name) not in allowed:
            known = ", ".join(map(str, allowed))
            raise BadAnswers(name, f"{name.replace('_', ' ').capitalize()} has {known} points.", "Choose one of them.")
    of_pulse = int(band_of({str(points): least for least, points in by.pulse_from.items()}, pulse))
    points = of_pulse + sum(items[name] for name in by.items)
    band = band_of(by.bands, points)
    sentence = f"COWS: {points} points, {'no' if band == 'none' else band.replace('_', ' ')} withdrawal."
    figures = {"points": points, "pulse_points": of_pulse}
    return found(by, "cows", _COWS[band], band, sentence, figures=figures)


_COWS: Mapping[str, Severity] = {
    "none": Severity.NONE,
    "mild": Severity.INFO,
    "moderate": Severity.WARNING,
    "moderately_severe": Severity.WARNING,
    "severe": Severity.URGENT,
}


def phq9(answers: Sequence[int]) -> Finding:
    """Nine answers of 0 to 3, of the past two weeks. Any answer but 0 to the ninth is assessed at once. BadAnswers."""
    by = screening().phq9
    points = _sum_of(answers)
    band = band_of(by.bands, points)
    figures = {"points": points, "band": band}
    if answers[by.risk_question - 1]:
        return found(
            by,
            "phq9",
            Severity.URGENT,
            "risk",
            f"PHQ-9: {points} points, and thoughts of death or of hurting themselves.",
            advice="Assess the risk of suicide now, whatever the sum is. Do not leave them alone with it.",
            figures=figures,
        )
    sentence = f"PHQ-9: {points} points, {band.replace('_', ' ')}."
    return found(by, "phq9", _DISTRESS[band], band, sentence, advice=_LOOK[_DISTRESS[band]], figures=figures)


def gad7(answers: Sequence[int]) -> Finding:
    """Seven answers of 0 to 3, of the past two weeks. Raises BadAnswers."""
    by = screening().gad7
    points = _sum_of(answers)
    band = band_of(by.bands, points)
    sentence = f"GAD-7: {points} points, {band}."
    return found(by, "gad7", _DISTRESS[band], band, sentence, advice=_LOOK[_DISTRESS[band]], figures={"points": points})


_DISTRESS: Mapping[str, Severity] = {
    "minimal": Severity.NONE,
    "mild": Severity.INFO,
    "moderate": Severity.WARNING,
    "moderately_severe": Severity.WARNING,
    "severe": Severity.WARNING,
}
_LOOK: Mapping[Severity, str] = {
    Severity.NONE: "",
    Severity.INFO: "Watch, and ask again later.",
    Severity.WARNING: "Assess mental health.",
}


def _sum_of(answers: Sequence[int]) -> int:
    for number, answer in enumerate(answers, start=1):
        if answer not in _BOTHERED:
            raise BadAnswers(f"q{number}", f"Question {number} has 0 to 3 points.", "Choose one of them.")
    return sum(answers)


_BOTHERED = (0, 1, 2, 3)


def top(
    *, days: Mapping[str, Sequence[int | None]], health: Mapping[str, int | None], yes_no: Mapping[str, bool | None]
) -> Finding:
    """The past four weeks as they are told: days of each week, the last week first. There is no sum and no judgement.

    What was not disclosed stays open. Raises BadAnswers for more than seven days in a week, or another part.
    """
    by = screening().top
    figures: dict[str, object] = {}
    for name, weeks in days.items():
        if name not in by.days or len(weeks) != by.weeks:
            raise BadAnswers(name, f"{name.capitalize()} is no part of it with {by.weeks} weeks.", "Correct it.")
        if any(each is not None and not 0 <= each <= by.days_a_week for each in weeks):
            raise BadAnswers(name, f"A week has 0 to {by.days_a_week} days.", "Correct it.")
        told = [each for each in weeks if each is not None]
        if len(told) == by.weeks:
            figures[f"{name}_days"] = sum(told)
        elif told:
            raise BadAnswers(name, f"{name.capitalize()} is answered for some weeks only.", "Answer all four, or none.")
    for name, sees in health.items():
        if name not in by.health or (sees is not None and not 0 <= sees <= by.best_health):
            raise BadAnswers(name, f"Health is told from 0 to {by.best_health}.", "Correct it.")
        if sees is not None:
            figures[name] = sees
    for name, yes in yes_no.items():
        if name not in by.yes_no:
            raise BadAnswers(name, f"{name.capitalize()} is no part of it.", "Leave it out.")
        if yes is not None:
            figures[name] = yes
    if not figures:
        raise BadAnswers("psychological", "Nothing was answered.", "Answer what they want to tell.")
    sentence = "TOP: the past four weeks as they were told."
    return found(by, "top", Severity.NONE, "told", sentence, figures=figures)


def band_of(bands: Mapping[str, int], points: int) -> str:
    """The band with the highest beginning that the points reach."""
    return max((least, name) for name, least in bands.items() if points >= least)[1]
