"""How somebody stands with the law, as they tell it. Pure.

The words are the house's own: the programmes' reports name a person's legal side and give it no words. Nothing follows
from any of them; whoever has not been asked has none of them, which is not `none`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from dispensary.clients.taken_back_rules import TakenBack


class LegalStatus(StrEnum):
    NONE = "none"
    """They say that nothing is open."""
    OPEN = "open"
    """Something is open: a charge, a case, a summons."""
    CONDITIONS = "conditions"
    """Outside under conditions: bail, probation, parole."""
    SENTENCE = "sentence"
    """A sentence is being served."""
    NOT_SAID = "not_said"
    """They were asked and would rather not say."""


@dataclass(frozen=True)
class Said:
    """What was said, and from which day it is so."""

    word: LegalStatus
    from_day: date
    noted_at: datetime
    id: UUID | None = None
    back: TakenBack | None = None
    """Why it counts no more; nothing while it stands."""


def newest_first(said: Iterable[Said]) -> list[Said]:
    """By the day from which it is so; of one day what was said last."""
    return sorted(said, key=lambda each: (each.from_day, each.noted_at), reverse=True)


def written(word: LegalStatus, from_day: date) -> str:
    """What is sealed: the word and the day in one field, so that neither stands open."""
    return f"{word.value} {from_day.isoformat()}"


def read(sealed: str) -> tuple[LegalStatus, date]:
    """The same again. Raises ValueError for anything else."""
    word, _, day = sealed.partition(" ")
    return LegalStatus(word), date.fromisoformat(day)
