"""How somebody works, studies and lives, as they tell it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Aspect(StrEnum):
    WORK = "work"
    HOUSING = "housing"


class Work(StrEnum):
    EMPLOYED = "employed"
    OWN = "own"
    """Work of their own."""
    DAILY = "daily"
    """Work by the day."""
    STUDYING = "studying"
    HOUSEHOLD = "household"
    LOOKING = "looking"
    UNABLE = "unable"
    NONE = "none"


class Housing(StrEnum):
    OWN = "own"
    """Their own, or rented."""
    FAMILY = "family"
    FRIENDS = "friends"
    SHELTER = "shelter"
    STREET = "street"
    INSTITUTION = "institution"


WORKS: Final = (Work.EMPLOYED, Work.OWN, Work.DAILY, Work.STUDYING)
"""What counts as work or study."""
STABLE: Final = (Housing.OWN, Housing.FAMILY)
"""Where somebody can stay, as far as it is known."""

_YES_NO: Final[Mapping[Aspect, tuple[StrEnum, ...]]] = {Aspect.WORK: WORKS, Aspect.HOUSING: STABLE}


def words_of(aspect: Aspect) -> tuple[str, ...]:
    """What can be said of an aspect."""
    return tuple(each.value for each in (Work if aspect is Aspect.WORK else Housing))


def stands_for(aspect: Aspect, word: str) -> bool:
    """Whether it is a yes to the question that take-home assessments ask: works or studies; lives somewhere stable."""
    return word in _YES_NO[aspect]
