"""What each screening instrument is asked: the answers as they were given, item by item."""

from __future__ import annotations

from typing import Annotated

import msgspec

from dispensary.care.screening import Ever, Often, Substance
from dispensary.checks.questions import Question

Points = Annotated[int, msgspec.Meta(ge=0, le=5)]
Yes = Annotated[bool, msgspec.Meta(description="Whether it was answered by yes.")]


class AboutSubstance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Questions 2 to 7 about one substance. Without use, `craving`, `problems` and `failed` are left out."""

    substance: Substance
    use: Often
    craving: Often | None = None
    problems: Often | None = None
    failed: Often | None = None
    concern: Ever = Ever.NO
    cut_down: Ever = Ever.NO


class Assist(Question):
    """Each substance that was ever used, and injecting. Methadone taken as prescribed is no use of opioids."""

    substances: Annotated[list[AboutSubstance], msgspec.Meta(min_length=1, max_length=10)]
    injected: Ever = Ever.NO
    injected_days_a_month: Annotated[int, msgspec.Meta(ge=0, le=31)] | None = None


class Dast10(Question):
    """The ten answers in order, of the past twelve months."""

    answers: Annotated[list[Yes], msgspec.Meta(min_length=10, max_length=10)]


class Srq20(Question):
    """The twenty answers in order, of the past thirty days, and the cut-off of the setting where there is one."""

    answers: Annotated[list[Yes], msgspec.Meta(min_length=20, max_length=20)]
    positive_from: Annotated[int, msgspec.Meta(ge=1, le=20)] | None = None


class Cows(Question):
    """The pulse a minute, and the points of each sign."""

    pulse: Annotated[int, msgspec.Meta(ge=20, le=300)]
    sweating: Points
    restlessness: Points
    pupils: Points
    aches: Points
    nose_or_eyes: Points
    stomach: Points
    tremor: Points
    yawning: Points
    anxiety: Points
    gooseflesh: Points


Bothered = Annotated[int, msgspec.Meta(ge=0, le=3, description="From 0, not at all, to 3, nearly every day.")]


class Phq9(Question):
    """The nine answers in order, of the past two weeks."""

    answers: Annotated[list[Bothered], msgspec.Meta(min_length=9, max_length=9)]


class Gad7(Question):
    """The seven answers in order, of the past two weeks."""

    answers: Annotated[list[Bothered], msgspec.Meta(min_length=7, max_length=7)]


DaysOfWeek = Annotated[int, msgspec.Meta(ge=0, le=7)]


class Top(Question):
    """Days in each of the past four weeks, the last week first; health from 0 to 20; yes or no. Left out: not told."""

    days: Annotated[dict[str, list[DaysOfWeek]], msgspec.Meta(max_length=20)] = msgspec.field(default_factory=dict)
    health: Annotated[dict[str, Annotated[int, msgspec.Meta(ge=0, le=20)]], msgspec.Meta(max_length=20)] = (
        msgspec.field(default_factory=dict)
    )
    yes_no: Annotated[dict[str, bool], msgspec.Meta(max_length=20)] = msgspec.field(default_factory=dict)
