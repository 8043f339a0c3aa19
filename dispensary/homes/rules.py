"""Whether a client can move to another site now. Pure.

Nothing that was agreed may be lost by a move: whatever only the old site can bring to its end is brought to it first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from dispensary.refusals import Refusal

LONGEST_REASON = 500


@dataclass(frozen=True)
class Standing:
    """What there is about a client on the day of a move."""

    in_treatment: bool
    legal_hold: bool
    away_at: str
    """The code of a third site at which they are a guest, now or soon; empty for nobody's guest."""
    away_until: date | None
    """The first dose day after that stay."""
    bottles_out: int
    """Bottles that a carrier has for them and has neither handed over nor counted in."""
    out_from: tuple[str, ...] = ()
    """The codes of the sites that sent them: the old site, or a satellite of it."""
    apart: tuple[str, ...] = ()
    """The codes of those sites that have a server of their own now: the two, and where doses or bottles of them are."""


@dataclass(frozen=True)
class Days:
    """The dose days of the two sites at the moment of a move."""

    old_today: date
    new_today: date
    old_left_open: tuple[date, ...]
    """Days before today that the old site has not closed."""
    closed: tuple[str, ...]
    """The codes of those of the two sites that have closed today."""


def may_be_asked(standing: Standing) -> tuple[Refusal, ...]:
    """Why a move cannot be written; nothing when it can."""
    return tuple(_in_the_way(standing))


def may_go(standing: Standing, days: Days) -> tuple[Refusal, ...]:
    """Why the client cannot go over now; nothing when they can. The day of the move is the new site's."""
    return (*_in_the_way(standing), *_of_the_day(days))


def _in_the_way(standing: Standing) -> Iterator[Refusal]:
    if not standing.in_treatment:
        yield Refusal(
            "move-not-in-treatment",
            "The client is not in treatment: there is nothing to move.",
            "The other site begins a stay of its own when they come.",
        )
    if standing.legal_hold:
        yield Refusal(
            "move-legal-hold",
            "A legal hold stands on this record: it stays where it is.",
            "Doses can be given at the other site meanwhile, as a guest. Whoever set the hold lifts it first.",
        )
    if standing.away_at:
        yield Refusal(
            "move-away",
            f"The client is a guest at {standing.away_at} until {standing.away_until}.",
            f"End that stay first, or wait until {standing.away_until}.",
            {"guest_at": standing.away_at, "until": standing.away_until},
        )
    if standing.bottles_out:
        yield Refusal(
            "move-bottles-out",
            "Bottles for this client are out with a carrier"
            f"{' of ' + ' and '.join(standing.out_from) if standing.out_from else ''}: {standing.bottles_out}.",
            "Hand them over, or count them in at the site that sent them.",
            {"bottles": standing.bottles_out, "sites": list(standing.out_from)},
        )
    if standing.apart:
        yield Refusal(
            "move-apart",
            f"{' and '.join(standing.apart)}: written on a server of its own for now."
            " What is given there is known here only when it is joined.",
            "Move them when it is back. Until then they come where they come now.",
            {"apart": list(standing.apart)},
        )


def _of_the_day(days: Days) -> Iterator[Refusal]:
    if days.old_today != days.new_today:
        yield Refusal(
            "move-days-differ",
            f"It is {days.old_today} at the one site and {days.new_today} at the other.",
            "Wait until both are on the same dose day.",
        )
    if days.old_left_open:
        yield Refusal(
            "move-day-open",
            f"The site that they leave has not closed {', '.join(str(day) for day in days.old_left_open)}.",
            "It closes these days first: what became of the doses there is frozen there.",
            {"days": list(days.old_left_open)},
        )
    if days.closed:
        yield Refusal(
            "move-day-closed",
            f"Today is closed already at {' and '.join(days.closed)}.",
            "Confirm it tomorrow.",
            {"closed": list(days.closed)},
        )


def faults_of_number(number: str) -> tuple[Refusal, ...]:
    """What is wrong with the number that the client is to have at the new site."""
    if 1 <= len(number) <= 24:
        return ()
    return (Refusal("number-length", "A client number has 1 to 24 characters.", "Correct it.", field="number"),)


def faults_of_reason(reason: str, field: str = "reason") -> tuple[Refusal, ...]:
    """What is wrong with the reason of a move, or of its end."""
    if not reason.strip():
        return (Refusal("move-reason", "Say why.", "A few words do; both sites read them.", field=field),)
    if len(reason) > LONGEST_REASON:
        return (Refusal("move-reason-long", f"Write at most {LONGEST_REASON} letters.", field=field),)
    return ()
