"""What a site asks its clients without their names: the document of questions, answers to it, and what is shown. Pure.

A document has every text in every language that it names. It asks by choices alone: words of one's own would tell whose
they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dispensary.documents import BadDocument, Reader, read_toml
from dispensary.refusals import Refusal
from dispensary.units import months_after

LONGEST_DOCUMENT: Final = 30_000
MOST_QUESTIONS: Final = 20
MOST_ANSWERS: Final = 7
LONGEST_TEXT: Final = 200
LEAST_SHOWN: Final = 5
"""What fewer people answered in a month is not counted up: a colleague might guess who it was. The house's own."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z][A-Za-z]{1,3})?")

Texts = Mapping[str, str]
"""The same text in each language."""


@dataclass(frozen=True)
class Choice:
    """An answer that can be chosen."""

    name: str
    says: Texts


@dataclass(frozen=True)
class Asked:
    """A question with its choices."""

    name: str
    says: Texts
    choices: Sequence[Choice]


@dataclass(frozen=True)
class Questions:
    """A document of questions as it was read."""

    name: str
    title: Texts
    languages: Sequence[str]
    asked: Sequence[Asked]

    def language_for(self, wanted: str) -> str:
        """The language to ask in: the wanted one where the document has it, or its first."""
        return wanted if wanted in self.languages else self.languages[0]


def read_questions(document: str, reveals: Callable[[str], str]) -> Questions:
    """The questions of a document; `reveals` says which word of a text gives away what kind of place asks, or nothing.

    Raises BadDocument with every problem of it.
    """
    if len(document) > LONGEST_DOCUMENT:
        raise BadDocument([f"The document is longer than {LONGEST_DOCUMENT} letters."])
    reader = read_toml(document, "the document")
    name = reader.text("name")
    reader.text("source", required=False)
    languages = reader.words("languages")
    if not languages or len(set(languages)) != len(languages) or any(not _LANGUAGE.fullmatch(e) for e in languages):
        reader.problem("needs a list of languages such as en or ms, each once")
    texts = _Texts(languages, reveals)
    title = texts.of(reader.part("title"), reader, "title")
    scales: dict[str, tuple[Choice, ...]] = {}
    for part in reader.parts("scale", "scale"):
        scales[part.text("name")] = tuple(_choices(part, texts))
    asked = tuple(_asked(part, scales, texts) for part in reader.parts("question", "question"))
    if not _NAME.fullmatch(name):
        reader.problem("needs a name of small letters, digits and _")
    if not 1 <= len(asked) <= MOST_QUESTIONS:
        reader.problem(f"asks from 1 to {MOST_QUESTIONS} questions")
    if twice := [each for each, times in Counter(one.name for one in asked).items() if times > 1]:
        reader.problem(f"has the question “{twice[0]}” more than once")
    if problems := list(reader.all_problems()):
        raise BadDocument(problems)
    return Questions(name, title, languages, asked)


@dataclass(frozen=True)
class _Texts:
    languages: Sequence[str]
    reveals: Callable[[str], str]

    def of(self, part: Reader | None, above: Reader, what: str) -> Texts:
        """A text in every language. What is wrong with it is a problem of the part, or of what is above it."""
        if part is None:
            above.problem(f"has no {what}")
            return {}
        return self.read(part)

    def read(self, part: Reader) -> Texts:
        found = {each: part.text(each) for each in self.languages}
        for said in found.values():
            if len(said) > LONGEST_TEXT:
                part.problem(f"has a text of more than {LONGEST_TEXT} letters")
            if word := self.reveals(said):
                part.problem(f"says “{word}”, which gives away what kind of place asks")
        return found


def _choices(part: Reader, texts: _Texts) -> Iterable[Choice]:
    found = [(each.text("name"), texts.read(each)) for each in part.parts("answer", "answer")]
    names = [name for name, _ in found]
    if not 2 <= len(found) <= MOST_ANSWERS or len(set(names)) != len(names):
        part.problem(f"needs from 2 to {MOST_ANSWERS} answers, each with a name of its own")
    if strange := [name for name in names if name and not _NAME.fullmatch(name)]:
        part.problem(f"has the answer “{strange[0][:40]}”, whose name is not of small letters, digits and _")
    return (Choice(name, says) for name, says in found)


def _asked(part: Reader, scales: Mapping[str, Sequence[Choice]], texts: _Texts) -> Asked:
    name, scale = part.text("name"), part.text("scale")
    if name and not _NAME.fullmatch(name):
        part.problem("needs a name of small letters, digits and _")
    if scale and scale not in scales:
        part.problem(f"has the scale “{scale[:40]}”, which the document has not")
    return Asked(name, texts.of(part.part("says"), part, "says"), scales.get(scale, ()))


def chosen(questions: Questions, given: Mapping[str, str]) -> tuple[dict[str, str], Sequence[Refusal]]:
    """The answers of one person, by question, with what is wrong. A question may be left out, not all of them."""
    found: dict[str, str] = {}
    faults: list[Refusal] = []
    for each in questions.asked:
        answer = given.get(each.name, "")
        if not answer:
            continue
        if answer not in {choice.name for choice in each.choices}:
            faults.append(Refusal("no-choice", "This is no answer to it.", "Choose one.", field=each.name))
        found[each.name] = answer
    if not found and not faults:
        faults.append(Refusal("no-answer", "Nothing was answered.", "Answer one question or more.", field="answers"))
    return found, faults


@dataclass(frozen=True)
class Answered:
    """The answers of one person, and the first of the month in which they gave them."""

    month: date
    answers: Mapping[str, str]


@dataclass(frozen=True)
class Counted:
    """A question with how often each of its answers was chosen; no counts where too few people answered it."""

    asked: Asked
    counts: Sequence[int]


@dataclass(frozen=True)
class Results:
    """What came of the questions: months that are over and that enough people answered."""

    months: Sequence[tuple[date, int]]
    """Each of those months with how many people answered, the newest first."""
    waiting: int
    """How many answers are not shown: of this month, or of months with too few."""
    counted: Sequence[Counted]

    @property
    def people(self) -> int:
        return sum(people for _, people in self.months)


def results(questions: Questions, answered: Iterable[Answered], *, today: date) -> Results:
    """Counts up whole months of `LEAST_SHOWN` people or more, and of those a question that as many answered in a month.

    A month counts once it is over: counts that grew from one day to the next would show the answers of that day.
    """
    by_month: dict[date, list[Mapping[str, str]]] = {}
    for one in answered:
        by_month.setdefault(one.month, []).append(one.answers)
    shown = {
        month: those
        for month, those in by_month.items()
        if months_after(month, 1) <= today and len(those) >= LEAST_SHOWN
    }
    counted = []
    for asked in questions.asked:
        counts = Counter[str]()
        for those in shown.values():
            said = [each[asked.name] for each in those if asked.name in each]
            if len(said) >= LEAST_SHOWN:
                counts.update(said)
        counted.append(Counted(asked, [counts[each.name] for each in asked.choices] if counts else ()))
    months = sorted(((month, len(those)) for month, those in shown.items()), reverse=True)
    waiting = sum(len(those) for month, those in by_month.items() if month not in shown)
    return Results(months, waiting, counted)
