"""What each rule is asked, field by field. Amounts are decimal text in mg, so that no reader makes floats of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec

from dispensary.prescribing.steps import Tolerance

GuidelineName = Annotated[str, msgspec.Meta(min_length=1, max_length=60, description="Such as AU-NAT-2003.")]
Amount = Annotated[str, msgspec.Meta(min_length=1, max_length=20, description="mg as decimal text, such as “62.5”.")]
Days = Annotated[int, msgspec.Meta(ge=0, le=3660)]
DayOfTreatment = Annotated[int, msgspec.Meta(ge=1, le=36_500, description="Day 1 is the day of the first dose.")]
Level = Annotated[int, msgspec.Meta(gt=0, le=100_000, description="ng/mL")]
Reason = Annotated[str, msgspec.Meta(max_length=2000, description="What is written down for being outside of a limit.")]


class Question(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A case for a rule."""


class MissedDays(Question):
    """Somebody comes back after consecutive days with neither an observed dose nor one at home."""

    guideline: GuidelineName
    dose_mg: Amount
    missed: Days
    intoxicated: bool = False
    day_of_treatment: DayOfTreatment | None = None


class InductionStart(Question):
    """A first dose; at risk is whoever takes sedatives or alcohol beside."""

    guideline: GuidelineName
    mg: Amount
    tolerance: Tolerance
    at_risk: bool = False
    reason: Reason = ""


class FirstDay(Question):
    """All that is given on the first day."""

    guideline: GuidelineName
    total_mg: Amount
    reason: Reason = ""


class InductionStep(Question):
    """A rise of the dose."""

    guideline: GuidelineName
    current_mg: Amount
    new_mg: Amount
    days_since_change: Days
    start_mg: Amount | None = None
    day_of_treatment: DayOfTreatment | None = None
    mg_a_week_ago: Amount | None = None
    reason: Reason = ""


class Taper(Question):
    """A step down of the dose; 0 mg stops it."""

    guideline: GuidelineName
    current_mg: Amount
    new_mg: Amount
    days_since_change: Days
    pregnant: bool = False
    reason: Reason = ""


class TaperPlan(Question):
    """The dated steps from one dose down to another; steps are rounded up to the finest change that is dispensed."""

    guideline: GuidelineName
    from_mg: Amount
    to_mg: Amount
    first_day: date
    pregnant: bool = False
    finest_mg: Amount = "1"


class Vomited(Question):
    """A dose that was vomited so many minutes after it was swallowed; witnessed by staff or not."""

    guideline: GuidelineName
    dose_mg: Amount
    minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    witnessed: bool
    take_home: bool = False
    pregnant: bool = False
    withdrawal: bool = False


class WrongDose(Question):
    """A dose that was not the ordered one; 0 mg ordered stands for somebody for whom none was."""

    guideline: GuidelineName
    ordered_mg: Amount
    given_mg: Amount
    takes_home_or_not_daily: bool
    day_of_treatment: DayOfTreatment | None = None
    intoxicated: bool = False


class Split(Question):
    """Peak (2-4 h after the dose) and trough (24 h after it) in ng/mL, for a divided dose."""

    guideline: GuidelineName = "PRODUCT-DEFAULT"
    trough_ng_ml: Level | None = None
    peak_ng_ml: Level | None = None
    days_on_dose: Days | None = None
    portions: Annotated[int, msgspec.Meta(ge=2, le=4)] = 2
    pregnant: bool = False
    reason: Reason = ""


class PrescriptionLength(Question):
    """An order from its first to its last dose day, both included; without a last day it runs on."""

    guideline: GuidelineName
    first_day: date
    last_day: date | None = None
    reason: Reason = ""


class RecallCount(Question):
    """Bottles for each dose day from the first to the last are called back to be counted on a day.

    The bottle of that day is empty when its dose has been taken, and full before.
    """

    first_day: date
    last_day: date
    on: date
    after_dose: bool


class TakeHome(Question):
    """So many dose days to carry, by a policy, for a record.

    The record is one letter a dose day up to the day before, the oldest first (c covered, p partly covered, m missed,
    h held, o open, - no order), or the number of missed and covered days. `judged` has the practitioner's answers by
    the name of the criterion. `history` has whatever else an assessment keeps, such as {"lockbox": true}. With
    `document`, the TOML of a policy that is still being written, it is asked instead of the shipped ones.
    """

    on: date
    per_supply: Annotated[int, msgspec.Meta(ge=0, le=366)]
    policy: Annotated[str, msgspec.Meta(max_length=60, description="Empty where there is a document.")] = ""
    per_week: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None
    consecutive: Annotated[int, msgspec.Meta(ge=0, le=366)] | None = None
    document: Annotated[str, msgspec.Meta(max_length=90_000)] = ""
    version: Annotated[str, msgspec.Meta(max_length=20, description="Without it, the newest that is shipped.")] = ""
    day_of_treatment: DayOfTreatment | None = None
    record: Annotated[str, msgspec.Meta(max_length=366, pattern="^[cpmho-]*$")] = ""
    covered_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    missed_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    dose_stable_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    judged: Annotated[dict[str, bool], msgspec.Meta(max_length=50)] = {}
    history: Annotated[dict[str, Any], msgspec.Meta(max_length=50)] = {}
    reason: Reason = ""
