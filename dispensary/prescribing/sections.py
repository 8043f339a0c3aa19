"""What a dosing guideline may say, topic by topic: the words and figures that its document is read into. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from dispensary.documents import Status
from dispensary.units import plain


class Topic(StrEnum):
    """What a site may follow a guideline for. Each has a section of its own, with its own source and standing."""

    INDUCTION = "induction"
    TAPER = "taper"
    SPLIT = "split"
    MISSED = "missed"
    VOMITED = "vomited"
    WRONG_DOSE = "wrong_dose"
    PRESCRIPTION = "prescription"


TOLD_OF: Mapping[Topic, str] = {
    Topic.INDUCTION: "starting and raising a dose",
    Topic.TAPER: "tapering",
    Topic.SPLIT: "dividing a dose",
    Topic.MISSED: "missed days",
    Topic.VOMITED: "a dose that was vomited",
    Topic.WRONG_DOSE: "a wrong dose",
    Topic.PRESCRIPTION: "how long an order may run",
}


class Confidence(StrEnum):
    """How sure the figures are. What is low is kept as a draft, and a draft answers nothing."""

    HIGH = "high"
    MEDIUM = "medium"
    """Check against the source before a clinic relies on it."""
    LOW = "low"


class Verdict(StrEnum):
    """What a rule answers."""

    ALLOW = "allow"
    ALLOW_WITH_REASON = "allow_with_reason"
    """Allowed to a prescriber who writes down why."""
    WITHHOLD_REFER = "withhold_refer"
    """Do not supply on the rule's word; the prescriber decides."""
    REFUSE = "refuse"
    """A limit set by law, which no reason exceeds."""
    REFER = "refer_to_prescriber"
    """The rule has no answer of its own: the guideline is silent or a draft, or the case is not one for a table."""


class Consequence(StrEnum):
    """What else follows, for people to do."""

    NEW_INDUCTION = "new_induction"
    NEW_EPISODE = "new_episode"
    TAKE_HOME_SUSPENDED = "take_home_suspended"
    PRESCRIPTION_CANCELLED = "prescription_cancelled"
    CONSIDER_LOWER_DOSE = "consider_lower_dose"
    ASSESS_ILLICIT_USE = "assess_illicit_use"
    RE_EXAMINE = "re_examine"
    PRESCRIBER_REVIEW = "prescriber_review"
    TELL_PRESCRIBER = "tell_prescriber"
    CALL_PRESCRIBER_AT_ONCE = "call_prescriber_at_once"
    GIVE_NALOXONE = "give_naloxone"
    NEXT_DOSE_AFTER_REVIEW = "next_dose_after_review"


@dataclass(frozen=True)
class Section:
    """What a guideline says of one topic: where it stands written, how sure that is, and whether it may be used."""

    source: str
    confidence: Confidence
    status: Status
    note: str
    """What the figures cannot say, for whoever reads the answer."""


@dataclass(frozen=True)
class Range:
    """From `least` to `most` mg, both included. A source that names only an upper end has no `least`."""

    most: Decimal
    least: Decimal | None = None

    def __str__(self) -> str:
        return (
            f"{plain(self.least)}-{plain(self.most)} mg" if self.least is not None else f"up to {plain(self.most)} mg"
        )


@dataclass(frozen=True)
class FirstDayBand:
    """What a first day's total above so many mg asks for."""

    above_mg: Decimal
    answer: Verdict
    text: str


@dataclass(frozen=True)
class Induction(Section):
    """Start, first day and steps of an induction. What the source leaves open is None, and no rule fills it in."""

    start: Range | None
    """The first dose where tolerance is known and usual."""
    start_low: Range | None
    """The first dose where tolerance is low or uncertain."""
    start_high: Range | None
    start_at_risk: Range | None
    """The first dose beside sedatives, alcohol or another raised risk."""
    first_day: tuple[FirstDayBand, ...]
    """In rising order of mg; the answers never become laxer."""
    step: Range | None
    days_between: int | None
    """Days from one change to the next, at least."""
    no_rise_until_day: int | None
    """Day of treatment until which the dose stays as started."""
    week1_rise_mg: Decimal | None
    """The most that the dose may be above the first dose on days 1 to 7."""
    weekly_rise_mg: Decimal | None
    """The most that the dose may be above the dose of seven days before."""
    maintenance: Range | None
    observe_hours: Range | None
    """Hours of observation after the first dose."""


@dataclass(frozen=True)
class TaperBand:
    """The largest step down of a dose above so many mg, as per cent of the dose or in mg, and the days between steps.

    A step in mg does not reach below `above_mg`: from there the next band's steps hold.
    """

    above_mg: Decimal
    percent: Decimal | None
    mg: Decimal | None
    days_between: int


@dataclass(frozen=True)
class Taper(Section):
    bands: tuple[TaperBand, ...]
    """From the highest dose to the lowest; the last begins above 0 mg."""


class Counter(StrEnum):
    """What a person at the counter is told about somebody who comes back."""

    GIVE_AS_ORDERED = "give_as_ordered"
    REDUCED_AFTER_CALL = "reduced_after_call"
    """A smaller dose, once the prescriber has been called and agrees."""
    DO_NOT_SUPPLY = "do_not_supply"


@dataclass(frozen=True)
class DoseBand:
    """The dose after an absence for orders of up to so many mg."""

    up_to_mg: Decimal
    mg: Decimal


@dataclass(frozen=True)
class MissedRow:
    """What holds after `first` to `last` consecutive missed days."""

    first: int
    last: int | None
    """Nothing when it holds for any longer absence too."""
    instruction: Counter
    percent: Decimal | None
    """The most that may be given, of the ordered dose."""
    most_mg: Decimal | None
    by_dose: tuple[DoseBand, ...]
    """The most that may be given by the ordered dose; above the last band, `percent` holds."""
    consequences: tuple[Consequence, ...]
    condition: str
    """What must be so before the dose is given, as the end of a sentence: “if not intoxicated”."""


@dataclass(frozen=True)
class Missed(Section):
    rows: tuple[MissedRow, ...]


@dataclass(frozen=True)
class VomitedRow:
    """The share that may be replaced when the dose was vomited up to so many minutes after it was swallowed."""

    minutes: int | None
    """Nothing in the last row, which holds for any later time."""
    included: bool
    """Whether exactly so many minutes belong to this row."""
    percent: Decimal
    answer: Verdict
    only_in_withdrawal: bool


@dataclass(frozen=True)
class Vomited(Section):
    rows: tuple[VomitedRow, ...]


class Action(StrEnum):
    """What is done with somebody who had more than was ordered."""

    ADVISE = "advise"
    OBSERVE = "observe"
    EMERGENCY = "emergency"


@dataclass(frozen=True)
class WrongDoseRow:
    """What is done with whoever all of the row's conditions fit; the first row that fits holds."""

    until_day: int | None
    up_to_mg: Decimal | None
    """The usual dose, at most."""
    not_seen_daily: bool
    """Only for somebody who takes doses home or does not come every day."""
    excess_above_percent: Decimal | None
    action: Action
    observe_hours: Decimal | None
    text: str


@dataclass(frozen=True)
class WrongDose(Section):
    rows: tuple[WrongDoseRow, ...]
    call_above_percent: Decimal
    """An excess above which prescriber or hospital is contacted at once."""


@dataclass(frozen=True)
class Prescription(Section):
    longest_days: int | None
    """Dose days that one order may cover, first and last included."""
    both_dates: bool
    by_law: bool
    """Whether more is refused; otherwise it is good practice, and a reason is asked for."""


@dataclass(frozen=True)
class Split(Section):
    ratio_above: Decimal | None
    """Peak divided by trough, above which a divided dose is considered."""
    days_on_dose: int | None
    """Days on the same dose before levels can be read."""
    trough_effective: Decimal | None
    """ng/mL, often quoted as effective."""
    peak_toxic_above: Decimal | None
    """ng/mL."""
    trough_pregnant: Decimal | None
    """ng/mL."""
    portions: int
    portions_pregnant: int


@dataclass(frozen=True)
class Everywhere(Section):
    """Warnings that hold whatever guideline a site follows."""

    settle_days: int
    """Days from the last rise within which another one is warned of: the level still climbs."""
    ecg_above_mg: Decimal
    review_above_mg: Decimal
    early_until_day: int
    early_missed: int
    """Consecutive missed days that ask for the prescriber within the first `early_until_day` days of treatment."""
    early_source: str
    intoxicated_source: str
    """Why nobody who is intoxicated is given a dose."""
    unwitnessed_source: str
    """Why a vomited dose that no staff saw, or that was taken home, is not replaced."""
    pregnant_source: str
    """Why a dose is neither tapered in pregnancy nor replaced by a table."""
