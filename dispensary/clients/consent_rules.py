"""What a client's consent covers: which information, to whom, on which days. Pure.

The elements are those of 42 CFR 2.31 (who, what, to whom, what for, until when, how it is revoked, signature and day),
which ask for no less than the laws of other countries do. An expired or revoked consent covers nothing (2.31(c)).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from dispensary.refusals import Refusal


class Information(StrEnum):
    """What kind of information a consent names, or a disclosure tells."""

    PRESENCE = "presence"
    """That somebody is a client here, and nothing else."""
    ATTENDANCE = "attendance"
    """On which days they came, of those agreed."""
    DOSES = "doses"
    """What is ordered, what was taken, what is at home."""
    RESULTS = "results"
    """Results of tests, and what is watched."""
    WHOLE = "whole"
    """The whole record."""


class RecipientKind(StrEnum):
    """What kind of person or place is told."""

    COURT = "court"
    TREATMENT = "treatment"
    """A doctor, hospital, pharmacy or another programme that treats them."""
    SOCIAL = "social"
    """A social, probation or employment service."""
    FAMILY = "family"
    EMPLOYER = "employer"
    LAWYER = "lawyer"
    OTHER = "other"


class Signed(StrEnum):
    """How a consent was signed."""

    PAPER = "paper"
    SCREEN = "screen"
    """The client wrote their own name on the screen."""


class Revoked(StrEnum):
    """How a consent ended before its day."""

    SAID = "said"
    WRITTEN = "written"
    EVENT = "event"
    """What it was to last until has come."""


@dataclass(frozen=True)
class Consent:
    """A consent as the rule reads it."""

    kinds: frozenset[Information]
    recipient_kind: RecipientKind
    recipient: str
    from_day: date
    until_day: date | None
    """Its last day; nothing where it lasts until an event."""
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class Telling:
    """What is to be told to whom, when."""

    kinds: frozenset[Information]
    recipient_kind: RecipientKind
    recipient: str
    on: date
    """The site's day."""
    at: datetime


def told_by(kinds: Iterable[Information]) -> frozenset[Information]:
    """All that these kinds let through: the whole record holds every kind, and each kind tells of their presence."""
    named = frozenset(kinds)
    if Information.WHOLE in named:
        return frozenset(Information)
    return named | {Information.PRESENCE} if named else named


def same_recipient(one: str, other: str) -> bool:
    """Whether two names are of the same recipient: but for capitals and blanks they must be the same."""
    return plain_recipient(one) == plain_recipient(other) != ""


def plain_recipient(name: str) -> str:
    """The form in which names of recipients are compared."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def covers(consent: Consent, telling: Telling) -> Refusal | None:
    """Nothing when the consent covers all of it; else the first reason why it does not."""
    if not telling.kinds:
        return Refusal("nothing-told", "Nothing was chosen that is to be told.", "Choose the least that serves.")
    if consent.revoked_at is not None and consent.revoked_at <= telling.at:
        return Refusal("consent-revoked", "The client has revoked this consent.", "Ask them for another one.")
    if telling.on < consent.from_day:
        return Refusal("consent-later", f"This consent begins on {consent.from_day}.", "Wait, or ask for another one.")
    if consent.until_day is not None and telling.on > consent.until_day:
        return Refusal("consent-expired", f"This consent ended on {consent.until_day}.", "Ask for another one.")
    if consent.recipient_kind != telling.recipient_kind or not same_recipient(consent.recipient, telling.recipient):
        return Refusal(
            "consent-other-recipient", "This consent names another recipient.", "Ask for one that names them."
        )
    if telling.kinds - told_by(consent.kinds):
        return Refusal(
            "consent-less",
            "This consent does not name all of that.",
            "Tell what it names, or ask the client for another one.",
            {"not_named": sorted(telling.kinds - told_by(consent.kinds))},
        )
    return None


LONGEST_WORDS = 300


@dataclass(frozen=True)
class Asked:
    """A consent as somebody has taken it."""

    kinds: Collection[Information]
    recipient_kind: RecipientKind
    recipient: str
    purpose: str
    from_day: date
    until_day: date | None
    until_event: str
    signed: Signed
    signature: str
    """Where the paper is kept, or the name that the client wrote."""

    def faults(self) -> list[Refusal]:
        """What is missing of the elements, field by field."""
        faults = []
        if not self.kinds:
            faults.append(Refusal("kinds-missing", "It does not say which information.", "Tick one.", field="kinds"))
        for field, typed, sentence in (
            ("recipient", self.recipient, "It does not say to whom."),
            ("purpose", self.purpose, "It does not say what for."),
            ("signature", self.signature, "It does not say how it was signed."),
        ):
            if not typed.strip():
                faults.append(Refusal(f"{field}-missing", sentence, "Fill it in.", field=field))
            elif len(typed) > LONGEST_WORDS:
                faults.append(
                    Refusal(f"{field}-long", f"Write at most {LONGEST_WORDS} letters.", "Shorten it.", field=field)
                )
        if (self.until_day is None) == (not self.until_event.strip()):
            faults.append(
                Refusal("until-when", "It ends on a day, or with an event.", "Fill in one of them.", field="until_day")
            )
        if len(self.until_event) > LONGEST_WORDS:
            faults.append(
                Refusal("until-long", f"Write at most {LONGEST_WORDS} letters.", "Shorten it.", field="until_event")
            )
        if self.until_day is not None and self.until_day < self.from_day:
            faults.append(Refusal("ends-before", "It ends before it begins.", "Correct the day.", field="until_day"))
        return faults
