"""What is kept for how long, kind by kind: the site's own figure with its source, and what happens at its end. Pure.

No figure comes with the program. Laws of records differ, and what has no figure is kept. Nothing of the audit trail and
of the controlled-drug register ever goes: their figures are for whoever asks, and for what lies on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from dispensary.refusals import Refusal

LONGEST_SOURCE: Final = 300


class Kind(StrEnum):
    """A kind of record that is kept for a time of its own."""

    CLIENTS = "clients"
    """What names and describes a client, after the last day of treatment."""
    REGISTER = "register"
    """Lines of the controlled-drug register, with doses and counts."""
    TRAIL = "trail"
    """Who looked at what and changed what."""
    RESULT_LINES = "result lines"
    """Lines of laboratories' files that belonged to nobody known: each may name somebody."""
    PACKS = "packs"
    """Downtime packs in the data folder and where they are copied to."""
    INTAKES = "intakes"
    """Whoever came from outside, was left open, and did not become a client: who they are, and who sent them."""


class End(StrEnum):
    """What happens at the end of the time."""

    BY_A_PERSON = "by a person"
    """Whoever is due is listed; a person erases them, with a second one, and nobody does under a legal hold."""
    NEVER = "never"
    AT_NIGHT = "at night"
    """It goes in the next night."""


@dataclass(frozen=True)
class Kept:
    """How a kind is counted, within which bounds, and how it ends."""

    unit: str
    least: int
    most: int
    end: End


KINDS: Final[Mapping[Kind, Kept]] = {
    Kind.CLIENTS: Kept("years", 1, 100, End.BY_A_PERSON),
    Kind.REGISTER: Kept("years", 1, 100, End.NEVER),
    Kind.TRAIL: Kept("years", 1, 100, End.NEVER),
    Kind.RESULT_LINES: Kept("days", 1, 3650, End.AT_NIGHT),
    Kind.PACKS: Kept("days", 1, 365, End.AT_NIGHT),
    Kind.INTAKES: Kept("days", 1, 3650, End.AT_NIGHT),
}


def faults_of(kind: Kind, figure: int | None, source: str) -> tuple[Refusal, ...]:
    """What is wrong with a figure and its source; without a figure the kind is kept, and needs none."""
    if figure is None:
        return ()
    kept, faults = KINDS[kind], []
    if not kept.least <= figure <= kept.most:
        sentence = f"This is a number of {kept.unit} from {kept.least} to {kept.most}."
        faults.append(Refusal("bad-period", sentence, "Leave it empty where nothing is to go.", field="figure"))
    if not source.strip():
        faults.append(
            Refusal(
                "no-source",
                "Nobody could say later why it is this figure.",
                "Name the law and its article, or who decided it and when.",
                field="source",
            )
        )
    elif len(source.strip()) > LONGEST_SOURCE:
        faults.append(Refusal("source-long", f"Write at most {LONGEST_SOURCE} letters.", field="source"))
    return tuple(faults)


def before(figure: int, at: datetime) -> datetime:
    """What is older than this is past so many days."""
    return at - timedelta(days=figure)
