"""Why something that was entered in error is taken back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Wrong(StrEnum):
    """Why an entry is taken back. A closed word: no sentence about anybody is kept with it."""

    TWICE = "twice"
    MISTAKEN = "mistaken"
    """Something in it is wrong, and what is right is entered anew."""
    ANOTHER = "another"
    """It is about somebody else."""
    NEVER = "never"
    """It did not happen."""


@dataclass(frozen=True)
class TakenBack:
    """Why an entry counts nowhere, and who says so since when."""

    why: Wrong
    by: str
    at: datetime
    was: str = ""
    """What stood there, where it is open again since."""
