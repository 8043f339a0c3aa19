"""How somebody is in touch with a client who does not come, what can come of it, and what is due on which day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final


class How(StrEnum):
    """How somebody was in touch, or tried."""

    TALK = "talk"
    CALL = "call"
    VISIT = "visit"
    """At their home, by their consent alone."""
    SCREEN = "screen"
    """Over a screen, in place of a visit."""


class CameOf(StrEnum):
    """What a client means to do. None of it has a consequence by itself."""

    COMES_BACK = "comes_back"
    UNDECIDED = "undecided"
    ELSEWHERE = "elsewhere"
    """They are treated at another place."""
    NOT_NOW = "not_now"
    NEEDS_HELP = "needs_help"
    """Somebody who treats them should hear of it today."""


class Why(StrEnum):
    """The client's own reason for not coming."""

    WAY = "way"
    """The way is long, or costs too much."""
    WORK = "work"
    WAIT = "wait"
    """The opening hours, or the wait."""
    FAMILY = "family"
    ILL = "ill"
    HOSPITAL = "hospital"
    DETAINED = "detained"
    MOVED = "moved"
    DOSE = "dose"
    """The dose was too little, too much, or had effects that they did not want."""
    UNWELCOME = "unwelcome"
    """How they were treated here."""
    AFRAID = "afraid"
    """Of being seen here, or of police at the gate."""
    USING = "using"
    """They take something else, and thought they could not come."""
    ENOUGH = "enough"
    """They want no more treatment."""
    OTHER = "other"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(f"'{each.value}'" for each in words)


HOW: Final = _listed(How)
CAME_OF: Final = _listed(CameOf)
WHY: Final = _listed(Why)


class Step(StrEnum):
    """What is due for somebody who does not come."""

    TEXT = "text"
    CALL = "call"
    VISIT = "visit"


@dataclass(frozen=True)
class FollowUp:
    """After how many whole days without a dose each step is due; nothing for a step that the site does not take.

    As it stands here it is the house's own figure, for sites that have set none.
    """

    text_day: int | None = 1
    call_day: int | None = 3
    visit_day: int | None = 7
    again_days: int = 7
    """So many days after a try, or a talk after which they did not come, the next is due."""

    def first_day(self) -> int | None:
        """From which day on somebody is on the list; nothing where the site follows nobody up."""
        return min((each for each in (self.text_day, self.call_day, self.visit_day) if each is not None), default=None)


DAYS: Final = (1, 60)
TEXT_WITHIN: Final = 7
"""A text goes out by itself within so many days of its day: a site that begins with texts does not write to everybody
who left long ago. The house's own figure."""


@dataclass(frozen=True)
class Tried:
    """A contact, or the try of one, since the last dose."""

    on: date
    how: How
    reached: bool


def step_due(follow_up: FollowUp, *, today: date, days: int, tried: Sequence[Tried], wants_visits: bool) -> Step | None:
    """The furthest step that is due for somebody who is away; nothing where it is not time yet.

    No try ends it and no talk does: while they stay away the next is due `again_days` after the last. A call in vain
    does not put off the first visit. Nobody is visited who does not want that.
    """
    lately = [each for each in tried if (today - each.on).days < follow_up.again_days]
    may_visit = follow_up.visit_day is not None and days >= follow_up.visit_day and wants_visits
    first_visit = not any(each.how is How.VISIT for each in tried) and not any(each.reached for each in lately)
    if may_visit and (first_visit or not lately):
        return Step.VISIT
    if follow_up.call_day is not None and days >= follow_up.call_day and not lately:
        return Step.CALL
    return None


def text_due(follow_up: FollowUp, *, days: int) -> bool:
    """Whether the text of this absence is to go out by itself now."""
    return follow_up.text_day is not None and follow_up.text_day <= days < follow_up.text_day + TEXT_WITHIN
