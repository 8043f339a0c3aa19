"""Who may collect in a client's place, and within what. Pure.

Written authorisation of the client and a prescriber's agreement, identity recorded, no dose that is observed, no child,
nobody intoxicated: the practice of pharmacies in the United Kingdom and of treatment programmes in the United States.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from dispensary.refusals import Refusal
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.units import months_after

ADULT_AT = 18
MOST_BOTTLES = 112
"""A bottle for each of the four portions of the 28 days of the longest supply."""
LONGEST_NAME = 120
LAST_DIGITS = 4
"""How much of a document's number the counter is shown, to compare it."""


class Relation(StrEnum):
    """Who the agent is to the client."""

    PARTNER = "partner"
    PARENT = "parent"
    CHILD = "child"
    SIBLING = "sibling"
    RELATIVE = "relative"
    FRIEND = "friend"
    CARE_WORKER = "care_worker"
    OTHER = "other"


class Document(StrEnum):
    """What the agent shows to be known by."""

    IDENTITY_CARD = "identity_card"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    OTHER = "other"


class Scope(StrEnum):
    """How often a consent holds."""

    ONCE = "once"
    UNTIL = "until"


@dataclass(frozen=True, repr=False)
class Named:
    """An agent as the client names them."""

    name: str
    relation: Relation
    document: Document
    document_number: str
    born: date
    photo: bytes | None = None


@dataclass(frozen=True)
class Consented:
    """What the client has signed."""

    scope: Scope
    signed_on: date
    last_day: date
    most_bottles: int


def age_on(born: date, day: date) -> int:
    """In whole years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def faults_of_agent(named: Named, *, today: date) -> list[Refusal]:
    """What keeps somebody from being an agent at all."""
    faults = []
    if not 1 <= len(named.name.strip()) <= LONGEST_NAME:
        faults.append(Refusal("agent-name", "Who collects has no name.", "Write it as in the document.", field="name"))
    if len(named.document_number.strip()) < LAST_DIGITS:
        faults.append(
            Refusal(
                "agent-document",
                "The document's number is too short to be compared.",
                "Write the whole number.",
                field="document_number",
            )
        )
    if age_on(named.born, today) < ADULT_AT:
        faults.append(
            Refusal(
                "agent-child",
                f"Nobody under {ADULT_AT} collects for a client.",
                "Name somebody else, or let it be brought to the home.",
                field="born",
            )
        )
    return faults


def faults_of_consent(consented: Consented, *, agent_months: int, today: date) -> list[Refusal]:
    """What is wrong with a consent, by the rules of the site."""
    faults = []
    if consented.signed_on > today:
        faults.append(
            Refusal("consent-later", "It was signed today or earlier.", "Correct the day.", field="signed_on")
        )
    if consented.last_day < max(consented.signed_on, today):
        faults.append(Refusal("consent-over", "This day has passed.", "Choose a later one.", field="last_day"))
    if not 1 <= consented.most_bottles <= MOST_BOTTLES:
        faults.append(Refusal("consent-bottles", f"One bottle at least, {MOST_BOTTLES} at most.", field="most_bottles"))
    if consented.scope is Scope.UNTIL and not agent_months:
        faults.append(
            Refusal(
                "consent-once-only",
                "This site allows one collection by each consent.",
                "Choose one collection, or ask the administrator to set for how many months a consent may hold.",
                field="scope",
            )
        )
        return faults
    longest = (
        months_after(consented.signed_on, agent_months)
        if consented.scope is Scope.UNTIL
        else consented.signed_on + timedelta(days=LONGEST_SUPPLY)
    )
    if consented.last_day > longest:
        faults.append(
            Refusal(
                "consent-too-long",
                f"A consent that was signed on {consented.signed_on} may hold until {longest}.",
                "Choose an earlier day. A new consent can be signed then.",
                {"longest": longest},
                field="last_day",
            )
        )
    return faults


@dataclass(frozen=True)
class InForce:
    """A consent as the counter finds it."""

    scope: Scope
    signed_on: date
    last_day: date
    most_bottles: int
    agreed: bool
    revoked: bool
    used: bool
    """Whether something was collected by it that still stands."""


def standing(consent: InForce, today: date) -> str:
    """`holds`, or why it does not: `revoked`, `over`, `used`, `awaits` the prescriber."""
    if consent.revoked:
        return "revoked"
    if not consent.signed_on <= today <= consent.last_day:
        return "over"
    if consent.scope is Scope.ONCE and consent.used:
        return "used"
    return "holds" if consent.agreed else "awaits"


_WHY = {
    "revoked": "The client has revoked this consent.",
    "over": "This consent does not hold today.",
    "used": "This consent was for one collection, which has been made.",
    "awaits": "No prescriber has agreed to this consent.",
}


def may_collect(
    consent: InForce | None, *, bottles: int, observed: bool, document_compared: bool, today: date
) -> list[Refusal]:
    """Every reason why nothing is handed to this agent; empty when it may be."""
    faults = []
    if consent is None:
        faults.append(
            Refusal(
                "agent-unknown",
                "The client has not authorised this person.",
                "Hand nothing over. The client names who collects, in writing.",
                field="consent_id",
            )
        )
    elif (state := standing(consent, today)) != "holds":
        faults.append(
            Refusal("agent-no-consent", _WHY[state], "Hand nothing over. Call the client.", field="consent_id")
        )
    elif bottles > consent.most_bottles:
        faults.append(
            Refusal(
                "agent-too-many",
                f"The client consented to {consent.most_bottles} bottles at once; these are {bottles}.",
                "Put the pickup back and prepare fewer, or call the client.",
                {"most": consent.most_bottles, "bottles": bottles},
            )
        )
    if observed:
        faults.append(
            Refusal(
                "agent-observed",
                "A dose that is taken here is never handed to somebody else.",
                "Hand over the bottles alone.",
            )
        )
    if not document_compared:
        faults.append(
            Refusal(
                "agent-not-identified",
                "The document of the person who collects was not compared.",
                "Ask for it and compare name, last digits and photo.",
                field="document_compared",
            )
        )
    return faults
