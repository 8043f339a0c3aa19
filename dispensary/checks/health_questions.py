"""What each rule of health is asked, field by field. Values are decimal text with a unit; none becomes a float."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from dispensary.checks.questions import Question
from dispensary.monitoring.heart import Formula
from dispensary.monitoring.interactions import Moment
from dispensary.monitoring.liver import Ascites, Encephalopathy
from dispensary.monitoring.viral import NEWEST

Amount = Annotated[str, msgspec.Meta(min_length=1, max_length=20, description="Decimal text, such as “62.5” or “<40”.")]
Unit = Annotated[str, msgspec.Meta(max_length=30, description="Empty for the unit that is kept.")]
Age = Annotated[int, msgspec.Meta(ge=0, le=120)]
Substance = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class Result(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A value of a day; `upper` is the laboratory's upper limit in the same unit."""

    on: date
    value: Amount
    unit: Unit = ""
    upper: Amount | None = None


class Qtc(Question):
    """QT in ms and heart rate a minute, or a reported QTc."""

    qt_ms: Amount | None = None
    heart_rate: Amount | None = None
    reported_ms: Amount | None = None
    formula: Formula | None = None
    sex: Annotated[str, msgspec.Meta(pattern="^(male|female)?$")] = ""


class Alt(Question):
    """ALT results, the oldest first; with bilirubin of the last day, Hy's rule is asked too."""

    results: Annotated[list[Result], msgspec.Meta(min_length=1, max_length=100)]
    bilirubin: Result | None = None


class TbAlt(Question):
    """ALT on TB medicines; `symptoms` is left out, or null, where nobody has asked about them."""

    result: Result
    symptoms: bool | None = None


class Fib4(Question):
    """Age in years, AST and ALT in U/L, platelets in 10^9/L."""

    age: Age
    ast: Amount
    alt: Amount
    platelets: Amount


class Apri(Question):
    """AST with its upper limit in U/L, platelets in 10^9/L."""

    ast: Amount
    upper: Amount
    platelets: Amount


class ChildPugh(Question):
    """Bilirubin and albumin in a unit each, INR, and what was seen."""

    bilirubin: Amount
    albumin: Amount
    inr: Amount
    bilirubin_unit: Unit = ""
    albumin_unit: Unit = ""
    ascites: Ascites = Ascites.NONE
    encephalopathy: Encephalopathy = Encephalopathy.NONE


class ViralLoads(Question):
    """Viral loads, the oldest first, and the days on which adherence support was given."""

    results: Annotated[list[Result], msgspec.Meta(min_length=1, max_length=100)]
    support_on: Annotated[list[date], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
    version: Annotated[str, msgspec.Meta(max_length=30)] = NEWEST


class Refill(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A refill of one medicine: the day, and for how many days it lasts."""

    on: date
    days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    part: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "medicine"


class Adherence(Question):
    """Refills in a window, its first and last day included; a threshold in percent, else the one that is in force."""

    first: date
    last: date
    refills: Annotated[list[Refill], msgspec.Meta(max_length=1000)]
    threshold_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    carry_forward: bool = True


class Interaction(Question):
    """A substance starts or stops beside methadone. `beside` is whatever else is taken."""

    substance: Substance
    moment: Moment = Moment.START
    on: date | None = None
    beside: Annotated[list[Substance], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
