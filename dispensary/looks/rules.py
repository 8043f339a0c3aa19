"""When somebody is asked why they open a record, and when a look is unusual. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from dispensary.refusals import Refusal

LONGEST_WORDS = 500
RECENT_DAYS = 30
"""For how long a contact makes it usual to open a record (the house's own figure)."""


class Why(StrEnum):
    """Why somebody is asked."""

    NOT_TODAY = "not-today"
    """The client has nothing to do with this site today, and had nothing for a month."""
    OTHER_SITE = "other-site"
    """The client is of another site and stays nowhere near this one now."""
    WATCHED = "watched"
    """The record is watched: of staff, of relatives, of people whom others know."""


class Reason(StrEnum):
    """What can be picked. Emergency is one press and is read through afterwards."""

    PHONED = "phoned"
    HERE = "here"
    CORRECTING = "correcting"
    REVIEWING = "reviewing"
    EMERGENCY = "emergency"
    OTHER = "other"


@dataclass(frozen=True)
class Standing:
    """What a client has to do with a site on a day, as far as it makes a look usual."""

    home: bool = True
    """The client is of this site."""
    guest: bool = False
    """A stay of theirs here is asked for, coming, running, or over for less than 30 days."""
    watched: bool = False
    here: bool = False
    """They have a booking today, or are checked in."""
    due: bool = False
    """An order is in force for today: they are on the day's list."""
    open: bool = False
    """A task, an alert, a packed bottle, a referral, a recall or a review is open."""
    recent: bool = False
    """A supply, a visit, an order or an enrolment of the last 30 days; a booking of these days."""
    mine: bool = False
    """The reader has taken this client on."""


def asked_why(standing: Standing, *, at_counter: bool) -> tuple[Why, ...]:
    """Why the reader is asked for a reason before they see the record; nothing when the look is usual.

    Whoever stands at the counter is never kept waiting: on the day's list is usual there, also for a watched record.
    Elsewhere a watched record is usual for whoever treats the client, and while the client is expected or there.
    """
    whys = []
    if not (standing.home or standing.guest):
        whys.append(Why.OTHER_SITE)
    elif standing.home and not (standing.here or standing.due or standing.open or standing.recent or standing.mine):
        whys.append(Why.NOT_TODAY)
    if standing.watched and not (standing.here or standing.mine or (at_counter and standing.due)):
        whys.append(Why.WATCHED)
    return tuple(whys)


def fault_of(reason: str, words: str) -> list[Refusal]:
    """What is wrong with a reason as it was given; nothing when it can be kept."""
    faults = []
    if reason not in set(Reason):
        faults.append(Refusal("no-reason", "Pick a reason.", "Each is one press.", field="reason"))
    if reason == Reason.OTHER and not words.strip():
        sentence = "Say in a few words what the reason is."
        faults.append(Refusal("reason-without-words", sentence, "Name nobody else in it.", field="words"))
    if len(words) > LONGEST_WORDS:
        faults.append(
            Refusal("too-long", f"This is longer than {LONGEST_WORDS} characters.", "Shorten it.", field="words")
        )
    return faults


class Kind(StrEnum):
    """Why a day's looks of somebody stand on the page of unusual looks."""

    MANY = "many"
    OUTSIDE_HOURS = "outside_hours"
    WATCHED = "watched"
    COLLEAGUE = "colleague"
    OWN_RECORD = "own_record"
    OTHER_REASON = "other_reason"
    EMERGENCY = "emergency"
    SEALED_CODE = "sealed_code"
    """The site's sealed code was opened: no look, and read through like one."""


@dataclass(frozen=True)
class Thresholds:
    """From where on looks are unusual (the house's own figures, until a site sets others)."""

    most_charts: int = 40
    """So many different charts a day need no explaining, whatever is usual."""
    times_usual: int = 3
    """More than so many times one's own usual day, or that of one's colleagues of the same work, is many."""
    minutes_around: int = 60
    """Before the site opens and after it closes, within which a look is not outside its hours."""
    names_to_clients: bool = False
    """Whether a client who asks is told names; else the work that somebody does."""


def faults_of_thresholds(asked: Thresholds) -> list[Refusal]:
    """What is wrong with thresholds as typed, a fault a field; nothing when they can be kept."""
    bounds = {"most_charts": (1, 1000), "times_usual": (1, 20), "minutes_around": (0, 720)}
    return [
        Refusal("out-of-bounds", f"This is a whole number from {least} to {most}.", field=name)
        for name, (least, most) in bounds.items()
        if not least <= getattr(asked, name) <= most
    ]


def many(charts: int, *, own: Sequence[int], of_role: Sequence[int], thresholds: Thresholds) -> bool:
    """Whether so many different charts in a day are many for this person.

    `own` and `of_role` are the charts of the days on which somebody looked at all: theirs, and those of everybody with
    the same work, this day left out of both. More than the threshold, and more than so many times the larger of both
    medians; who has no days yet is measured by their colleagues alone, and without any of either, by the threshold.
    """
    if charts <= thresholds.most_charts:
        return False
    usual = max((median(days) for days in (own, of_role) if days), default=0)
    return charts > thresholds.times_usual * usual
