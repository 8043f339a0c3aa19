"""How this house says no: a code, a sentence that a person reads, what to do, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refusal:
    """Why something is not done. Rules return it; services raise it as `Refused`, which undoes the unit of work."""

    code: str
    """A stable word for programs, such as `already-covered`."""
    sentence: str
    """What a person reads: what is wrong and where."""
    remedy: str = ""
    """What to do about it."""
    evidence: Mapping[str, object] = field(default_factory=dict)
    """The rows and figures that say so; never a name."""
    field: str = ""
    """The form field that it is about, when it is about one."""


class Refused(Exception):
    """A use case was refused; nothing of it was kept. Becomes problem+json, a message on the page, or exit code 2."""

    status = 409

    def __init__(self, *refusals: Refusal) -> None:
        assert refusals, "a refusal has at least one reason"
        super().__init__(" ".join(refusal.sentence for refusal in refusals))
        self.refusals = refusals

    @property
    def first(self) -> Refusal:
        return self.refusals[0]


class NotThere(Refused):
    """What was asked for does not exist, or not for this person: the answer is the same for both."""

    status = 404


class NotAllowed(Refused):
    """The account's roles do not allow this act at this site."""

    status = 403


class BadInput(Refused):
    """What was typed is not what the field takes."""

    status = 422
