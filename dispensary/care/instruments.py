"""Which screening instruments there are, what each asks item by item, and what its answers come to. Pure.

An answer is kept as the word or number that was chosen, by the name of its item; what an instrument skips is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import msgspec

from dispensary.care import screening as rules
from dispensary.care.screening import BadAnswers, Ever, Often, Substance
from dispensary.monitoring.findings import Finding, Severity
from dispensary.monitoring.sources import Sourced, document
from dispensary.staff.rules import Role

Answers = Mapping[str, str]
LOWEST_PULSE, HIGHEST_PULSE = 20, 300
"""Beats a minute that somebody who answers can have; anything else was mistyped."""


class Asks(StrEnum):
    """What kind of answers an instrument takes."""

    SUBSTANCES = "substances"
    YES_NO = "yes_no"
    SIGNS = "signs"
    BOTHERED = "bothered"
    WEEKS = "weeks"


class Wording(StrEnum):
    """Whose words an instrument's items are: its own, or a few of this program's for each."""

    FULL = "full"
    TOPICS = "topics"


class Instrument(Sourced, frozen=True):
    """An instrument as the program ships it."""

    key: str
    name: str
    about: str
    period: str
    asks: Asks
    words: Wording
    rights: str
    roles: tuple[Role, ...]
    """Who may use it until a site says otherwise."""
    items: tuple[str, ...] = ()
    lead: str = ""
    """What the form says before its items, where its own words are shown."""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    instrument: tuple[Instrument, ...]


@lru_cache(maxsize=1)
def instruments() -> Mapping[str, Instrument]:
    """Those that come with the program, by their key."""
    found = msgspec.convert(document("instruments", room="dispensary.care"), _Document, strict=False)
    return {each.key: each for each in found.instrument}


@dataclass(frozen=True)
class Question:
    """An item as a form asks it: one of several choices, or a whole number within bounds.

    Its words are English; where they are topics of this program's own they are shown in the reader's language.
    """

    name: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()
    """Value and word."""
    most: int = 0
    least: int = 0
    group: str = ""
    """Below which heading it stands; of ASSIST the substance."""
    skippable: bool = False
    """Whether it may be left open."""


_YES_NO = (("yes", "Yes"), ("no", "No"))
_OFTEN = tuple(zip(Often, ("Never", "Once or twice", "Monthly", "Weekly", "Daily or almost daily"), strict=True))
_EVER = tuple(
    zip(Ever, ("No, never", "Yes, but not in the past three months", "Yes, in the past three months"), strict=True)
)
_BOTHERED = (
    ("0", "Not at all"),
    ("1", "Several days"),
    ("2", "More than half the days"),
    ("3", "Nearly every day"),
)
_ASSIST = (
    ("use", "How often used", _OFTEN),
    ("craving", "How often a strong desire", _OFTEN),
    ("problems", "How often health, social, legal or money problems from it", _OFTEN),
    ("failed", "How often failed to do what was expected", _OFTEN),
    ("concern", "Has anybody been concerned about it", _EVER),
    ("cut_down", "Tried to cut down and could not", _EVER),
)
_SUBSTANCES = {
    Substance.TOBACCO: "Tobacco",
    Substance.ALCOHOL: "Alcohol",
    Substance.CANNABIS: "Cannabis",
    Substance.COCAINE: "Cocaine",
    Substance.AMPHETAMINES: "Amphetamine-type stimulants",
    Substance.INHALANTS: "Inhalants",
    Substance.SEDATIVES: "Sedatives or sleeping pills",
    Substance.HALLUCINOGENS: "Hallucinogens",
    Substance.OPIOIDS: "Opioids, other than as prescribed",
    Substance.OTHER: "Anything else",
}
_SIGNS = {
    "sweating": "Sweating",
    "restlessness": "Restlessness",
    "pupils": "Size of the pupils",
    "aches": "Bone or joint aches",
    "nose_or_eyes": "Runny nose or tearing",
    "stomach": "Stomach upset",
    "tremor": "Tremor of outstretched hands",
    "yawning": "Yawning",
    "anxiety": "Anxiety or irritability",
    "gooseflesh": "Gooseflesh",
}
_WEEKS = {
    "alcohol": "Alcohol", "opioids": "Opioids, not prescribed", "crack": "Crack", "cocaine": "Cocaine",
    "amphetamines": "Amphetamines", "cannabis": "Cannabis", "other": "Another substance", "injecting": "Injected",
    "work": "Paid work", "education": "College or school", "psychological": "Psychological health",
    "physical": "Physical health", "quality_of_life": "Quality of life", "housing": "Acute housing problem",
    "eviction": "At risk of eviction", "shared_needle": "Needle or syringe of somebody else",
    "shared_spoon": "Spoon, water or filter of somebody else",
}  # fmt: skip


def words_of(part: str) -> str:
    """What a part of an instrument is called: a substance of ASSIST, a line of TOP; nothing for a whole."""
    named = {each.value: word for each, word in _SUBSTANCES.items()}
    return named.get(part) or _WEEKS.get(part.removesuffix("_days"), "")


def questions(instrument: Instrument) -> Sequence[Question]:
    """Everything that an instrument can ask, in its order."""
    return tuple(_ASKED[instrument.asks](instrument))


def _substances(_: Instrument) -> Iterator[Question]:
    for substance, word in _SUBSTANCES.items():
        yield Question(f"{substance}_ever", "Ever used", _YES_NO, group=word)
        for item, label, choices in _ASSIST:
            if item != "failed" or substance not in rules.screening().assist.failed_not_asked_of:
                yield Question(f"{substance}_{item}", label, choices, group=word)
    yield Question("injected", "Ever injected, not for a medical reason", _EVER, group="Injecting")
    yield Question("injected_days", "On how many days a month", most=31, group="Injecting", skippable=True)


def _yes_no(instrument: Instrument) -> Iterator[Question]:
    return (Question(f"q{n}", item, _YES_NO) for n, item in enumerate(instrument.items, start=1))


def _bothered(instrument: Instrument) -> Iterator[Question]:
    return (Question(f"q{n}", item, _BOTHERED) for n, item in enumerate(instrument.items, start=1))


def _signs(_: Instrument) -> Iterator[Question]:
    yield Question("pulse", "Pulse a minute, at rest", least=LOWEST_PULSE, most=HIGHEST_PULSE)
    for item, points in rules.screening().cows.items.items():
        yield Question(item, _SIGNS[item], tuple((str(each), str(each)) for each in points))


def _weeks(_: Instrument) -> Iterator[Question]:
    by = rules.screening().top
    for item in by.days:
        for week in range(1, by.weeks + 1):
            label = f"{_WEEKS[item]}: days, {'last week' if week == 1 else f'week {week} back'}"
            yield Question(f"{item}_{week}", label, most=by.days_a_week, group=_WEEKS[item], skippable=True)
    for item in by.health:
        yield Question(item, f"{_WEEKS[item]}, 0 poor to {by.best_health} good", most=by.best_health, skippable=True)
    for item in by.yes_no:
        yield Question(item, _WEEKS[item], _YES_NO, skippable=True)


_ASKED = {
    Asks.SUBSTANCES: _substances,
    Asks.YES_NO: _yes_no,
    Asks.SIGNS: _signs,
    Asks.BOTHERED: _bothered,
    Asks.WEEKS: _weeks,
}


def kept(instrument: Instrument, typed: Answers) -> dict[str, str]:
    """What is kept of what was typed: of each item that was asked a word that it knows. Raises the first BadAnswers.

    What the answers before it skip is not read: a page that no longer shows a question may still send it.
    """
    for fault in faults(instrument, typed):
        raise fault
    given = ((question, typed.get(question.name, "").strip()) for question in _asked(instrument, typed))
    return {q.name: answer if q.choices else str(int(answer)) for q, answer in given if answer}


def faults(instrument: Instrument, typed: Answers) -> list[BadAnswers]:
    """Everything that is wrong with what was typed, each by its item: nothing chosen, another word, a number beyond."""
    found = (_fault(question, typed.get(question.name, "").strip()) for question in _asked(instrument, typed))
    return [each for each in found if each is not None]


def _fault(question: Question, answer: str) -> BadAnswers | None:
    if not answer:
        if question.skippable:
            return None
        return BadAnswers(question.name, f"{_of(question)} is not answered.", "Answer it.")
    if question.choices:
        known = answer in [value for value, _ in question.choices]
        return (
            None if known else BadAnswers(question.name, f"{_of(question)} has no such answer.", "Choose one of them.")
        )
    if answer.isascii() and answer.isdigit() and question.least <= int(answer[:9]) <= question.most:
        return None
    sentence = f"{_of(question)} is a whole number from {question.least} to {question.most}."
    return BadAnswers(question.name, sentence, "Correct it.")


def _of(question: Question) -> str:
    return f"“{question.group}: {question.label}”" if question.group else f"“{question.label}”"


def _asked(instrument: Instrument, typed: Answers) -> Iterator[Question]:
    skipped = set(_skipped(instrument, typed))
    return (question for question in questions(instrument) if question.name not in skipped)


def _skipped(instrument: Instrument, typed: Answers) -> Iterator[str]:
    if instrument.asks is not Asks.SUBSTANCES:
        return
    for substance in Substance:
        of = f"{substance}_"
        if typed.get(f"{of}ever") != "yes":
            yield from (f"{of}{item}" for item, _, _ in _ASSIST)
        elif typed.get(f"{of}use") == Often.NEVER:
            yield from (f"{of}{item}" for item in ("craving", "problems", "failed"))
    if typed.get("injected") != Ever.PAST_THREE_MONTHS:
        yield "injected_days"


@dataclass(frozen=True)
class Score:
    """What one part of an instrument came to."""

    part: str
    """A substance, a line of TOP; empty for the whole."""
    points: int
    band: str
    """Empty where the instrument has none, or no cut-off is set."""


@dataclass(frozen=True)
class Scored:
    """What answers came to."""

    scores: tuple[Score, ...]
    findings: tuple[Finding, ...]

    @property
    def gravest(self) -> Finding:
        return max(self.findings, key=lambda each: each.severity)

    @property
    def risk(self) -> Finding | None:
        """That somebody may end their life, which is answered whatever the sum is."""
        return next(
            (each for each in self.findings if each.severity is Severity.URGENT and each.finding == "risk"), None
        )


def score(instrument: Instrument, answers: Answers, *, positive_from: int | None = None) -> Scored:
    """Raises BadAnswers for what the instrument does not know. `positive_from` is the setting's own, for SRQ-20."""
    match instrument.asks:
        case Asks.SUBSTANCES:
            return _of_assist(kept(instrument, answers))
        case Asks.SIGNS:
            items = {name: int(answers[name]) for name in rules.screening().cows.items}
            return _whole(rules.cows(pulse=int(answers["pulse"]), items=items))
        case Asks.WEEKS:
            return _of_top(answers)
        case Asks.BOTHERED:
            points = [int(answers[f"q{n}"]) for n in range(1, len(instrument.items) + 1)]
            return _whole(rules.phq9(points) if instrument.key == "phq9" else rules.gad7(points))
    yes = [answers[f"q{n}"] == "yes" for n in range(1, len(instrument.items) + 1)]
    if instrument.key == "dast10":
        return _whole(rules.dast10(yes))
    found = rules.srq20(yes, positive_from=positive_from)
    band = "" if positive_from is None else "positive" if sum(yes) >= positive_from else "negative"
    return Scored((Score("", sum(yes), band),), (found,))


def _whole(found: Finding) -> Scored:
    points = found.figures["points"]
    assert isinstance(points, int)
    return Scored((Score("", points, str(found.figures.get("band", found.finding))),), (found,))


def _of_assist(answers: Answers) -> Scored:
    scores, findings = [], []
    for substance in Substance:
        if answers[f"{substance}_ever"] != "yes":
            continue

        def said(item: str, of: str = substance.value) -> str | None:
            return answers.get(f"{of}_{item}")

        try:
            found = rules.assist(
                rules.Answers(
                    substance,
                    use=Often(said("use") or ""),
                    craving=_often(said("craving")),
                    problems=_often(said("problems")),
                    failed=_often(said("failed")),
                    concern=Ever(said("concern") or ""),
                    cut_down=Ever(said("cut_down") or ""),
                )
            )
        except BadAnswers as reason:
            raise BadAnswers(f"{substance}_{reason.item}", str(reason), reason.remedy) from None
        points = found.figures["points"]
        assert isinstance(points, int)
        scores.append(Score(substance.value, points, found.finding))
        findings.append(found)
    days = answers.get("injected_days")
    injecting = rules.assist_injecting(Ever(answers["injected"]), int(days) if days else None)
    none = Finding("assist", Severity.NONE, "none", "No substance was ever used.", "WHO ASSIST v3.1", "source")
    return Scored(tuple(scores), (*findings, injecting) if injecting else tuple(findings) or (none,))


def _often(answer: str | None) -> Often | None:
    return Often(answer) if answer else None


def _of_top(answers: Answers) -> Scored:
    by = rules.screening().top

    def number(name: str) -> int | None:
        return int(answers[name]) if name in answers else None

    try:
        found = rules.top(
            days={item: [number(f"{item}_{week}") for week in range(1, by.weeks + 1)] for item in by.days},
            health={item: number(item) for item in by.health},
            yes_no={item: answers[item] == "yes" if item in answers else None for item in by.yes_no},
        )
    except BadAnswers as reason:
        at = f"{reason.item}_1" if reason.item in by.days else reason.item
        raise BadAnswers(at, str(reason), reason.remedy) from None
    scores = [Score(part, int(points), "") for part, points in found.figures.items() if isinstance(points, int)]
    return Scored(tuple(scores), (found,))
