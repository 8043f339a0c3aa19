"""A dosing guideline as data, read strictly, and the one kind of answer that every rule of dosing gives. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache

from dispensary.documents import BadDocument, Status, read_toml, shipped_documents
from dispensary.prescribing import section_documents as read
from dispensary.prescribing.sections import (
    TOLD_OF,
    Confidence,
    Consequence,
    Everywhere,
    Induction,
    Missed,
    Prescription,
    Section,
    Split,
    Taper,
    Topic,
    Verdict,
    Vomited,
    WrongDose,
)
from dispensary.units import plain


@dataclass(frozen=True)
class Guideline:
    """One version of a dosing guideline. A topic that it does not speak of is None, and is answered with a referral."""

    guideline: str
    version: str
    jurisdiction: str
    title: str
    source_date: str
    effective_from: date | None
    effective_to: date | None
    """The first day on which it was not in force any more."""
    note: str
    induction: Induction | None = None
    taper: Taper | None = None
    split: Split | None = None
    missed: Missed | None = None
    vomited: Vomited | None = None
    wrong_dose: WrongDose | None = None
    prescription: Prescription | None = None
    everywhere: Everywhere | None = None

    def section(self, topic: Topic) -> Section | None:
        found: Section | None = getattr(self, topic.value)
        return found

    def topics(self) -> tuple[Topic, ...]:
        """What it speaks of, drafts included."""
        return tuple(topic for topic in Topic if self.section(topic) is not None)

    def answers(self, topic: Topic) -> bool:
        """Whether it may be relied on for this topic: it speaks of it, and not in a draft."""
        section = self.section(topic)
        return section is not None and section.status is not Status.DRAFT


Figure = Decimal | int | str | bool | None


@dataclass(frozen=True)
class Ruling:
    """What a guideline says of one case, and where that stands written."""

    answer: Verdict
    sentence: str
    guideline: str
    version: str
    topic: Topic
    source: str
    confidence: Confidence | None
    """Nothing when the guideline does not speak of the topic."""
    status: Status | None
    instruction: str = ""
    """A word for programs that says what to do, of the topic's own list."""
    mg: Decimal | None = None
    """The most that may be given, once what the answer asks for is done. Nothing where the guideline has no figure."""
    reason_needed: bool = False
    """Whether it is allowed only with a reason, and none has been given."""
    limits: tuple[str, ...] = ()
    """Which limits of the guideline the case is outside of."""
    consequences: tuple[Consequence, ...] = ()
    advice: tuple[str, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The same, with amounts as strings, so that no reader turns them into floats."""
        return {
            "answer": self.answer.value,
            "sentence": self.sentence,
            "instruction": self.instruction,
            "mg": _written(self.mg),
            "reason_needed": self.reason_needed,
            "limits": list(self.limits),
            "consequences": [consequence.value for consequence in self.consequences],
            "advice": list(self.advice),
            "figures": {name: _written(figure) for name, figure in self.figures.items()},
            "guideline": self.guideline,
            "version": self.version,
            "topic": self.topic.value,
            "source": self.source,
            "confidence": self.confidence.value if self.confidence else None,
            "status": self.status.value if self.status else None,
        }


def ruled(
    guideline: Guideline,
    topic: Topic,
    answer: Verdict,
    sentence: str,
    *,
    instruction: str = "",
    mg: Decimal | None = None,
    reason: str = "",
    limits: tuple[str, ...] = (),
    consequences: tuple[Consequence, ...] = (),
    advice: tuple[str, ...] = (),
    figures: Mapping[str, Figure] | None = None,
    source: str = "",
) -> Ruling:
    """A ruling that cites the guideline's section, and says when that section has been superseded.

    `source` is where it stands written when that is not the section: a warning that holds whatever the guideline.
    """
    section = guideline.section(topic)
    if section is not None and section.status is Status.SUPERSEDED and not source:
        advice = (*advice, f"{guideline.guideline} has been superseded.")
    return Ruling(
        answer=answer,
        sentence=sentence,
        guideline=guideline.guideline,
        version=guideline.version,
        topic=topic,
        source=source or (section.source if section else ""),
        confidence=everywhere().confidence if source else section.confidence if section else None,
        status=everywhere().status if source else section.status if section else None,
        instruction=instruction,
        mg=mg,
        reason_needed=answer is Verdict.ALLOW_WITH_REASON and not reason.strip(),
        limits=limits,
        consequences=consequences,
        advice=advice,
        figures=figures or {},
    )


def no_answer(
    guideline: Guideline,
    topic: Topic,
    *,
    what: str = "",
    instruction: str = "",
    consequences: tuple[Consequence, ...] = (),
    advice: tuple[str, ...] = (),
) -> Ruling:
    """The referral that stands for a question on which the guideline is silent or only a draft."""
    draft = guideline.section(topic) is not None and not guideline.answers(topic)
    asked = what or TOLD_OF[topic]
    sentence = (
        f"What {guideline.guideline} says of {asked} is a draft that nobody has confirmed: the prescriber decides."
        if draft
        else f"{guideline.guideline} says nothing of {asked}: the prescriber decides."
    )
    return ruled(
        guideline,
        topic,
        Verdict.REFER,
        sentence,
        instruction=instruction,
        consequences=consequences,
        advice=advice,
    )


def share(mg: Decimal, percent: Decimal) -> Decimal:
    """So many per cent of a dose in mg, rounded down to 0.01 mg, so that rounding never gives more."""
    return (mg * percent / 100).quantize(Decimal("0.01"), rounding="ROUND_DOWN")


def _written(figure: Figure) -> object:
    return plain(figure) if isinstance(figure, Decimal) else figure


@lru_cache(maxsize=64)
def parse(document: str) -> Guideline:
    """The guideline that a TOML document describes. Raises BadDocument, which names every problem of it."""
    reader = read_toml(document, "the guideline")
    guideline = Guideline(
        guideline=reader.text("guideline"),
        version=reader.text("version"),
        jurisdiction=reader.text("jurisdiction"),
        title=reader.text("title"),
        source_date=reader.text("source_date"),
        effective_from=reader.day("effective_from"),
        effective_to=reader.day("effective_to"),
        note=reader.text("note", required=False),
        induction=read.induction(part) if (part := reader.part("induction")) else None,
        taper=read.taper(part) if (part := reader.part("taper")) else None,
        split=read.split(part) if (part := reader.part("split")) else None,
        missed=read.missed(part) if (part := reader.part("missed")) else None,
        vomited=read.vomited(part) if (part := reader.part("vomited")) else None,
        wrong_dose=read.wrong_dose(part) if (part := reader.part("wrong_dose")) else None,
        prescription=read.prescription(part) if (part := reader.part("prescription")) else None,
        everywhere=read.everywhere(part) if (part := reader.part("everywhere")) else None,
    )
    problems = list(reader.all_problems())
    if not guideline.topics():
        problems.append("The guideline speaks of no topic.")
    if guideline.effective_from and guideline.effective_to and guideline.effective_to <= guideline.effective_from:
        problems.append("The guideline ends before it begins.")
    if problems:
        raise BadDocument(problems)
    return guideline


@lru_cache(maxsize=1)
def guidelines() -> Mapping[str, Guideline]:
    """The guidelines that come with the program, by name."""
    parsed = [parse(document) for document in shipped_guidelines()]
    return {guideline.guideline: guideline for guideline in sorted(parsed, key=lambda each: each.guideline)}


def shipped_guidelines() -> list[str]:
    """Their documents, word for word, by file name."""
    return shipped_documents("dispensary.prescribing", "guidelines")


def guidelines_with(topic: Topic) -> dict[str, Guideline]:
    """Those that speak of a topic, drafts included: a site may look at a draft, and is answered with a referral."""
    return {name: guideline for name, guideline in guidelines().items() if guideline.section(topic) is not None}


@lru_cache(maxsize=1)
def everywhere() -> Everywhere:
    """The warnings that hold whatever guideline a site follows."""
    return next(guideline.everywhere for guideline in guidelines().values() if guideline.everywhere)
